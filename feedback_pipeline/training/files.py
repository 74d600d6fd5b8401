"""Training files on disk or in a bucket: byte-identical for the same inputs, never half written."""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
from upath import UPath

from feedback_pipeline.tables.parquet import names_in, remove_file, replaced_file
from feedback_pipeline.training.companions import dataset_card, dataset_info
from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.formats import FORMATS, Format
from feedback_pipeline.training.layouts import Layout, Layouts
from feedback_pipeline.training.pairs import Pairs
from feedback_pipeline.training.tables import CONTEXTS, SPLITS
from feedback_pipeline.training.validators import Validation, WhileWriting
from feedback_pipeline.training.weights import RECOMMENDED, WeightPolicy

_BLOCK = 16_000
"""Lines joined at a time: few enough for the processor's caches."""

_DESCRIBED = 3
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FORMULA = r"^[=+\-@\t\r\n|%]"

_LAST_QUESTION = (
    pl.col("messages")
    .str.json_decode(pl.List(pl.Struct({"role": pl.String, "content": pl.String})))
    .list.eval(pl.element().filter(pl.element().struct.field("role") == "user").struct.field("content"))
    .list.last()
    .alias("prompt")
)


@dataclass(frozen=True)
class WrittenFile:
    """One file of a dataset.

    Attributes:
        name: path within the dataset's folder.
        format: name of the format, or what companion it is.
        split: train, validation, holdout or all.
        context: full, partial or all.
        layout: sequence of lines it shares with other files; None for companions.
        lines: lines (rows of a table).
        examples: different rows behind the lines.
        skipped: rows of its task that the format cannot express.
        bytes: size.
        sha256: of the bytes.
        problem_count: breaches of the format's rules (see `validators`); 0 where it has none.
        problems: the first of them: file, line and field.
    """

    name: str
    format: str
    split: str
    context: str
    layout: str | None
    lines: int
    examples: int
    skipped: int
    bytes: int
    sha256: str
    problem_count: int = 0
    problems: Sequence[str] = ()


def write_files(
    curated: Curated,
    pairs: Pairs,
    folder: Path | UPath,
    formats: Sequence[str] = tuple(FORMATS),
    policy: WeightPolicy = RECOMMENDED,
    licence: str = "proprietary",
    cases: pl.DataFrame | None = None,
) -> list[WrittenFile]:
    """Writes the files of the named formats below `folder` and checks them against their formats' rules on the way.

    Files that would be empty are removed instead; so are those of formats that are not asked for, because they would
    not follow an erasure.

    Args:
        curated: the examples.
        pairs: the preference pairs.
        folder: local folder or bucket (any UPath).
        formats: names in FORMATS.
        policy: what examples weigh.
        licence: what the dataset card says.
        cases: the regression suite (REGRESSION_CASES); by default the failures of this window alone.

    Raises:
        KeyError: a format does not exist.
    """
    chosen = [FORMATS[name] for name in formats]
    root = UPath(folder)
    layouts = Layouts(curated, pairs.pairs, policy, cases)
    targets = [_Target(root, format_, layout) for format_ in chosen for layout in layouts.of(format_)]
    filled = [target for target in targets if not target.layout.lines.is_empty()]
    _remove_others(root, {target.name for target in filled})
    found: dict[str, WrittenFile] = {}
    for group in _with_the_same_lines(filled):
        for target, size, sha256, checked in _write(group, layouts):
            found[target.name] = target.written(layouts, size, sha256, checked)
    written = [found[target.name] for target in filled]
    return written + _companions(root, written, curated, policy, licence)


@dataclass(frozen=True)
class _Target:
    """A file to be written: a format's share of a layout."""

    root: UPath
    format: Format
    layout: Layout

    @property
    def name(self) -> str:
        return file_name(self.format, self.layout.split, self.layout.context)

    def written(self, layouts: Layouts, size: int, sha256: str, checked: Validation | None) -> WrittenFile:
        layout = self.layout
        return WrittenFile(
            name=self.name,
            format=self.format.name,
            split=layout.split,
            context=layout.context,
            layout=layout.name,
            lines=layout.lines.height,
            examples=layout.examples,
            skipped=layouts.skipped(self.format, layout.split, layout.context),
            bytes=size,
            sha256=sha256,
            problem_count=checked.problem_count if checked else 0,
            problems=tuple(str(problem) for problem in checked.problems[:_DESCRIBED]) if checked else (),
        )


def with_last_question(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `prompt`, what the user said last in `messages`."""
    return rows.with_columns(_LAST_QUESTION)


def file_name(format_: Format, split: str, context: str) -> str:
    """The path of a file within its dataset's folder."""
    partial = "-partial" if context == "partial" else ""
    part = "" if format_.one_file else f"-{split}"
    return f"{format_.folder}/{format_.stem}{partial}{part}.{format_.suffix}"


def _remove_others(root: UPath, staying: set[str]) -> None:
    """Removes the files of earlier writes that are not written now."""
    possible = {
        file_name(format_, split, context)
        for format_ in FORMATS.values()
        for split in (("all",) if format_.one_file else SPLITS)
        for context in (("all",) if format_.one_file else CONTEXTS)
    }
    for folder in sorted({format_.folder for format_ in FORMATS.values()}):
        for file in names_in(root / folder):
            name = f"{folder}/{file}"
            if name in possible and name not in staying:
                remove_file(root / folder / file)


def _with_the_same_lines(targets: Sequence[_Target]) -> list[list[_Target]]:
    """The targets in groups whose lines are the same bytes: they are joined once."""
    groups: dict[object, list[_Target]] = {}
    for target in targets:
        joined = target.format.line is not None
        same = (id(target.format.line), id(target.layout.lines)) if joined else target.name
        groups.setdefault(same, []).append(target)
    return list(groups.values())


def _write(group: Sequence[_Target], layouts: Layouts) -> Iterator[tuple[_Target, int, str, Validation | None]]:
    """Writes files of the same lines; gives each with its size, SHA-256 and validation."""
    with ExitStack() as stack:
        open_files = [_OpenFile(target, layouts, stack) for target in group]
        for lines, content in _blocks(group[0].format, group[0].layout):
            for file in open_files:
                file.take(lines, _wrapped(lines, file.target.format) or content)
    for file in open_files:
        yield file.target, file.size, file.sha256.hexdigest(), file.validation()


class _OpenFile:
    """A file while it is written."""

    def __init__(self, target: _Target, layouts: Layouts, stack: ExitStack) -> None:
        self.target = target
        self.size = 0
        self.sha256 = hashlib.sha256()
        self._handle = stack.enter_context(replaced_file(target.root / target.name))
        self._vouched = layouts.vouched(target.format, target.layout)
        self._check = WhileWriting(target.name, target.format) if target.format.rules else None
        self._lines = 0
        if target.format.byte_order_mark:
            self._put(memoryview(_BYTE_ORDER_MARK))

    def take(self, lines: pl.Series | None, content: memoryview) -> None:
        if self._check is not None and lines is not None:
            self._check.read(lines, self._vouched[self._lines : self._lines + len(lines)], content)
            self._lines += len(lines)
        self._put(content)

    def _put(self, content: memoryview) -> None:
        self.sha256.update(content)
        self._handle.write(content)
        self.size += len(content)

    def validation(self) -> Validation | None:
        return None if self._check is None else self._check.outcome(self.size)


def _blocks(format_: Format, layout: Layout) -> Iterator[tuple[pl.Series | None, memoryview]]:
    """Lines and their bytes, block by block; a table has no lines."""
    if format_.line is None:
        yield from ((None, block) for block in _table(format_, layout))
        return
    columns = set(format_.line.meta.root_names()) - {"prompt"} | {"messages"}
    for part in layout.blocks(_BLOCK, sorted(columns)):
        block = with_last_question(part) if format_.task == "cases" else part
        lines = block.select(format_.line).to_series()
        yield lines, _bytes(lines)


def _wrapped(lines: pl.Series | None, format_: Format) -> memoryview | None:
    """The bytes of lines as a format wraps them; None where it takes them as they are."""
    if lines is None or format_.wrap is None:
        return None
    return _bytes(lines.to_frame("line").select(format_.wrap(pl.col("line"))).to_series())


def _bytes(lines: pl.Series) -> memoryview:
    """The UTF-8 of all strings, one after the other, without building a Python string for each."""
    array = lines.rechunk().to_arrow().cast(pa.large_string())
    _, offsets, content = array.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(content)[ends[array.offset] : ends[array.offset + len(array)]]


def _table(format_: Format, layout: Layout) -> Iterator[memoryview]:
    if format_.suffix == "parquet":
        buffer = io.BytesIO()
        whole = layout.source.with_columns(layout.lines["weight"])
        whole.write_parquet(buffer, compression="zstd", statistics=False)
        yield buffer.getbuffer()
        return
    for number, part in enumerate(layout.blocks(_BLOCK, layout.source.columns)):
        text = part.select(_LAST_QUESTION, pl.all()).with_columns(pl.col(pl.List(pl.String)).list.join(" "))
        yield memoryview(text.with_columns(_defused(text)).write_csv(include_header=number == 0).encode())


def _defused(frame: pl.DataFrame) -> list[pl.Expr]:
    """Text a spreadsheet would run as a formula, with an apostrophe before it (OWASP, CSV injection)."""
    return [
        pl.when(pl.col(name).str.contains(_FORMULA)).then(pl.lit("'") + pl.col(name)).otherwise(name).alias(name)
        for name, dtype in frame.schema.items()
        if dtype == pl.String
    ]


def _companions(
    root: UPath, written: list[WrittenFile], curated: Curated, policy: WeightPolicy, licence: str
) -> list[WrittenFile]:
    """What LLaMA-Factory and `datasets` need beside the lines."""
    made: list[WrittenFile] = []
    llama = [file for file in written if file.format.startswith("llama_factory")]
    hub = [file for file in written if file.format.startswith("trl")]
    places = {(file.format, file.split, file.context): (file.name.split("/", 1)[1], file.lines) for file in llama + hub}
    for name, kind, present, text in (
        ("llama_factory/dataset_info.json", "dataset_info", llama, dataset_info(places)),
        ("trl/README.md", "dataset_card", hub, dataset_card(places, curated, policy.name, licence)),
    ):
        target = root / name
        if not present:
            remove_file(target)
            continue
        with replaced_file(target) as handle:
            handle.write(text)
        digest = hashlib.sha256(text).hexdigest()
        lines = text.count(b"\n")
        made.append(WrittenFile(name, kind, "all", "all", None, lines, 0, 0, len(text), digest))
    return made


def total(files: Iterable[WrittenFile]) -> tuple[int, int]:
    """Lines and bytes of files."""
    sizes = [(file.lines, file.bytes) for file in files]
    return sum(lines for lines, _ in sizes), sum(size for _, size in sizes)
