"""Caps: how many rows one person, new accounts, the anonymous, one tenant or one group of prompts may bring."""

import polars as pl

from feedback_pipeline.training.draws import uniform_of_ids
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.rules import CurationSettings


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


def capped_newcomers(
    rows: pl.DataFrame, trust: pl.DataFrame, settings: CurationSettings, funnel: Funnel, unit: str, *,
    apart: str | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The rows (with `row_id`, `tenant`, `voters`) that stay when people without a history keep to a share together.

    Fifty accounts of one person each stay under any cap per person. Who had not voted before the week is without a
    history; next week they have one, and their rows count in full.

    Args:
        rows: the rows.
        trust: RATER_TRUST of the week before; empty in the first week, when nobody can be told from anybody.
        settings: the rules.
        funnel: gets the step.
        unit: of the funnel.
        apart: a column whose values go into different files: the share holds for the rows of each.
    """
    share = settings.new_share
    if share is None or share >= 1 or trust.is_empty():
        return rows
    links = rows.select("row_id", "tenant", voter=pl.col("voters")).explode("voter")
    known = links.join(trust.select("tenant", "voter").unique(), on=["tenant", "voter"], how="semi")["row_id"].unique()
    stands = pl.col("row_id").is_in(known.implode())
    established, crowd = rows.filter(stands), rows.filter(~stands)
    few = established.height < settings.established_rows
    kept = crowd if few else _kept_of_the_crowd(established, crowd, apart, settings)
    why = f"more than {share:.0%}, or {settings.new_rows} rows, by people who had not voted before the week"
    if few:
        why += f" (not asked: only {established.height} rows are by others)"
    funnel.count(rows.height, established.height + kept.height, "new accounts", unit, why)
    return pl.concat([established, kept])


def _kept_of_the_crowd(
    established: pl.DataFrame, crowd: pl.DataFrame, apart: str | None, settings: CurationSettings
) -> pl.DataFrame:
    share = settings.new_share or 0.0
    kept = [crowd.clear()]
    for rows in crowd.partition_by(apart, maintain_order=True) if apart else [crowd]:
        beside = established.filter(pl.col(apart) == rows[apart][0]) if apart else established
        cap = max(settings.new_rows, int(beside.height * share / (1 - share)))
        marked = rows.with_columns(_crowd=pl.lit(1))
        kept.append(within_cap(marked, ["_crowd"], cap, settings.key).drop("_crowd"))
    return pl.concat(kept)


def capped_by_group(rows: pl.DataFrame, group: list[str], cap: int, best_first: list[pl.Expr]) -> pl.DataFrame:
    """The best `cap` rows of each group; `best_first` must order them completely."""
    many = rows.select(pl.len().over(group) > cap).to_series()
    if not many.any():
        return rows
    best = rows.filter(many).sort(best_first).filter(pl.int_range(pl.len()).over(group) < cap)
    return pl.concat([rows.filter(~many), best])
