"""Adjusted effects agree with a full regression, and remove what another dimension explains."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from feedback_pipeline.patterns.adjustment import Design, adjusted_differences, fit
from feedback_pipeline.patterns.levels import encode_all

NAMES = ["model", "prompt_version", "language"]


@pytest.fixture
def votes(make_facts):
    facts = make_facts(6_000, seed=1, planted=(({"model": "model_1"}, 0.1), ({"language": "language_2"}, 0.1)))
    return encode_all(facts, NAMES), (facts["verdict"] == -1).to_numpy(), facts["person"].to_numpy().astype(np.int64)


def dense(design):
    columns = [np.ones(design.votes)]
    for block in design.blocks:
        for size, levels in zip(block.sizes, block.levels, strict=True):
            columns += [(levels == level).astype(float) for level in range(size)]
    for rows in design.indicators:
        column = np.zeros(design.votes)
        column[rows] = 1.0
        columns.append(column)
    return np.column_stack(columns)


@pytest.mark.parametrize("block_cells", [4096, 1])
def test_the_unbuilt_matrix_multiplies_like_the_built_one(votes, monkeypatch, block_cells):
    monkeypatch.setattr("feedback_pipeline.patterns.adjustment.BLOCK_CELLS", block_cells)
    dimensions, _, _ = votes
    design = Design.of(dimensions, [np.arange(50), np.arange(30, 300)], 6_000)
    matrix = dense(design)
    rng = np.random.default_rng(0)
    beta, weights = rng.normal(size=design.size), rng.random(6_000)
    assert design.predict(beta) == pytest.approx(matrix @ beta)
    assert design.project(weights) == pytest.approx(matrix.T @ weights)
    assert design.cross(weights) == pytest.approx(matrix.T @ (matrix * weights[:, None]))


def test_the_fit_maximises_the_penalised_likelihood(votes):
    dimensions, down, _ = votes
    design = Design.of(dimensions, [np.arange(400)], 6_000)
    matrix, y = dense(design), down.astype(float)
    penalty = np.ones(design.size)
    penalty[0] = 1e-9

    def objective(beta):
        linear = matrix @ beta
        value = np.logaddexp(0.0, linear).sum() - y @ linear + 0.5 * (penalty * beta**2).sum()
        return value, matrix.T @ (expit(linear) - y) + penalty * beta

    best = minimize(objective, np.zeros(design.size), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    ours = fit(design, y, start=np.zeros(design.size))
    assert objective(ours.coefficients)[0] == pytest.approx(best.fun, abs=1e-4)
    assert expit(matrix @ ours.coefficients) == pytest.approx(expit(matrix @ best.x), abs=1e-3)


def test_an_effect_that_another_dimension_explains_vanishes():
    rng = np.random.default_rng(3)
    n = 20_000
    cause = rng.random(n) < 0.3
    shadow = np.where(rng.random(n) < 0.9, cause, rng.random(n) < 0.5)
    down = rng.random(n) < np.where(cause, 0.4, 0.15)
    facts = pl.DataFrame({"model": cause.astype(str), "language": shadow.astype(str)})
    dimensions = encode_all(facts, ["model", "language"])
    crude = down[shadow].mean() - down[~shadow].mean()
    (adjusted,) = adjusted_differences(
        dimensions, [(frozenset({"language"}), np.flatnonzero(shadow))], down, np.arange(n)
    )
    assert crude > 0.15
    assert adjusted.low < 0.0 < adjusted.high
    assert abs(adjusted.estimate) < 0.02


def test_an_effect_of_its_own_is_recovered_with_its_interval():
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        model, language = rng.integers(0, 3, 4_000), rng.integers(0, 3, 4_000)
        down = rng.random(4_000) < 0.2 + 0.1 * (model == 1) + 0.05 * (language == 2)
        facts = pl.DataFrame({"model": model.astype(str), "language": language.astype(str)})
        (effect,) = adjusted_differences(
            encode_all(facts, ["model", "language"]),
            [(frozenset({"model"}), np.flatnonzero(model == 1))],
            down,
            np.arange(4_000),
        )
        hits += effect.low <= 0.1 <= effect.high
    assert hits >= 52  # 95 % of 60 is 57; 52 lies three standard errors below


def test_people_who_repeat_themselves_widen_the_interval(votes):
    dimensions, down, _ = votes
    rows = np.flatnonzero(dimensions[0].codes == 3)
    wide, narrow = (
        adjusted_differences(dimensions, [(frozenset({"model"}), rows)], down, person)[0]
        for person in (np.arange(6_000) // 20, np.arange(6_000))
    )
    assert wide.estimate == narrow.estimate
    assert wide.low != narrow.low


def test_a_slice_that_is_all_down_stays_finite(votes):
    dimensions, down, person = votes
    rows = np.arange(60)
    down = down.copy()
    down[rows] = True
    (effect,) = adjusted_differences(dimensions, [(frozenset({"model"}), rows)], down, person)
    assert 0.5 < effect.low <= effect.estimate <= effect.high < 1.0


def test_nothing_asked_is_nothing_fitted(votes):
    dimensions, down, person = votes
    assert adjusted_differences(dimensions, [], down, person) == []


@pytest.mark.parametrize("base", [0.001, 0.5, 0.999])
@pytest.mark.parametrize("seed", range(4))
def test_extreme_rates_and_identical_dimensions_converge(base, seed):
    rng = np.random.default_rng(seed)
    model = rng.integers(0, 8, 1_500)
    facts = pl.DataFrame({"model": model.astype(str), "language": model.astype(str)})
    rows = np.flatnonzero(model == 2)
    down = rng.random(1_500) < base
    down[rows] = base < 0.5
    down[:2] = (True, False)
    (effect,) = adjusted_differences(
        encode_all(facts, ["model", "language"]), [(frozenset({"model"}), rows)], down, np.arange(1_500)
    )
    assert -1.0 <= effect.low <= effect.estimate <= effect.high <= 1.0


def test_no_convergence_and_votes_that_all_agree_are_reasons(votes, monkeypatch):
    dimensions, down, person = votes
    slices = [(frozenset({"model"}), np.arange(60))]
    assert adjusted_differences(dimensions, slices, np.ones_like(down), person)[0].reason == "every vote is the same"
    monkeypatch.setattr("feedback_pipeline.patterns.adjustment.STEPS", 1)
    assert "did not converge" in adjusted_differences(dimensions, slices, down, person)[0].reason
