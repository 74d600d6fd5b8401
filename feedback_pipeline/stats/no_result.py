"""No number, because …"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NoResult:
    """There is no number, and why.

    Attributes:
        reason: a code of letters and underscores, or a sentence of ours; safe to log, never a user's text.
        items: rows there were.
        clusters: independent groups of rows there were.
    """

    reason: str
    items: int = 0
    clusters: int = 0
