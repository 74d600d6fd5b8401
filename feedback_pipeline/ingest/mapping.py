"""From delivered columns to our fields, still as text: references resolved, small files joined, constants filled in."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from feedback_pipeline.ingest.fields import FIELDS, TEXT_LIMIT, Field
from feedback_pipeline.ingest.identity import content_hashes
from feedback_pipeline.ingest.paths import columns_named
from feedback_pipeline.ingest.readers.chunks import ROW, Unread, Wanted, path_expression
from feedback_pipeline.ingest.shaping import fits
from feedback_pipeline.ingest.source_entry import Always, OneHot, Pairwise, Reference, Source
from feedback_pipeline.ingest.values import constant_text
from feedback_pipeline.ingest.words import FLAGS, decimal_point

PERSON = "\x00person"
"""The voter's pseudonym, which stands in for the user id wherever an id is made from several columns."""
PEOPLE = ("user", "session", "asker")
THREAD = ("thread.messages", "thread.prompt", "thread.answer")
"""Columns made of a tree of messages (`sources.Thread`)."""
CHAT = ("chat.messages", "chat.prompt", "chat.answer")
"""Columns made of a model's input and output (`sources.Chat`)."""
SIDES = ("left", "right")
SEPARATOR = "\x1f"


def field_of(target: str) -> Field:
    """The field a target is: `model`, or `left.model` for one answer of a pair; `left.id` is an `answer_id`."""
    side, _, name = target.rpartition(".")
    return FIELDS["answer_id" if side and name == "id" else name]


def references(source: Source) -> dict[str, Reference]:
    """Every target with a column: our fields, and for a pair those of each side (`left.id`, `left.model` …)."""
    found = dict(source.mapping)
    if source.pairwise:
        for side in SIDES:
            part = source.pairwise.left if side == "left" else source.pairwise.right
            if part.id is not None:
                found[f"{side}.id"] = part.id
            found.update({f"{side}.{name}": reference for name, reference in part.mapping.items()})
    return found


def wanted_paths(source: Source, join: str | None = None) -> Wanted:
    """What to read of the source's own rows, or of one of the files it looks things up in."""
    paths: dict[str, None] = {}
    required: dict[tuple[str, ...], None] = {}
    texts: set[str] = set()
    for target, reference in references(source).items():
        own = tuple(path for path in (_within(path, source, join) for path in reference.paths) if path is not None)
        beside = [path for path in (_within(path, source, join) for path in reference.beside) if path is not None]
        paths.update(dict.fromkeys(beside))
        if any(path in made_columns(source) for path in own):
            paths.update(dict.fromkeys(own))
            continue
        paths.update(dict.fromkeys(own))
        paths.update(dict.fromkeys(other for path in own for other in columns_named(path)))
        if own and not reference.optional:
            required.update({own: None} if reference.first else {(path,): None for path in own})
        if field_of(target).is_text:
            texts.update(own)
    if join is not None:
        keys = list(source.joins[join].by.values())
    else:
        keys = [column for entry in source.joins.values() for column in entry.by]
        keys += source.pairwise.winners if source.pairwise else ()
        shape = [source.explode] if source.explode else []
        if source.thread:
            shape += [source.thread.messages, source.thread.answer]
        if source.chat:
            shape += [source.chat.input, source.chat.output]
        paths.update(dict.fromkeys((*shape, *source.where)))
        required.update({(path,): None for path in shape})
    paths.update(dict.fromkeys(keys))
    required.update({(key,): None for key in keys})
    return Wanted(tuple(paths), tuple(required), frozenset(texts))


def made_columns(source: Source) -> tuple[str, ...]:
    """The columns that the source's shaping makes, which no file has."""
    return (*(THREAD if source.thread else ()), *(CHAT if source.chat else ()))


def _within(path: str, source: Source, join: str | None) -> str | None:
    """The path inside the rows of the source (or of a joined file); None if it is not there."""
    head, dot, rest = path.partition(".")
    if head in source.joins and dot:
        return rest if head == join else None
    return path if join is None else None


@dataclass(frozen=True)
class Delivered:
    """Delivered rows as text: ROW and one column a path; and the rows with a value that must be text and is none."""

    frame: pl.DataFrame
    unread: tuple[Unread, ...]


def as_text(frame: pl.DataFrame, wanted: Wanted, nulls: tuple[str, ...]) -> Delivered:
    """Delivered columns of any type as text, a column a path; lists and structures become JSON."""
    columns = [name for name in frame.columns if name != ROW]
    values = []
    for path in wanted.paths:
        value = path_expression(path, columns, frame.schema)
        values.append((pl.lit(None, pl.String) if value is None else value).alias(path))
    found = frame.select(ROW, *values)
    unread: dict[int, Unread] = {}
    for path in sorted(wanted.texts):
        if found.schema[path].is_numeric() or found.schema[path] == pl.Boolean:
            for row in found.filter(pl.col(path).is_not_null())[ROW]:
                unread.setdefault(row, Unread(row, "not_text", path))
    texts = found.select(ROW, *(_text(name, dtype) for name, dtype in found.schema.items() if name != ROW))
    texts = _clipped(texts)
    cleaned = pl.exclude(ROW).str.replace_all("\0", "\ufffd", literal=True)
    texts = texts.with_columns(cleaned)
    if nulls:
        kept = pl.exclude(ROW)
        texts = texts.with_columns(pl.when(~kept.is_in(list(nulls))).then(kept).name.keep())
    return Delivered(texts, tuple(unread.values()))


def _clipped(texts: pl.DataFrame) -> pl.DataFrame:
    """The texts, of those that no field takes only so much as shows that: each step after this one makes copies."""
    sizes = texts.select(pl.exclude(ROW).str.len_bytes().max()).row(0, named=True)
    long = [name for name, size in sizes.items() if size is not None and size > TEXT_LIMIT]
    return texts.with_columns(pl.col(name).str.slice(0, TEXT_LIMIT + 1) for name in long)


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if dtype == pl.String:
        return value
    if isinstance(dtype, pl.Struct):
        return pl.when(value.is_not_null()).then(value.struct.json_encode()).alias(name)
    if isinstance(dtype, pl.List | pl.Array):
        return pl.struct(value.alias("x")).struct.json_encode().str.json_path_match("$.x").alias(name)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
        return value.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
    if dtype.is_float():
        return value.fill_nan(None).cast(pl.String)
    if isinstance(dtype, pl.Duration):
        return (value.dt.total_microseconds() / 1000).cast(pl.String).alias(name)
    if dtype == pl.Binary:
        return _bytes_text(value).alias(name)
    return value.cast(pl.String)


def _bytes_text(value: pl.Expr) -> pl.Expr:
    """Bytes as the text they are, else in hexadecimal digits."""

    def text(values: pl.Series) -> pl.Series:
        return pl.Series([None if one is None else _one_text(one) for one in values], dtype=pl.String)

    return value.map_batches(text, return_dtype=pl.String, is_elementwise=True)


def _one_text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return value.hex() if any(character < " " and character not in "\t\n\r" for character in text) else text


def with_joins(frame: pl.DataFrame, source: Source, lookups: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows with the columns of the files they are looked up in, named `<join>.<column>`; null without a match."""
    for name, lookup in lookups.items():
        by = source.joins[name].by
        frame = frame.join(
            lookup, left_on=list(by), right_on=[f"{name}.{column}" for column in by.values()], how="left",
            maintain_order="left", coalesce=False,
        )  # fmt: skip
    return frame


def lookup_table(delivered: pl.DataFrame, source: Source, join: str) -> pl.DataFrame:
    """A joined file's rows under the names mappings use, one a key: the first."""
    keys = [f"{join}.{column}" for column in source.joins[join].by.values()]
    named = delivered.drop(ROW).rename(lambda column: f"{join}.{column}")
    return named.drop_nulls(keys).unique(keys, keep="first", maintain_order=True)


def people(frame: pl.DataFrame, source: Source, annotator: str | None) -> pl.DataFrame:
    """Who is behind each row: `tenant`, `user`, `session` and `asker` as delivered."""
    chosen = {name: _value(name, source, frame) for name in ("tenant", *PEOPLE)}
    if annotator is not None:
        chosen["user"] = pl.lit(annotator)
    tenant = chosen["tenant"].str.strip_chars()
    tenant = pl.when(tenant != "").then(tenant).fill_null(source.tenant)
    return frame.select(ROW, tenant.alias("tenant"), *(chosen[name].alias(name) for name in PEOPLE)).drop(ROW)


def mapped(frame: pl.DataFrame, source: Source, annotator: str | None) -> pl.DataFrame:
    """Our fields as text under their names (`left.model` for those of a side), ROW, and `winner` of a pair.

    Args:
        frame: delivered text with PERSON, the voter's pseudonym.
        annotator: of a row with several annotators, the one whose vote this is.
    """
    targets = {
        **{name: None for name in source.constants if name not in ("tenant", *PEOPLE)},
        **{name: reference for name, reference in references(source).items() if name not in ("tenant", *PEOPLE)},
    }
    values = [
        _value(target, source, frame).alias(target) if target not in targets or targets[target] is None
        else _reference(targets[target], target, source, frame).alias(target)
        for target in targets
    ]  # fmt: skip
    if source.pairwise:
        values.append(_winner(source.pairwise, annotator).alias("winner"))
    fields = frame.select(ROW, *values)
    hashed = [target for target, reference in targets.items() if reference is not None and reference.hash]
    return fields.with_columns(content_hashes(fields[target]).alias(target) for target in hashed)


def _winner(pairwise: Pairwise, annotator: str | None) -> pl.Expr:
    """Which side won, as delivered."""
    match pairwise.winner:
        case Always(always=side):
            return pl.lit(side, pl.String)
        case OneHot(left=left, right=right):
            truths = [(left, "left"), (right, "right"), *((tie, "tie") for tie in pairwise.winner.ties)]
            return pl.coalesce(pl.when(_is_true(column)).then(pl.lit(side)) for column, side in truths)
        case _:
            return pl.col(annotator or pairwise.winners[0])


def _is_true(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().str.to_lowercase().is_in([word for word, said in FLAGS.items() if said])


def _value(target: str, source: Source, frame: pl.DataFrame) -> pl.Expr:
    reference = references(source).get(target)
    if reference is not None:
        return _reference(reference, target, source, frame)
    if target in source.constants and source.constants[target] is not None:
        return pl.lit(constant_text(source.constants[target]), pl.String)
    return pl.lit(None, pl.String)


def _reference(reference: Reference | None, target: str, source: Source, frame: pl.DataFrame) -> pl.Expr:
    assert reference is not None
    is_id = field_of(target).kind == "id"
    user = source.mapping.get("user")
    user_paths = set(user.paths) if user is not None and is_id and target not in PEOPLE else set()
    parts = [_path(path, frame, user_paths) for path in reference.paths]
    if reference.column:
        value = parts[0]
    elif reference.first:
        value = pl.coalesce(pl.when(part.str.strip_chars() != "").then(part) for part in parts)
    elif reference.hash:
        whole = pl.concat_str([part.fill_null("\0") for part in parts], separator=SEPARATOR)
        value = pl.when(pl.any_horizontal(part.is_not_null() for part in parts)).then(whole)
    elif is_id:
        value = pl.concat_str(parts, separator=reference.join)
    else:
        held = [pl.when(part.str.strip_chars() != "").then(part) for part in parts]
        value = pl.when(pl.any_horizontal(part.is_not_null() for part in held)).then(
            pl.concat_str(held, separator=reference.join, ignore_nulls=True)
        )
    if reference.split is not None and reference.part is not None:
        value = value.str.split(reference.split).list.get(reference.part, null_on_oob=True)
    if reference.scale is not None:
        value = (decimal_point(value).cast(pl.Float64, strict=False) * reference.scale).cast(pl.String)
    if reference.when:
        meant = pl.all_horizontal(fits(pl.col(path), condition) for path, condition in reference.when.items())
        value = pl.when(meant).then(value)
        if reference.otherwise:
            value = value.otherwise(_path(reference.otherwise, frame, user_paths))
    return value


def _path(path: str, frame: pl.DataFrame, user_paths: set[str]) -> pl.Expr:
    return pl.col(PERSON) if path in user_paths and PERSON in frame.columns else pl.col(path)
