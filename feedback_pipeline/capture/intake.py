"""What every text and every person passes before anything is stored: redaction, and pseudonyms for ids.

The texts of a whole batch are redacted in one pass over columns, which costs little more than one text does. Everything
said of one answer is redacted together, and so is a conversation within a batch: one person is one placeholder in
prompt, answer, snapshot and comment.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import orjson
import polars as pl

from feedback_pipeline.capture.votes import AnswerRow, Submission, VoteRow
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact_frame

_VOTE_TEXTS = ("comment", "correction")
_VOTE_JSON = ("value", "metadata")
_VOTE_LISTS = ("reasons",)
_ANSWER_TEXTS = ("prompt", "output")
_ANSWER_JSON = ("messages", "content_snapshot", "metadata")
_ANSWER_LISTS = ("tags", "tools_called", "techniques")
_CLAIMED_NAMES = ("project", "intent", "action_type", "model", "prompt_version", "framework", "variant")
_MAX_CACHE = 100_000
_TRACE = re.compile(r'\{"trace_id":"[0-9a-f]{32}","span_id":"[0-9a-f]{16}"\}')
"""Metadata of an answer that came as a span: numbers that a machine drew, though some look like those of a card."""
_SCHEMA = {"label": pl.UInt32, "text": pl.String, "json": pl.String}

Row = TypeVar("Row", bound=NamedTuple)


class _Piece(NamedTuple):
    """One text of a row: where it stands, and which texts it shares the numbers of its placeholders with."""

    row: int
    field: str
    place: int | None  # in a list
    label: int
    text: str | None
    json: str | None


class Intake:
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
            if len(self._known) >= _MAX_CACHE:
                self._known.clear()
            known = self._known[tenant, identifier] = self._pseudonymiser.pseudonym(tenant, identifier)
        return known

    def redacted(self, tenant: str, submissions: Sequence[Submission]) -> list[Submission]:
        """The same rows of a tenant without structured identifiers, and without the person's own id among the names."""
        submissions = [
            Submission(self._unnamed(tenant, one.vote), tuple(self._unnamed(tenant, a) for a in one.answers), one.names)
            for one in submissions
        ]
        labels = _labels([submission.answers for submission in submissions])
        rows: list[VoteRow | AnswerRow] = []
        owners: list[int] = []
        for submission, label in zip(submissions, labels, strict=True):
            rows += (submission.vote, *submission.answers)
            owners += [label] * (1 + len(submission.answers))
        cleaned: Iterator[Any] = iter(self._rows(rows, owners))
        return [
            Submission(next(cleaned), tuple(next(cleaned) for _ in submission.answers), submission.names)
            for submission in submissions
        ]

    def _unnamed(self, tenant: str, row: Row) -> Row:
        """The row without tags and reasons that are the id of the person or session it is of."""
        lists = _VOTE_LISTS if isinstance(row, VoteRow) else _ANSWER_LISTS
        own = {row.user_key, row.session_key} - {None}  # type: ignore[attr-defined]
        changed = {}
        for name in lists if own else ():
            said = getattr(row, name)
            kept = [one for one in said if not own.intersection(self._called(tenant, one))]
            if len(kept) < len(said):
                changed[name] = kept
        return row._replace(**changed) if changed else row

    def _called(self, tenant: str, word: str) -> list[str]:
        """What a person with this id would be called, now or under an earlier key."""
        return self._pseudonymiser.all_versions(tenant, word) if word else []

    def answers(self, tenant: str, answers: Sequence[AnswerRow]) -> list[AnswerRow]:
        """Answers of a tenant without structured identifiers, and without the person's own id among the names."""
        return self.answers_of([(tenant, answers)])[0]

    def answers_of(self, requests: Sequence[tuple[str, Sequence[AnswerRow]]]) -> list[list[AnswerRow]]:
        """`answers` of several requests, each a tenant and its answers; no two share the numbers of placeholders."""
        rows: list[AnswerRow] = []
        labels: list[int] = []
        for tenant, answers in requests:
            labels += [len(rows) + label for label in _labels([(answer,) for answer in answers])]
            rows += [self._unnamed(tenant, answer) for answer in answers]
        cleaned = iter(self._rows(rows, labels))
        return [list(islice(cleaned, len(answers))) for _, answers in requests]

    def snapshot(self, snapshot: str) -> str:
        """A snapshot (JSON) as it would be stored."""
        cleaned: str = redact_frame(pl.DataFrame({"json": [snapshot]}), (), ("json",)).frame["json"][0]
        return cleaned

    def _rows(self, rows: Sequence[Row], labels: Sequence[int]) -> list[Row]:
        pieces = [piece for place, row in enumerate(rows) for piece in _pieces(place, row, labels[place])]
        result = list(rows)
        if not pieces:
            return result
        frame = pl.DataFrame(
            {name: [getattr(piece, name) for piece in pieces] for name in _SCHEMA}, schema=_SCHEMA
        )  # fmt: skip
        cleaned = redact_frame(frame, ("text",), ("json",), "label").frame
        changed: dict[int, dict[str, Any]] = {}
        for piece, text, json in zip(pieces, cleaned["text"].to_list(), cleaned["json"].to_list(), strict=True):
            if piece.text == text and piece.json == json:
                continue
            fields = changed.setdefault(piece.row, {})
            if piece.place is None:
                fields[piece.field] = text if json is None else json
            else:
                fields.setdefault(piece.field, list(getattr(rows[piece.row], piece.field)))[piece.place] = text
        for place, fields in changed.items():
            row = result[place]
            if self._keep_raw:
                original = {name: getattr(row, name) for name in fields}
                fields = {**fields, "raw": orjson.dumps(original).decode()}
            result[place] = row._replace(**fields)
        return result


def _labels(answers: Sequence[Sequence[AnswerRow]]) -> list[int]:
    """A number for each submission's conversation: that of the first submission of it."""
    conversations: dict[str, int] = {}
    labels = []
    for place, brought in enumerate(answers):
        conversation = brought[0].conversation_id if brought else None
        labels.append(place if conversation is None else conversations.setdefault(conversation, place))
    return labels


def _pieces(place: int, row: NamedTuple, label: int) -> Iterator[_Piece]:
    texts: tuple[str, ...]
    json: tuple[str, ...]
    lists: tuple[str, ...]
    if isinstance(row, VoteRow):
        texts, json, lists = _VOTE_TEXTS, _VOTE_JSON, _VOTE_LISTS
    else:
        texts, json, lists = _ANSWER_TEXTS, _ANSWER_JSON, _ANSWER_LISTS
        if row.provenance == "browser":  # type: ignore[attr-defined]  # names that a stranger made up
            texts += _CLAIMED_NAMES
    for name in texts:
        if text := getattr(row, name):
            yield _Piece(place, name, None, label, text, None)
    for name in json:
        text = getattr(row, name)
        if text and not (name == "metadata" and _TRACE.fullmatch(text)):
            yield _Piece(place, name, None, label, None, text)
    for name in lists:
        for index, text in enumerate(getattr(row, name)):
            yield _Piece(place, name, index, label, text, None)
