"""What every row passes before it is kept anywhere: redaction of texts, pseudonyms for people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from feedback_pipeline.privacy.redaction import RedactedFrame


class RedactFrame(Protocol):
    """`privacy.redaction.redact_frame`."""

    def __call__(
        self,
        frame: pl.DataFrame,
        texts: Sequence[str],
        json: Sequence[str] = (),
        conversation: str | None = None,
        lists: Sequence[str] = (),
    ) -> RedactedFrame: ...


@dataclass(frozen=True)
class PrivacyRules:
    """The functions of `privacy` that ingest uses.

    Attributes:
        redact: text and JSON columns of a frame without structured identifiers.
        pseudonyms: tenants and user ids → pseudonyms; null where the user is.
    """

    redact: RedactFrame
    pseudonyms: Callable[[pl.Series, pl.Series], pl.Series]

    def without_own_id(self, frame: pl.DataFrame, lists: Sequence[str]) -> pl.DataFrame:
        """The rows without tags and reasons that are the person's own id, which is a name of theirs like any other.

        Args:
            frame: columns `tenant` and `user_key` beside the lists.
            lists: names of columns of lists.
        """
        for name in lists:
            if not frame[name].list.len().sum():
                continue
            places = frame.select("tenant", "user_key", name).with_row_index("place").explode(name)
            called = self.pseudonyms(places["tenant"], places[name])
            others = places.filter((called != places["user_key"]).fill_null(value=True))
            kept = others.drop_nulls(name).group_by("place", maintain_order=True).agg(pl.col(name))
            rows = pl.DataFrame({"place": pl.int_range(frame.height, dtype=pl.UInt32, eager=True)})
            joined = rows.join(kept, on="place", how="left", maintain_order="left")[name]
            missing = frame[name].is_null()
            frame = frame.with_columns(pl.when(missing).then(None).otherwise(joined.fill_null([])).alias(name))
        return frame
