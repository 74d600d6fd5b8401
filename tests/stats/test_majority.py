"""P(more approve than do not) against scipy's distribution, alone and in columns of many alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import beta

from feedback_pipeline.stats.majority import approval_probability

evidence = st.floats(0, 50)


@given(evidence, evidence)
def test_it_is_the_beta_posteriors_tail(up: float, down: float) -> None:
    assert approval_probability([up], [down]).item() == pytest.approx(beta.sf(0.5, 1 + up, 1 + down), abs=1e-9)


@given(arrays(np.float64, (3, 7), elements=st.sampled_from([0.0, 0.3, 1.0, 2.7])), st.integers(0, 2**32 - 1))
def test_items_judged_alike_are_told_apart_from_others_wherever_they_stand(up: np.ndarray, seed: int) -> None:
    down = np.random.default_rng(seed).permutation(up.ravel()).reshape(up.shape)
    assert approval_probability(up, down) == pytest.approx(beta.sf(0.5, 1 + up, 1 + down), abs=1e-12)


def test_nothing_judged_is_nothing_said() -> None:
    assert approval_probability([], []).shape == (0,)
    assert approval_probability([0.0], [0.0]).item() == 0.5
