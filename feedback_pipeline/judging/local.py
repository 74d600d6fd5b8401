"""The judge that needs no key: a text classifier trained on the votes of earlier weeks.

Naive Bayes on hashed words and word pairs of prompt and answer, its margin mapped to a probability by a logistic
curve fitted on cross-fitted margins (Platt 1999). Everything it claims about itself is held out by prompt: a prompt's
answers are never on both sides. It is no authority; calibration says what it is worth.
"""

import io
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy

from feedback_pipeline.judging.correction import Accuracy, accuracy
from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.llm.fingerprints import content_hash
from feedback_pipeline.stats.estimates import FloatArray, Result, clustered_proportion

FORMAT = 1
ANSWER_BITS = 17
PROMPT_BITS = 15
FEATURES = 2**ANSWER_BITS + 2**PROMPT_BITS
CHUNK = 20_000
FOLDS = 5
SMOOTHING = 1.0
NOISE = 2.0
"""A feature counts where its log-odds are this many standard errors from none: most word pairs are noise."""

PLATT_RIDGE = 1e-3

MIN_LABELS = 200
MIN_PER_CLASS = 40
MAX_LABELS = 60_000
"""More votes change little and cost 30 µs each; a hash-stable subset is used."""

VOTES_PER_PERSON = 20
SHARE_PER_PERSON = 0.01
"""One person teaches the judge at most the larger of these two."""

NAME = "local"


@dataclass(frozen=True)
class NotEnoughLabels:
    """No judge was trained, because there are too few votes, or too few of one kind."""

    ups: int
    downs: int
    prompts: int
    reason: Literal["not_enough_labels", "labels_of_one_class_only", "too_few_prompts"] = "not_enough_labels"


@dataclass(frozen=True)
class HeldOut:
    """What the judge scored on votes it had not seen, cross-fitted by prompt."""

    agreement: Result
    accuracy: Accuracy
    labels: int
    prompts: int


@dataclass(frozen=True)
class LocalJudge:
    """A trained classifier: probability that a person would vote the answer up."""

    weights: npt.NDArray[np.float32]
    """Log-odds per hashed feature."""
    intercept: float
    slope: float
    threshold: float
    """Score from which the verdict is up: the one with the best sensitivity + specificity, held out."""
    fingerprint: str
    held_out: HeldOut | None = None
    """Known where the judge was trained in this process, not where it was read back."""

    def score(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Scores answers.

        Args:
            texts: `prompt` and `answer`.

        Returns:
            The same rows in the same order: `score` (0–1) and `verdict` (up or down).
        """
        margins = [_margin(features, self.weights) for features in _chunks(texts)]
        margin = np.concatenate([np.empty(0), *margins])
        scores = _sigmoid(self.intercept + self.slope * margin)
        return pl.DataFrame({"score": scores}).select(
            "score",
            pl.when(pl.col("score") >= self.threshold).then(pl.lit("up")).otherwise(pl.lit("down")).alias("verdict"),
        )

    def to_bytes(self) -> bytes:
        """The judge as a NumPy archive of plain arrays."""
        used = np.flatnonzero(self.weights)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            format=np.int64(FORMAT),
            features=used.astype(np.int32),
            weights=self.weights[used],
            curve=np.array([self.intercept, self.slope, self.threshold]),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "LocalJudge":
        """Reads what `to_bytes` wrote.

        Raises:
            ValueError: another format, or not such an archive.
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if int(archive["format"]) != FORMAT:
                raise ValueError(f"local judge of format {int(archive['format'])}, this version reads {FORMAT}")
            weights = np.zeros(FEATURES, dtype=np.float32)
            weights[archive["features"]] = archive["weights"]
            intercept, slope, threshold = (float(value) for value in archive["curve"])
        return cls(weights, intercept, slope, threshold, _fingerprint(weights, intercept, slope, threshold))


def train_local(texts: pl.DataFrame, *, seed: str = "local") -> LocalJudge | NotEnoughLabels:
    """Trains the judge.

    Args:
        texts: one row per vote: `prompt`, `answer`, `verdict` (rows other than up and down are ignored), and where
            known `voter`, by which votes are capped.
        seed: decides folds and which votes are used where there are more than needed.
    """
    labelled = _labelled(texts, seed)
    up = (labelled["verdict"] == "up").to_numpy()
    ups, downs = int(up.sum()), int((~up).sum())
    prompts = labelled["prompt"].n_unique()
    if ups == 0 or downs == 0:
        few = len(up) < MIN_LABELS
        return NotEnoughLabels(ups, downs, prompts, "not_enough_labels" if few else "labels_of_one_class_only")
    if ups + downs < MIN_LABELS or min(ups, downs) < MIN_PER_CLASS:
        return NotEnoughLabels(ups, downs, prompts)
    if prompts < 2 * FOLDS:
        return NotEnoughLabels(ups, downs, prompts, "too_few_prompts")
    group = text_hash(labelled["prompt"].str.to_lowercase(), seed)
    features = scipy.sparse.vstack(list(_chunks(labelled)), format="csr")
    counts = _fold_counts(features, up, group % np.uint64(FOLDS))
    margins = _held_out_margins(features, counts, group % np.uint64(FOLDS))
    intercept, slope = _platt(margins, up)
    scores = _sigmoid(intercept + slope * margins)
    threshold = _best_threshold(scores, up)
    weights = _log_odds(counts.sum(axis=0))
    judged = scores >= threshold
    held_out = HeldOut(
        clustered_proportion((judged == up).astype(np.float64), group.astype(np.int64), "held_out_agreement"),
        accuracy(judged, up, group.astype(np.int64)),
        len(up),
        prompts,
    )
    mark = _fingerprint(weights, intercept, slope, threshold)
    return LocalJudge(weights, intercept, slope, threshold, mark, held_out)


def _fingerprint(weights: npt.NDArray[np.float32], intercept: float, slope: float, threshold: float) -> str:
    curve = [FORMAT, intercept, slope, threshold, weights.tobytes().hex()]
    return content_hash(curve)[:16]


def _labelled(texts: pl.DataFrame, seed: str) -> pl.DataFrame:
    """The votes to learn from, in an order that depends on their content only."""
    rows = texts.filter(pl.col("verdict").is_in(["up", "down"]), pl.col("answer").is_not_null())
    rows = rows.with_columns(pl.col("prompt").fill_null(""))
    keys = pl.concat_str("prompt", "answer", "verdict", separator="\x1f")
    rows = rows.with_columns(pl.Series("_hash", text_hash(rows.select(keys.alias("key"))["key"], seed)))
    order = ["_hash", "voter"] if "voter" in rows.columns else ["_hash"]
    rows = rows.sort(order)
    if "voter" in rows.columns:
        cap = max(VOTES_PER_PERSON, int(SHARE_PER_PERSON * rows.height))
        place = pl.int_range(pl.len()).over("voter")
        rows = rows.filter(pl.col("voter").is_null() | (place < cap))
    return rows.head(MAX_LABELS).select("prompt", "answer", "verdict")


def _vectorizer(bits: int) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer  # half a second, spared to who judges nothing

    return HashingVectorizer(
        n_features=2**bits, ngram_range=(1, 2), binary=True, norm=None, alternate_sign=False, dtype=np.float32
    )


def _chunks(texts: pl.DataFrame) -> Any:
    """Presence of hashed words and pairs, answers' features before prompts', as sparse matrices of `CHUNK` rows."""
    answers, prompts = _vectorizer(ANSWER_BITS), _vectorizer(PROMPT_BITS)
    for chunk in texts.select(pl.col("answer", "prompt").fill_null("")).iter_slices(CHUNK):
        parts = [answers.transform(chunk["answer"].to_list()), prompts.transform(chunk["prompt"].to_list())]
        yield scipy.sparse.hstack(parts, format="csr", dtype=np.float32)


def _fold_counts(features: Any, up: npt.NDArray[np.bool_], fold: npt.NDArray[np.uint64]) -> FloatArray:
    """Votes that hold each feature, shape (folds, 2, features + 1); the last column counts the votes themselves."""
    counts = np.zeros((FOLDS, 2, FEATURES + 1))
    for number in range(FOLDS):
        for verdict in (0, 1):
            rows = np.flatnonzero((fold == number) & (up == bool(verdict)))
            counts[number, verdict, :FEATURES] = np.asarray(features[rows].sum(axis=0)).ravel()
            counts[number, verdict, FEATURES] = len(rows)
    return counts


def _log_odds(counts: FloatArray) -> npt.NDArray[np.float32]:
    """Smoothed log-ratio of a feature's share among ups and among downs; 0 where it could well be luck."""
    (down, downs), (up, ups) = ((side[:-1] + SMOOTHING, side[-1] + 2 * SMOOTHING) for side in counts)
    ratio = np.log(up / ups) - np.log(down / downs)
    error = np.sqrt(1 / up + 1 / down)
    ratio[np.abs(ratio) < NOISE * error] = 0
    return np.asarray(ratio, dtype=np.float32)


def _held_out_margins(features: Any, counts: FloatArray, fold: npt.NDArray[np.uint64]) -> FloatArray:
    """Each vote's margin under the weights of the other folds."""
    margins = np.zeros(features.shape[0])
    total = counts.sum(axis=0)
    for number in range(FOLDS):
        rows = np.flatnonzero(fold == number)
        margins[rows] = _margin(features[rows], _log_odds(total - counts[number]))
    return margins


def _margin(features: Any, weights: npt.NDArray[np.float32]) -> FloatArray:
    """Sum of log-odds over the square root of the number of features: comparable between short and long answers."""
    sizes = np.diff(features.indptr)
    return np.asarray((features @ weights) / np.sqrt(np.maximum(sizes, 1)), dtype=np.float64)


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))


def _platt(margins: FloatArray, up: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Intercept and slope of a logistic curve through held-out margins; the slope is never negative."""
    from sklearn.linear_model import LogisticRegression  # a second to load: only where a judge is trained

    fitted = LogisticRegression(C=1 / PLATT_RIDGE, tol=1e-10, max_iter=1000).fit(margins[:, np.newaxis], up)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        rate = float(up.mean())
        return float(np.log(rate / (1 - rate))), 0.0
    return float(fitted.intercept_[0]), slope


def _best_threshold(scores: FloatArray, up: npt.NDArray[np.bool_]) -> float:
    """The cut with the largest sensitivity + specificity (Youden 1950), halfway to the next lower score."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(up[order]) / up.sum()
    false_alarms = np.cumsum(~up[order]) / (~up).sum()
    ordered = scores[order]
    last_of_ties = np.append(ordered[1:] < ordered[:-1], True)
    youden = np.where(last_of_ties, hits - false_alarms, -1.0)
    best = int(np.argmax(youden))
    following = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float((ordered[best] + following) / 2)
