"""The manifest of a dataset: everything it is made of, and which line came from which vote."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import orjson
import polars as pl

from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.files import WrittenFile
from feedback_pipeline.training.formats import FORMATS
from feedback_pipeline.training.layouts import Layouts
from feedback_pipeline.training.pairs import Pairs
from feedback_pipeline.training.tables import LINEAGE
from feedback_pipeline.training.tokens import TOKENIZER
from feedback_pipeline.training.weights import (
    MIN_EFFECTIVE_SHARE,
    RECOMMENDED,
    WeightPolicy,
    effective_sample_size,
    kto_weights,
    policy_weight,
)

SPECIFICATION = 1
_COUNTED_BY = ("split", "label", "kind", "context", "provenance", "shape", "intent", "language", "model")


@dataclass(frozen=True)
class Manifest:
    """A dataset's description.

    Attributes:
        dataset_id: SHA-256 of the canonical JSON of `content`.
        content: what the dataset is made of: ids, numbers, dimension values and our own words; no user text.
    """

    dataset_id: str
    content: dict[str, Any]

    def to_json(self) -> bytes:
        """The file: canonical JSON (sorted keys), so that the same dataset gives the same bytes."""
        return canonical_json({"dataset_id": self.dataset_id, "content": self.content})


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def build_manifest(
    curated: Curated,
    pairs: Pairs,
    files: Sequence[WrittenFile],
    policy: WeightPolicy,
    *,
    inputs: Mapping[str, str],
    evaluation_hashes: pl.Series | None = None,
    code_version: str,
    licence: str,
    tokens: Mapping[str, float] | None = None,
    previous: str | None = None,
) -> Manifest:
    """Describes a dataset.

    Args:
        curated: the examples.
        pairs: the preference pairs.
        files: what was written.
        policy: the weights used.
        inputs: name of each input (asset and partition, source, …) → its data version.
        evaluation_hashes: the prompts kept apart.
        code_version: version of this program.
        licence: licence or consent basis of the data.
        tokens: token totals, where counted.
        previous: dataset_id of the dataset this one follows.
    """
    settings = asdict(curated.settings)
    secret = settings.pop("key")
    first = curated.window_end - timedelta(days=7 * curated.settings.window_weeks - 1)
    content = {
        "specification": SPECIFICATION,
        "code_version": code_version,
        "licence": licence,
        "previous": previous,
        "window": {"first": first.isoformat(), "last": curated.window_end.isoformat()},
        "inputs": dict(inputs),
        "rules": settings,
        "key_fingerprint": hashlib.blake2b(secret.encode(), digest_size=4, person=b"fingerprint").hexdigest(),
        "policy": asdict(policy),
        "warnings": [*policy.warnings, *_warnings(curated, policy)],
        "evaluation_prompts": _hash_set(evaluation_hashes),
        "funnel": pl.concat([curated.funnel, pairs.funnel]).sort("stage", "position").to_dicts(),
        "counts": {column: _counts(curated.examples, column) for column in _COUNTED_BY},
        "counts_in_train": _train_counts(curated.examples),
        "pairs": {column: _counts(pairs.pairs, column) for column in ("split", "origin")},
        "weights": _weights(curated, policy),
        "kto": asdict(_kto(curated.examples)),
        "overlap": asdict(curated.overlap),
        "person_cap": curated.person_cap,
        "tokenizer": TOKENIZER,
        "tokens": dict(tokens or {}),
        "files": [_file(file) for file in sorted(files, key=lambda file: file.name)],
    }
    return Manifest(hashlib.sha256(canonical_json(content)).hexdigest(), content)


_LINES_AT_A_TIME = 100_000


@dataclass(frozen=True)
class Lines:
    """The lines of a dataset, and what their rows came from: apart, as a row is on several lines.

    Attributes:
        layouts: of each layout its lines in order: dataset_id, layout, line, row_id, copy, weight; and `place`, the row
            of `origin` it is about.
        origin: by row_id the interaction_ids and feedback_ids.
    """

    layouts: Sequence[pl.DataFrame]
    origin: pl.DataFrame

    def frames(self) -> Iterator[pl.DataFrame]:
        """The lines with what they came from (LINEAGE), some at a time; at least one frame, if empty."""
        if not self.layouts:
            yield LINEAGE.empty()
        ids = self.origin.select("interaction_ids", "feedback_ids").rechunk()
        for lines in self.layouts:
            for part in lines.iter_slices(_LINES_AT_A_TIME):
                yield LINEAGE.conform(part.drop("place").hstack(ids[part["place"]]))

    def rows(self) -> pl.DataFrame:
        """Each row that is on a line, by row_id: its interaction_ids, feedback_ids, weight and number of `lines`."""
        weighed = [lines.select("place", "weight") for lines in self.layouts]
        if not weighed:
            return LINEAGE.empty().select("row_id", "interaction_ids", "feedback_ids", "weight", lines=pl.lit(0))
        counted = pl.concat(weighed).group_by("place").agg(pl.col("weight").first(), lines=pl.len().cast(pl.Int32))
        told = self.origin[counted["place"]].hstack(counted.drop("place"))
        return told.select("row_id", "interaction_ids", "feedback_ids", "weight", "lines").sort("row_id")


def lineage(
    dataset_id: str,
    files: Sequence[WrittenFile],
    curated: Curated,
    pairs: Pairs,
    policy: WeightPolicy = RECOMMENDED,
    cases: pl.DataFrame | None = None,
) -> Lines:
    """Every line of every layout and the votes behind it.

    The layouts are made again from the same rows, policy and regression suite, which gives the same lines.
    """
    columns = ("row_id", "interaction_ids", "feedback_ids")
    identity = ("example_id", "interaction_id", "feedback_ids")
    carried = [] if cases is None else [cases.select(identity)]
    examples = (
        pl.concat([curated.examples.select(identity), *carried])
        .unique("example_id", keep="first", maintain_order=True)
        .select(pl.col("example_id").alias("row_id"), pl.concat_list("interaction_id").alias("interaction_ids"),
                "feedback_ids")
    )  # fmt: skip
    compared = pairs.pairs.select(
        pl.col("pair_id").alias("row_id"),
        pl.concat_list("chosen_interaction_id", "rejected_interaction_id").list.unique().list.sort().alias(
            "interaction_ids"
        ),
        "feedback_ids",
    )  # fmt: skip
    origin = pl.concat([examples.select(columns), compared.select(columns)])
    layouts = Layouts(curated, pairs.pairs, policy, cases)
    formats = {FORMATS[file.format].name for file in files if file.layout is not None}
    used = {file.layout for file in files}
    sequences = {layout.name: layout for name in sorted(formats) for layout in layouts.of(FORMATS[name])}
    # looked up once for each source, not for each line
    sources = {id(layout.source): layout.source for layout in sequences.values()}
    places = {number: _places(source, origin) for number, source in sources.items()}
    lines = [
        layout.lines.select("row", "row_id", "copy", "weight")
        .with_row_index("line", offset=1)
        .select(
            pl.lit(dataset_id).alias("dataset_id"), pl.lit(name).alias("layout"), "line", "row_id", "copy", "weight",
            place=places[id(layout.source)][layout.lines["row"]],
        )
        for name, layout in sorted(sequences.items())
        if name in used
    ]  # fmt: skip
    return Lines(lines, origin)


def _places(source: pl.DataFrame, origin: pl.DataFrame) -> pl.Series:
    """For each row of a layout's source, the row of `origin` that is about it."""
    ids = source.select(row_id="pair_id" if "pair_id" in source.columns else "example_id")
    known = origin.select("row_id").with_row_index("place")
    return ids.join(known, on="row_id", how="left", maintain_order="left")["place"]


def _warnings(curated: Curated, policy: WeightPolicy) -> list[str]:
    numbers = _weights(curated, policy)
    share = numbers["effective_share"]
    if share is not None and share < MIN_EFFECTIVE_SHARE:
        return [f"effective sample size is {share:.0%} of the examples, below {MIN_EFFECTIVE_SHARE:.0%}"]
    return []


def _weights(curated: Curated, policy: WeightPolicy) -> dict[str, Any]:
    train = curated.examples.filter(pl.col("split") == "train").select(weight=policy_weight(policy)).to_series()
    used = train.filter(train > 0)
    effective = effective_sample_size(used)
    return {
        "quantum": curated.quantum,
        "examples": len(used),
        "effective_sample_size": round(effective, 2),
        "effective_share": round(effective / len(used), 4) if len(used) else None,
    }


def _kto(examples: pl.DataFrame) -> Any:
    train = examples.filter(pl.col("split") == "train")["label"]
    desirable = int(train.sum())
    return kto_weights(desirable, len(train) - desirable)


def _hash_set(hashes: pl.Series | None) -> dict[str, Any]:
    if hashes is None:
        return {"count": None, "sha256": None}
    distinct = hashes.unique().sort()
    listed = "\n".join(str(value) for value in distinct.to_list())
    return {"count": len(distinct), "sha256": hashlib.sha256(listed.encode()).hexdigest()}


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counted = frame.group_by(pl.col(column).cast(pl.String).fill_null("unknown").alias("value")).len().sort("value")
    return dict(counted.iter_rows())


def _train_counts(examples: pl.DataFrame) -> dict[str, int]:
    train = examples.filter(pl.col("split") == "train")["label"]
    return {"desirable": int(train.sum()), "undesirable": len(train) - int(train.sum())}


def _file(file: WrittenFile) -> dict[str, Any]:
    format_ = FORMATS.get(file.format)
    return {
        "name": file.name,
        "format": file.format,
        "accepted_by": list(format_.accepted_by) if format_ else [],
        "split": file.split,
        "context": file.context,
        "layout": file.layout,
        "lines": file.lines,
        "examples": file.examples,
        "skipped": file.skipped,
        "bytes": file.bytes,
        "sha256": file.sha256,
    }
