"""What every text and every person passes before anything is stored: redaction, and pseudonyms for ids.

The texts of a whole batch are redacted in one pass over columns, which costs little more than one text does.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import orjson
import polars as pl

from feedback_pipeline.capture.votes import AnswerRow, Filing, VoteRow
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import Redacted, redact, redact_json

_VOTE_TEXTS = ("comment", "correction")
_VOTE_JSON = ("value",)
_ANSWER_TEXTS = ("prompt", "output")
_ANSWER_JSON = ("messages", "content_snapshot", "metadata")
_LARGEST_CACHE = 100_000

Row = TypeVar("Row", bound=NamedTuple)


class Door:
    """Redacts rows and names people; keeps originals only where the settings say so."""

    def __init__(self, pseudonymiser: Pseudonymiser, keep_raw: bool) -> None:
        self._pseudonymiser = pseudonymiser
        self._keep_raw = keep_raw
        self._known: dict[tuple[str, str], str] = {}

    def pseudonym(self, tenant: str, identifier: str | None) -> str | None:
        """What a person or a session is called; None for nobody."""
        if identifier is None:
            return None
        known = self._known.get((tenant, identifier))
        if known is None:
            if len(self._known) >= _LARGEST_CACHE:
                self._known.clear()
            known = self._known[tenant, identifier] = self._pseudonymiser.pseudonym(tenant, identifier)
        return known

    def redacted(self, filings: Sequence[Filing]) -> list[Filing]:
        """The same rows without structured identifiers."""
        votes = self._rows([filing.vote for filing in filings], _VOTE_TEXTS, _VOTE_JSON)
        answers = iter(self.answers([answer for filing in filings for answer in filing.answers]))
        return [
            Filing(vote, tuple(next(answers) for _ in filing.answers) if filing.answers else (), filing.names)
            for vote, filing in zip(votes, filings, strict=True)
        ]

    def answers(self, answers: Sequence[AnswerRow]) -> list[AnswerRow]:
        """Answers without structured identifiers."""
        return self._rows(answers, _ANSWER_TEXTS, _ANSWER_JSON)

    def _rows(self, rows: Sequence[Row], texts: Sequence[str], json: Sequence[str]) -> list[Row]:
        changed: dict[int, dict[str, str]] = {}
        for names, redaction in ((texts, redact), (json, redact_json)):
            _redact_fields(rows, names, redaction, changed)
        result = list(rows)
        for place, fields in changed.items():
            row = result[place]
            if self._keep_raw:
                original = {name: getattr(row, name) for name in fields}
                fields = {**fields, "raw": orjson.dumps(original).decode()}
            result[place] = row._replace(**fields)
        return result


def _redact_fields(
    rows: Sequence[VoteRow] | Sequence[AnswerRow] | Sequence[Row],
    names: Sequence[str],
    redaction: Callable[[pl.Series], Redacted],
    changed: dict[int, dict[str, str]],
) -> None:
    """Adds to `changed` the fields that redaction altered, by row."""
    places: list[tuple[int, str]] = []
    found: list[str] = []
    for place, row in enumerate(rows):
        for name in names:
            text = getattr(row, name)
            if text:
                places.append((place, name))
                found.append(text)
    if not found:
        return
    redacted = redaction(pl.Series(found, dtype=pl.String)).texts.to_list()
    for (place, name), before, after in zip(places, found, redacted, strict=True):
        if after != before:
            changed.setdefault(place, {})[name] = after
