"""One entry of `sources.yaml`: what is read, and what its columns mean."""

import hashlib
import re
from datetime import date
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from feedback_pipeline.ingest.fields import ANSWER_KEYS, ANSWER_TEXT, FIELDS, JUDGE_FIELDS, SIDE_FIELDS, VOTE_FIELDS
from feedback_pipeline.ingest.paths import steps
from feedback_pipeline.ingest.readers.tools import TOOLS
from feedback_pipeline.ingest.words import Scalar, meaning, written_keys
from feedback_pipeline.tables.vocabulary import PROVENANCES

FILE_KINDS = ("csv", "jsonl", "json", "parquet")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Condition = None | bool | int | float | str | tuple[bool | int | float | str, ...]
"""What a value must be: one of some words, a range (`">= 4"`), anything (`"*"`), or nothing (null)."""


class Reference(_Part):
    """Where a field's value is: in a column, in several together, or in the first of several that has one.

    A column is named as delivered; dots and brackets lead into JSON (`context.model`, `messages[last].content`; see
    `ingest.paths`), unless a column has that very name. Columns
    must be there, of `first` one of them; none need be where the reference is `optional` (short: `column?`, unless a
    column has that very name, with the question mark). Where rows mean different things by one column, `when` says of
    which rows this is meant (as `where` does for a source); the others have the value of `otherwise`, or none.
    """

    column: str | None = None
    columns: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    join: str = "/"
    split: str | None = None
    part: int | None = Field(default=None, ge=0)
    scale: float | None = None
    optional: bool = False
    when: dict[str, Condition] = {}
    otherwise: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(map(bool, (self.column, self.columns, self.hash, self.first))) != 1:
            raise ValueError("give exactly one of column, columns, hash, first")
        for path in (*self.paths, *self.beside):
            if "[" in path:
                steps(path)
        if (self.split is None) != (self.part is None):
            raise ValueError("split and part belong together: split: '_', part: 0")
        if self.otherwise and not self.when:
            raise ValueError("otherwise goes with when: {column: score, when: {type: number}, otherwise: label}")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Every column or path it reads."""
        return (self.column,) if self.column else self.columns or self.hash or self.first

    @property
    def beside(self) -> tuple[str, ...]:
        """What is read only to choose, or in place of the value: those of `when`, and `otherwise`."""
        return (*self.when, *((self.otherwise,) if self.otherwise else ()))


def _as_reference(value: Any) -> Any:
    if isinstance(value, str):
        if value.endswith("?") and len(value) > 1:
            return {"first": [value, value.removesuffix("?")], "optional": True}
        return {"column": value}
    return {"columns": value} if isinstance(value, list) else value


AnyReference = Annotated[Reference, BeforeValidator(_as_reference)]


class Side(_Part):
    """One of the two answers of a pairwise vote: its id and what the row says about it.

    Without an id, equal words of the same model to the same prompt are one answer.
    """

    id: AnyReference | None = None
    mapping: dict[str, AnyReference] = {}

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:
        """Written flat: `{id: …, model: …, output: …}`."""
        if not isinstance(data, dict) or "mapping" in data:
            return data
        return {"id": data.get("id"), "mapping": {key: value for key, value in data.items() if key != "id"}}

    @field_validator("mapping")
    @classmethod
    def _known(cls, mapping: dict[str, Reference]) -> dict[str, Reference]:
        return _known_fields(mapping, SIDE_FIELDS)

    @model_validator(mode="after")
    def _identified(self) -> Self:
        if self.id is None and "output" not in self.mapping:
            raise ValueError("give id, or output so that the answer's words can tell it from others")
        return self


class OneHot(_Part):
    """A column an outcome of a pair, of which one is true."""

    left: str
    right: str
    tie: str | tuple[str, ...] | None = None

    @property
    def ties(self) -> tuple[str, ...]:
        return (self.tie,) if isinstance(self.tie, str) else self.tie or ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.left, self.right, *self.ties)


class Always(_Part):
    """Every row names the better answer on the same side."""

    always: Literal["left", "right"]


class Pairwise(_Part):
    """Votes between two answers: `left`, `right` or `tie`.

    Attributes:
        left, right: the answers, in the order in which they were shown.
        winner: the column that says which one won; or one column an annotator, whose name then is the voter; or a
            column an outcome, of which one is true (`{left: …, right: …, tie: …}`); or `{always: left}` where every row
            names the better answer first.
        values: what is delivered → left, right, tie or null (no vote).
    """

    left: Side
    right: Side
    winner: str | tuple[str, ...] | OneHot | Always
    values: dict[str, Literal["left", "right", "tie"] | None] = {}

    @field_validator("values", mode="before")
    @classmethod
    def _keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for written, value in values.items() for key in written_keys(written)}

    @property
    def winners(self) -> tuple[str, ...]:
        match self.winner:
            case str():
                return (self.winner,)
            case OneHot():
                return self.winner.columns
            case Always():
                return ()
            case _:
                return self.winner

    @property
    def has_annotators(self) -> bool:
        return isinstance(self.winner, tuple)


class Thread(_Part):
    """A conversation kept as a tree of messages: the way from its root to the answer is what was said.

    It fills the columns `thread.messages` (all before the answer), `thread.prompt` and `thread.answer`.

    Attributes:
        messages: path of the messages: an object by id, or a list.
        answer: path of the id of the message that the row is about.
        parent: the key of a message that names the one before it.
        id: the key with a message's own id, in a list.
    """

    messages: str
    answer: str
    parent: str = "parentId"
    id: str = "id"


class Chat(_Part):
    """Columns that hold what a model was given and what it answered, each in any of the usual shapes (`ingest.chats`).

    It fills the columns `chat.messages` (null where the input is no conversation), `chat.prompt` and `chat.answer`.
    """

    input: str
    output: str


class Spread(_Part):
    """Times for data that has none: each vote gets one in the period, decided by its id."""

    start: date
    weeks: int = Field(default=8, ge=1, le=520)


class Join(_Part):
    """A small file looked up by key; its columns are named `<join name>.<column>` in mappings."""

    kind: Literal["csv", "jsonl", "json", "parquet"]
    path: str
    by: dict[str, str] = Field(min_length=1)
    """Our column → the file's column."""
    delimiter: str = ","


class Source(_Part):
    """One entry of `sources.yaml`, its preset filled in.

    Attributes:
        key: of kind api, the tool's API key.
        tool_project: of kind api, the tool's project; all of them unless given.
        since: of kind api, the day that votes are asked for from; unset, where the last import ended.
        answers: with votes only, the source that brings the answers (`answer_id` is then that source's id).
        rows: where in a JSON document the array of rows is (`data.items`).
        explode: the path of a list: each of its items is a row, and stands where the list stood.
        where: path → what its value must be for a row to be meant; the others are passed over and counted.
        thread: where the conversation is a tree of messages, what becomes `thread.messages`, `.prompt` and `.answer`.
        chat: where a model's input and output are kept as they were: what becomes `chat.messages`, `.prompt`,
            `.answer`.
        judge: the rows are a model's verdicts, not people's votes: on pairs, or on single answers (criterion, and score
            or label); its name.
        context: `full` where a row without `messages` was all that was asked of the model, `partial` where there was
            more that is not known; unset, it is guessed (`whole_without_messages`).
    """

    name: str
    kind: Literal["csv", "jsonl", "json", "parquet", "sql", "api"]
    path: str | None = None
    url: str | None = Field(default=None, repr=False)
    key: str = Field(default="", repr=False)
    tool_project: str | None = None
    since: date | None = None
    table: str | None = None
    query: str | None = None
    preset: str | None = None
    description: str = ""
    tenant: str = "default"
    timezone: str = "UTC"
    provenance: str = "import"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    nulls: tuple[str, ...] | None = None
    time_format: str | None = None
    mapping: dict[str, AnyReference] = {}
    constants: dict[str, Scalar] = {}
    values: dict[str, dict[str, Scalar]] = {}
    rows: str | None = None
    explode: str | None = None
    where: dict[str, Condition] = {}
    thread: Thread | None = None
    chat: Chat | None = None
    spread: Spread | None = None
    pairwise: Pairwise | None = None
    joins: dict[str, Join] = {}
    answers: str | None = None
    judge: str | None = None
    context: Literal["full", "partial"] | None = None

    @field_validator("mapping", "constants", "values")
    @classmethod
    def _known(cls, named: dict[str, Any]) -> dict[str, Any]:
        return _known_fields(named, tuple(FIELDS))

    @field_validator("values", mode="before")
    @classmethod
    def _keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {
            name: _meanings(name, choices) if isinstance(choices, dict) and name in FIELDS else choices
            for name, choices in values.items()
        }

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is not an IANA zone such as Europe/Berlin") from error
        return name

    @field_validator("provenance")
    @classmethod
    def _vouched(cls, value: str) -> str:
        if value not in PROVENANCES:
            raise ValueError(f"must be one of {', '.join(PROVENANCES)}")
        return value

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a source's name has lower-case letters, digits and - _ . only")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for problem in (self._place_problem(), self._meaning_problem()):
            if problem:
                raise ValueError(problem)
        return self

    def _place_problem(self) -> str | None:
        if self.kind == "sql" and (not self.url or bool(self.table) == bool(self.query)):
            return "kind sql needs url, and either table or query"
        if self.kind == "api" and (not self.url or self.preset not in TOOLS):
            return f"kind api needs url, and a preset of: {', '.join(TOOLS)}"
        if self.rows and self.kind != "json":
            return "rows is for kind json; in JSON lines each line is a row (take a list in it apart with explode)"
        tree = (self.thread.messages, self.thread.answer) if self.thread else ()
        for path in (self.rows, self.explode, *self.where, *tree):
            if path and "[" in path:
                steps(path)
        if self.kind not in ("sql", "api") and not self.path:
            return f"kind {self.kind} needs path (a file or a pattern such as votes/*.csv)"
        return None

    def _meaning_problem(self) -> str | None:
        filled = self.filled
        if self.judge and not self.pairwise and not ("criterion" in filled and filled & {"score", "label"}):
            return "judge needs pairwise, or criterion with score or label for verdicts on single answers"
        if not self.judge and (said := [name for name in JUDGE_FIELDS if name in filled]):
            return f"{said[0]} is what a judge says: name it in judge"
        if not self.judge and "occurred_at" not in filled and not self.spread and not self._only_answers:
            return "no time: map occurred_at to a column, set it in constants, or give spread a start date"
        if self._only_answers and not {"answered_at", "occurred_at"} & filled and not self.spread:
            return "no time: map answered_at to a column, set it in constants, or give spread a start date"
        if not self.pairwise and not filled & {*ANSWER_TEXT, *ANSWER_KEYS, "answer_id"}:
            return "nothing says which answer a row is about: map output, or one of answer_id, request_id, message_id"
        return None

    @property
    def filled(self) -> set[str]:
        """Every field that has a column or a constant."""
        return {*self.mapping, *self.constants}

    @property
    def brings_votes(self) -> bool:
        """Whether anything in the mapping could be a vote."""
        return bool(self.pairwise) or bool(self.filled & {*VOTE_FIELDS, "kind"})

    @property
    def _only_answers(self) -> bool:
        return not self.brings_votes

    @property
    def whole_without_messages(self) -> bool:
        """Whether a row that brings no messages was all that was asked of the model: as the source says, else where
        nothing in its mapping speaks of turns or conversations."""
        if self.context is not None:
            return self.context == "full"
        return not self.filled & {"messages", "conversation_id", "turn"}

    @property
    def null_words(self) -> tuple[str, ...]:
        """What is delivered for nothing: in CSV the empty value, unless said otherwise."""
        return self.nulls if self.nulls is not None else ("",) if self.kind == "csv" else ()

    @property
    def answer_source(self) -> str:
        return self.answers or self.name

    @property
    def meaning(self) -> str:
        """A hash of everything that decides what a row becomes: changing it reads a file again."""
        described = self.model_dump(mode="json", exclude={"path", "url", "key", "since", "description"})
        return hashlib.blake2b(orjson.dumps(described, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _meanings(name: str, choices: dict[object, Scalar]) -> dict[str, Scalar]:
    """A `values` map with its words as they are compared and their meanings as the field holds them."""
    found: dict[str, Scalar] = {}
    for written, value in choices.items():
        try:
            means = meaning(FIELDS[name].kind, value, FIELDS[name].values)
        except ValueError as error:
            raise ValueError(f"{name}: {written}: {error}") from None
        found.update(dict.fromkeys(written_keys(written), means))
    return found


def _known_fields(named: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    if strange := [name for name in named if name not in allowed]:
        raise ValueError(f"{strange[0]} is no field of ours; fields: {', '.join(allowed)}")
    return named
