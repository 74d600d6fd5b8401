"""Training files on disk or in a bucket: byte-identical for the same inputs, never half written."""

import hashlib
import io
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
from upath import UPath

from feedback_pipeline.training.companions import dataset_card, dataset_info
from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.formats import FORMATS, Format
from feedback_pipeline.training.layouts import Layout, Layouts
from feedback_pipeline.training.pairs import Pairs
from feedback_pipeline.training.weights import RECOMMENDED, WeightPolicy

_BLOCK = 50_000
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


def write_files(
    curated: Curated,
    pairs: Pairs,
    folder: Path | UPath,
    formats: Sequence[str] = tuple(FORMATS),
    policy: WeightPolicy = RECOMMENDED,
    licence: str = "proprietary",
) -> list[WrittenFile]:
    """Writes the files of the named formats below `folder`; files that would be empty are removed instead.

    Args:
        curated: the examples.
        pairs: the preference pairs.
        folder: local folder or bucket (any UPath).
        formats: names in FORMATS.
        policy: what examples weigh.
        licence: what the dataset card says.

    Raises:
        KeyError: a format does not exist.
    """
    chosen = [FORMATS[name] for name in formats]
    layouts = Layouts(curated, pairs.pairs, policy)
    root = UPath(folder)
    written: list[WrittenFile] = []
    for format_ in chosen:
        for layout in layouts.of(format_):
            partial = "-partial" if layout.context == "partial" else ""
            split = "" if format_.one_file else f"-{layout.split}"
            target = root / format_.folder / f"{format_.stem}{partial}{split}.{format_.suffix}"
            if layout.lines.is_empty():
                target.unlink(missing_ok=True)
                continue
            skipped = layouts.skipped(format_, layout.split, layout.context)
            written.append(_write(format_, layout, target, root, skipped))
    return written + _companions(root, written, curated, policy, licence)


def _write(format_: Format, layout: Layout, target: UPath, root: UPath, skipped: int) -> WrittenFile:
    digest = hashlib.sha256()
    size = 0
    with _published(target) as handle:
        for block in _blocks(format_, layout):
            digest.update(block)
            handle.write(block)
            size += len(block)
    return WrittenFile(
        name=target.relative_to(root).as_posix(),
        format=format_.name,
        split=layout.split,
        context=layout.context,
        layout=layout.name,
        lines=layout.lines.height,
        examples=layout.examples,
        skipped=skipped,
        bytes=size,
        sha256=digest.hexdigest(),
    )


def _blocks(format_: Format, layout: Layout) -> Iterator[memoryview]:
    if format_.byte_order_mark:
        yield memoryview(_BYTE_ORDER_MARK)
    if format_.line is None:
        yield from _table(format_, layout)
        return
    columns = set(format_.line.meta.root_names()) - {"prompt"} | {"messages"}
    for part in layout.blocks(_BLOCK, sorted(columns)):
        block = part.with_columns(_LAST_QUESTION) if format_.task == "cases" else part
        yield _bytes(block.select(format_.line).to_series())


def _bytes(lines: pl.Series) -> memoryview:
    """The UTF-8 of all strings, one after the other, without building a Python string for each."""
    array = pa.concat_arrays([lines.rechunk().to_arrow().cast(pa.large_string())])
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
            target.unlink(missing_ok=True)
            continue
        with _published(target) as handle:
            handle.write(text)
        digest = hashlib.sha256(text).hexdigest()
        lines = text.count(b"\n")
        made.append(WrittenFile(name, kind, "all", "all", None, lines, 0, 0, len(text), digest))
    return made


@contextmanager
def _published(target: UPath) -> Iterator[IO[bytes]]:
    """A file that appears under its name whole or not at all.

    A local file is written beside its place and renamed; an object store shows an object only once it is closed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.protocol not in ("", "file"):
        with target.open("wb") as handle:
            yield handle
        return
    final = Path(target.path)
    draft = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    try:
        with draft.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)


def total(files: Iterable[WrittenFile]) -> tuple[int, int]:
    """Lines and bytes of files."""
    sizes = [(file.lines, file.bytes) for file in files]
    return sum(lines for lines, _ in sizes), sum(size for _, size in sizes)
