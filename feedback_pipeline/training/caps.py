"""Caps: how many rows one person, the anonymous, one tenant or one group of prompts may be the reason for."""

import polars as pl

from feedback_pipeline.training.draws import uniform_of_ids


def share_cap(rows_per_owner: pl.Series, floor: int, share: float) -> int:
    """The largest cap that is `share` of what is left once everybody is capped by it, or `floor` if that is more.

    A share of what came in would grow with the very flood it is meant to stop.
    """
    cap = max(floor, int(share * int(rows_per_owner.sum())))
    while True:
        left = int(rows_per_owner.clip(upper_bound=cap).sum())
        lower = max(floor, int(share * left))
        if lower >= cap:
            return cap
        cap = lower


def within_cap(rows: pl.DataFrame, owner: list[str], cap: int, key: str) -> pl.DataFrame:
    """The rows (with `row_id`) that stay when every owner keeps at most `cap` of them.

    Which ones stay is drawn by a keyed hash of the row, so that the choice does not depend on the other rows.
    """
    many = rows.select(pl.len().over(owner) > cap).to_series()
    if not many.any():
        return rows
    crowd = rows.filter(many)
    drawn = crowd.with_columns(_draw=uniform_of_ids(crowd["row_id"], key, "cap")).sort("_draw", "row_id")
    kept = drawn.filter(pl.int_range(pl.len()).over(owner) < cap).drop("_draw")
    return pl.concat([rows.filter(~many), kept])


def capped_by_person(links: pl.DataFrame, floor: int, share: float, key: str) -> tuple[pl.Series, int]:
    """Which rows stay under the cap per person, and the cap.

    Args:
        links: one row per tenant, voter and row_id: the voter is one of those who gave the row its label.
        floor: rows anybody may have.
        share: share of the rows one person may have, where that is more.
        key: secret for the draw.

    A row several people stand behind stays as long as one of them has room for it.
    """
    owned = links.with_columns(_owner=pl.struct("tenant", "voter").hash())
    counts = owned.group_by("_owner").agg(rows=pl.len())["rows"]
    cap = share_cap(counts, floor, share) if links.height else floor
    return within_cap(owned, ["_owner"], cap, key)["row_id"].unique(), cap


def capped_by_group(rows: pl.DataFrame, group: list[str], cap: int, best_first: list[pl.Expr]) -> pl.DataFrame:
    """The best `cap` rows of each group; `best_first` must order them completely."""
    many = rows.select(pl.len().over(group) > cap).to_series()
    if not many.any():
        return rows
    best = rows.filter(many).sort(best_first).filter(pl.int_range(pl.len()).over(group) < cap)
    return pl.concat([rows.filter(~many), best])
