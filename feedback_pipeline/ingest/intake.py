"""What every row passes before it is kept anywhere: redaction of texts, pseudonyms for people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from feedback_pipeline.privacy.redaction import RedactedFrame


class RedactFrame(Protocol):
    """`privacy.redaction.redact_frame`."""

    def __call__(
        self, frame: pl.DataFrame, texts: Sequence[str], json: Sequence[str] = (), conversation: str | None = None
    ) -> RedactedFrame: ...


@dataclass(frozen=True)
class Door:
    """The functions of `privacy` that ingest uses.

    Attributes:
        redact: text and JSON columns of a frame without structured identifiers.
        pseudonyms: tenants and user ids → pseudonyms; null where the user is.
    """

    redact: RedactFrame
    pseudonyms: Callable[[pl.Series, pl.Series], pl.Series]
