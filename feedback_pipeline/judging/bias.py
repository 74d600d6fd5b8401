"""What a judge looks at that it should not: how long an answer is."""

import numpy as np

from feedback_pipeline.stats.estimates import (
    Estimate,
    FloatArray,
    IntArray,
    Result,
    cluster_codes,
    t_quantile,
)
from feedback_pipeline.stats.intervals import RESOLUTION
from feedback_pipeline.stats.no_result import NoResult

MIN_ITEMS = 20


def length_bias(
    judged: FloatArray, human: FloatArray, characters: FloatArray, clusters: IntArray | None = None
) -> Result:
    """How much higher than people the judge scores an answer that is one standard deviation longer (log characters).

    The slope of judge − human on standardised log length, with clustered errors: 0 is unbiased even where longer
    answers are better, because people's verdicts move with them.
    """
    codes, groups = cluster_codes(np.arange(len(judged)) if clusters is None else clusters)
    items = len(judged)
    if items < MIN_ITEMS or groups < 2:
        return NoResult("not_enough_labels", items, groups)
    length = np.log1p(characters)
    if np.std(length) <= RESOLUTION:
        return NoResult("all_answers_equally_long", items, groups)
    x = (length - length.mean()) / length.std()
    gap = judged - human
    slope = float((x * gap).sum() / (x * x).sum()) if np.ptp(gap) > RESOLUTION else 0.0
    residual = gap - gap.mean() - slope * x
    scores = np.bincount(codes, x * residual, minlength=groups)
    error = float(np.sqrt(np.square(scores).sum() * groups / (groups - 1)) / (x * x).sum())
    half = t_quantile(groups - 1) * error
    return Estimate(slope, slope - half, slope + half, error, items, groups, "length_bias")
