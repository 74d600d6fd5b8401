"""Slices: every planted cause is found once, nothing is found in noise, and nobody moves a finding alone."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy import stats

from feedback_pipeline.patterns.covering import PersonTotals, SliceSettings, Votes, cluster, count_all, cover
from feedback_pipeline.patterns.cube import Combination
from feedback_pipeline.patterns.levels import encode, encode_all
from feedback_pipeline.patterns.slices import find_slices
from feedback_pipeline.patterns.tables import SLICE_FINDINGS
from feedback_pipeline.patterns.tracking import canonical, finding_id

DIMENSIONS = ["model", "prompt_version", "language", "intent"]
BIG = ({"model": "model_1"}, 0.08)
SMALL = ({"language": "language_2", "prompt_version": "prompt_version_3"}, 0.25)
NEXT_WEEK = dt.timedelta(weeks=1)


def slices_of(findings):
    return {tuple(zip(d, v, strict=True)) for d, v in findings.select("dimensions", "values").iter_rows()}


def expected(*planted):
    return {canonical(chosen.items()) for chosen, _ in planted}


@pytest.fixture
def two_causes(make_facts):
    return make_facts(20_000, seed=1, planted=(BIG, SMALL))


# What cannot be said is said


def test_no_votes_say_so(make_facts, week):
    search = find_slices(make_facts(0), DIMENSIONS, week=week)
    assert search.findings.is_empty()
    assert search.reason == "no votes"
    assert search.tests == 0


@pytest.mark.parametrize(
    ("verdict", "reason"), [(1, "no vote is down"), (-1, "every vote is down, so there is nothing to compare with")]
)
def test_votes_that_all_agree_say_so(make_facts, week, verdict, reason):
    facts = make_facts(500).with_columns(pl.lit(verdict, dtype=pl.Int8).alias("verdict"))
    assert find_slices(facts, DIMENSIONS, week=week).reason == reason


def test_neutral_votes_alone_are_no_votes(make_facts, week):
    facts = make_facts(500).with_columns(pl.lit(0, dtype=pl.Int8).alias("verdict"))
    assert find_slices(facts, DIMENSIONS, week=week).reason == "no votes"


def test_one_vote_and_few_votes_say_how_many(make_facts, week):
    assert find_slices(make_facts(1), DIMENSIONS, week=week).reason == "all votes are from one person"
    assert "only 40 votes" in find_slices(make_facts(40, people=30), DIMENSIONS, week=week).reason


def test_one_person_with_ten_thousand_votes_is_one_person(make_facts, week):
    facts = make_facts(10_000, planted=(BIG,), people=1)
    search = find_slices(facts, DIMENSIONS, week=week)
    assert search.reason == "all votes are from one person"
    assert search.negative_rate.low is None


def test_dimensions_without_values_are_left_out(make_facts, week):
    facts = make_facts(2_000).with_columns(pl.lit(None, dtype=pl.Categorical).alias("variant"))
    search = find_slices(facts, [*DIMENSIONS, "variant"], week=week)
    assert search.reason is None
    assert "variant" not in search.folded


# Findings


def test_each_planted_cause_is_one_finding(two_causes, week):
    findings = find_slices(two_causes, DIMENSIONS, week=week).findings
    assert SLICE_FINDINGS.problems(findings) == []
    assert slices_of(findings) == expected(BIG, SMALL)


def test_noise_gives_no_finding(make_facts, week):
    # 20 weeks at a 5 % level: 1 expected; 4 or more happen in 1.6 % of such runs. Seeds are fixed.
    found = sum(
        not find_slices(make_facts(4_000, seed=s), DIMENSIONS, week=week).findings.is_empty() for s in range(20)
    )
    assert found <= 3


def test_the_numbers_of_a_finding_are_those_of_its_votes(two_causes, week):
    findings = find_slices(two_causes, DIMENSIONS, week=week).findings
    row = findings.filter(pl.col("dimensions").list.len() == 1).to_dicts()[0]
    # the smaller and more severe cause was found before it: its votes are set aside
    aside = (pl.col("language").cast(pl.String) == "language_2") & (
        pl.col("prompt_version").cast(pl.String) == "prompt_version_3"
    )
    on_model = pl.col("model").cast(pl.String) == "model_1"
    inside, outside = two_causes.filter(on_model, ~aside), two_causes.filter(~on_model, ~aside)
    assert row["set_aside"] == two_causes.filter(on_model, aside).height > 0
    down, rest = (inside["verdict"] == -1).sum(), (outside["verdict"] == -1).sum()
    assert (row["votes"], row["down"], row["people"]) == (inside.height, down, inside["person"].n_unique())
    assert row["negative_rate"] == pytest.approx(down / inside.height)
    assert row["excess_negatives"] == pytest.approx(down - inside.height * rest / outside.height)
    assert row["low"] < row["negative_rate"] < row["high"]
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert row["share_of_negatives"] == pytest.approx(down / (two_causes["verdict"] == -1).sum())


def test_examples_are_votes_down_in_the_slice_from_different_people(two_causes, week):
    for row in find_slices(two_causes, DIMENSIONS, week=week).findings.to_dicts():
        examples = two_causes.filter(pl.col("feedback_id").is_in(row["example_feedback_ids"]))
        assert examples.height == 5
        assert examples["person"].n_unique() == 5
        assert (examples["verdict"] == -1).all()
        for name, value in zip(row["dimensions"], row["values"], strict=True):
            assert (examples[name].cast(pl.String) == value).all()


def test_ranking_puts_the_most_excess_negatives_first(two_causes, week):
    findings = find_slices(two_causes, DIMENSIONS, week=week).findings.sort("rank")
    certain = (findings["shrunk_low"] - findings["rest_negative_rate"]) * findings["votes"]
    assert certain.to_list() == sorted(certain.to_list(), reverse=True)
    assert (findings["shrunk_rate"] <= findings["negative_rate"] + 1e-9).all()


def test_order_of_rows_and_of_dimensions_changes_nothing(two_causes, week):
    straight = find_slices(two_causes, DIMENSIONS, week=week).findings
    turned = find_slices(two_causes.sample(fraction=1.0, shuffle=True, seed=3), DIMENSIONS[::-1], week=week).findings
    assert straight.equals(turned)


def test_a_shadow_of_a_cause_is_not_a_second_finding(make_facts, week):
    # Nearly all of model_1's votes are in language_1, which has no fault of its own.
    facts = make_facts(20_000, seed=4, planted=((BIG[0], 0.15),))
    rng = np.random.default_rng(0)
    moved = (facts["model"].cast(pl.String) == "model_1") & pl.Series(rng.random(facts.height) < 0.9)
    facts = facts.with_columns(
        pl.when(moved).then(pl.lit("language_1")).otherwise(pl.col("language").cast(pl.String)).alias("language")
    )
    findings = find_slices(facts, DIMENSIONS, week=week).findings
    assert slices_of(findings) == expected(BIG)


def test_a_confounded_slice_is_flagged_where_its_adjusted_effect_turns(make_facts, week):
    # Within each intent, model_0 is better by 5 points; but it gets nearly all of the hard intent.
    rng = np.random.default_rng(2)
    n = 20_000
    hard = rng.random(n) < 0.3
    model = np.where(rng.random(n) < np.where(hard, 0.95, 0.1), "model_0", "model_1")
    negative = np.where(hard, 0.5, 0.15) + np.where(model == "model_1", 0.05, 0.0)
    facts = make_facts(n).with_columns(
        verdict=pl.Series(np.where(rng.random(n) < negative, -1, 1), dtype=pl.Int8),
        model=pl.Series(model),
        intent=pl.Series(np.where(hard, "intent_hard", "intent_easy")),
    )
    # Look at model alone, with intent only to adjust for: the covering would rightly name intent instead.
    followed = find_slices(facts, ["model"], week=week).findings
    assert slices_of(followed) == {(("model", "model_0"),)}
    findings = find_slices(facts, ["model", "intent"], week=week).findings
    assert (("intent", "intent_hard"),) in slices_of(findings)
    assert (("model", "model_0"),) not in slices_of(findings)


def test_rare_levels_are_folded_and_counted(make_facts, week):
    rng = np.random.default_rng(1)
    ids = pl.Series([f"order_{i}" for i in rng.integers(0, 100_000, 20_000)])
    facts = make_facts(20_000, seed=1, planted=(BIG, SMALL)).with_columns(ids.alias("variant"))
    search = find_slices(facts, [*DIMENSIONS, "variant"], week=week)
    assert search.folded["variant"] == ids.n_unique()
    assert slices_of(search.findings) == expected(BIG, SMALL)


def test_tags_are_slices_too(make_facts, week):
    facts = make_facts(10_000, seed=2)
    rng = np.random.default_rng(0)
    tags = [sorted({f"tag_{a}", f"tag_{b}"}) for a, b in rng.integers(0, 6, (10_000, 2))]
    slow = pl.Series(["tag_3" in each for each in tags]) & pl.Series(rng.random(10_000) < 0.3)
    facts = facts.with_columns(
        pl.Series("tags", tags),
        pl.when(slow).then(-1).otherwise(pl.col("verdict")).cast(pl.Int8).alias("verdict"),
    )
    assert slices_of(find_slices(facts, [*DIMENSIONS, "tags"], week=week).findings) == {(("tags", "tag_3"),)}


def test_five_busy_people_are_not_a_cause(make_facts, week):
    # Five people vote down 100 times each, each on one model of their own.
    facts = make_facts(10_000, seed=6)
    place = pl.int_range(pl.len())
    busy = place < 500
    facts = facts.with_columns(
        pl.when(busy).then(10**6 + place // 100).otherwise(pl.col("person")).cast(pl.UInt64).alias("person"),
        pl.when(busy).then(-1).otherwise(pl.col("verdict")).cast(pl.Int8).alias("verdict"),
        pl.when(busy)
        .then(pl.format("model_{}", place // 100))
        .otherwise(pl.col("model").cast(pl.String))
        .alias("model"),
    )
    assert find_slices(facts, DIMENSIONS, week=week).findings.is_empty()


# Over the weeks


def test_a_finding_is_new_then_confirmed_then_ongoing_then_gone(make_facts, week):
    history = None
    statuses = []
    for place, planted in enumerate(((BIG,), (BIG,), (BIG,), ())):
        monday = week + place * NEXT_WEEK
        facts = make_facts(20_000, seed=20 + place, planted=planted, day=monday)
        findings = find_slices(facts, DIMENSIONS, week=monday, history=history).findings
        row = findings.filter(pl.col("finding_id") == finding_id(canonical(BIG[0].items()))).to_dicts()[0]
        statuses.append((row["status"], row["weeks_seen"], row["first_week"] == week))
        history = findings if history is None else pl.concat([history, findings])
    assert statuses == [("new", 1, True), ("confirmed", 2, True), ("ongoing", 3, True), ("gone", 3, True)]
    after = find_slices(make_facts(20_000, seed=30), DIMENSIONS, week=week + 4 * NEXT_WEEK, history=history)
    assert finding_id(canonical(BIG[0].items())) not in after.findings["finding_id"]  # what is gone is not followed


def test_a_week_without_votes_leaves_findings_untested_and_followed(make_facts, week, two_causes):
    first = find_slices(two_causes, DIMENSIONS, week=week).findings
    empty = find_slices(make_facts(0), DIMENSIONS, week=week + NEXT_WEEK, history=first)
    assert empty.findings["status"].to_list() == ["untested", "untested"]
    assert set(empty.findings["reason"]) == {"no votes"}
    assert SLICE_FINDINGS.problems(empty.findings) == []
    third = find_slices(
        make_facts(20_000, seed=9, planted=(BIG, SMALL)),
        DIMENSIONS,
        week=week + 2 * NEXT_WEEK,
        history=pl.concat([first, empty.findings]),
    ).findings
    assert set(third["status"]) == {"confirmed"}


def test_a_missing_week_does_not_break_the_story(make_facts, week, two_causes):
    first = find_slices(two_causes, DIMENSIONS, week=week).findings
    later = make_facts(20_000, seed=9, planted=(BIG, SMALL))
    assert set(find_slices(later, DIMENSIONS, week=week + 3 * NEXT_WEEK, history=first).findings["status"]) == {
        "confirmed"
    }
    assert set(find_slices(later, DIMENSIONS, week=week + 9 * NEXT_WEEK, history=first).findings["status"]) == {"new"}


def test_the_id_of_a_slice_depends_on_its_content_alone():
    one = finding_id(canonical([("model", "m"), ("language", "de")]))
    assert one == finding_id(canonical([("language", "de"), ("model", "m")]))
    assert one != finding_id(canonical([("model", "de"), ("language", "m")]))
    assert one == "2b8c202fc71a4b9b"  # pinned: stored findings refer to it


# The machinery


def test_cells_count_what_polars_counts(make_facts):
    facts = make_facts(3_000, seed=3).with_columns(
        pl.Series("tags", [["a", "b"][: i % 3] for i in range(3_000)], dtype=pl.List(pl.String)),
        pl.Series("tools", [["x"] * (i % 2) for i in range(3_000)], dtype=pl.List(pl.String)),
    )
    names = ["intent", "model", "tags", "tools"]
    down = (facts["verdict"] == -1).to_numpy()
    settings = SliceSettings(min_votes=1)
    for cells in count_all(encode_all(facts, names), down, settings):
        names = list(cells.combination.names)
        frame = facts.select("verdict", *names)
        for name in set(names) & {"tags", "tools"}:
            frame = frame.explode(name)
        expected = (
            frame.drop_nulls(names)
            .group_by(pl.col(names).cast(pl.String))
            .agg(pl.len().alias("votes"), (pl.col("verdict") == -1).sum().alias("down"))
        )
        ours = pl.DataFrame(
            [cells.combination.labels_of(int(key)) for key in cells.keys], schema=names, orient="row"
        ).with_columns(votes=pl.Series(cells.votes), down=pl.Series(cells.down))
        assert ours.sort(names).equals(expected.cast({"votes": pl.Int64, "down": pl.Int64}).sort(names))


def test_crossing_that_is_too_large_for_an_array_counts_the_same(monkeypatch, make_facts):
    facts = make_facts(3_000, seed=3)
    dimensions = encode_all(facts, DIMENSIONS, min_votes=30)
    votes = Votes(facts["person"].to_numpy().astype(np.int64), (facts["verdict"] == -1).to_numpy())
    dense = cover(dimensions, votes, SliceSettings())
    monkeypatch.setattr("feedback_pipeline.patterns.cube.DENSE_CELLS", 3)
    sparse = cover(dimensions, votes, SliceSettings())
    assert [(f.combination.names, f.key) for f in dense[0]] == [(f.combination.names, f.key) for f in sparse[0]]
    for a, b in zip(dense[1], sparse[1], strict=True):
        assert np.array_equal(a.keys, b.keys)
        assert np.array_equal(a.votes, b.votes)
        assert np.array_equal(a.down, b.down)


def test_one_vote_each_leaves_the_exact_test_as_it_is(make_facts):
    facts = make_facts(2_000, people=10**9)
    dimension = encode(facts["model"])
    votes = Votes(np.arange(2_000), (facts["verdict"] == -1).to_numpy())
    totals = PersonTotals.of(votes, np.ones(2_000, dtype=bool), 2_000)
    clustered = cluster(Combination((dimension,)), np.arange(3), votes, np.ones(2_000, dtype=bool), totals)
    exact = np.log(np.array([1e-3, 1e-6, 1e-9]))
    # A design effect estimated from single votes strays from 1 by chance only.
    assert clustered.design_effect == pytest.approx(np.ones(3), abs=0.01)
    assert clustered.log_p(exact) == pytest.approx(exact, rel=0.02)


def test_repeated_votes_weaken_the_test_as_much_as_they_repeat(make_facts):
    # Everyone casts the same vote ten times: 10 copies must not be more certain than one.
    facts = make_facts(600, people=10**9, planted=(BIG,))
    dimension = encode(facts["model"])
    down = (facts["verdict"] == -1).to_numpy()
    copied = encode(pl.concat([facts["model"]] * 10))
    votes = Votes(np.tile(np.arange(600), 10), np.tile(down, 10))
    totals = PersonTotals.of(votes, np.ones(6_000, dtype=bool), 600)
    clustered = cluster(Combination((copied,)), np.arange(3), votes, np.ones(6_000, dtype=bool), totals)
    assert totals.correlation == pytest.approx(1.0, abs=0.01)
    assert clustered.design_effect == pytest.approx(np.full(3, 10.0), rel=0.03)
    assert clustered.people.tolist() == np.bincount(dimension.codes)[2:5].tolist()


def test_correlation_within_people_is_recovered():
    rng = np.random.default_rng(1)
    n = rng.integers(2, 12, 4_000)
    leaning = rng.beta(2, 6, 4_000)  # intraclass correlation 1/(2 + 6 + 1)
    person = np.repeat(np.arange(4_000), n)
    votes = Votes(person, rng.random(person.size) < leaning[person])
    totals = PersonTotals.of(votes, np.ones(person.size, dtype=bool), 4_000)
    assert totals.correlation == pytest.approx(1 / 9, abs=0.015)  # three standard errors at 4,000 people


def test_benjamini_hochberg_over_the_first_round_agrees_with_scipy(make_facts):
    facts = make_facts(8_000, seed=1, planted=(BIG, SMALL), people=10**9)
    dimensions = encode_all(facts, DIMENSIONS, min_votes=30)
    down = (facts["verdict"] == -1).to_numpy()
    found, cells = cover(dimensions, Votes(np.arange(8_000), down), SliceSettings(min_difference=-1.0))
    p = np.concatenate([stats.hypergeom.sf(c.down - 1, 8_000, down.sum(), c.votes) for c in cells if c.keys.size])
    assert np.exp(found[0].log_p) == pytest.approx(p.min(), rel=0.05)
    assert found[0].q_value >= stats.false_discovery_control(p).min() * 0.95


def votes_of(rows, *, people=500):
    """`vote_facts` of (count, share down, {dimension: level}) rows, everyone voting in turn."""
    frames, start = [], 0
    for count, share, levels in rows:
        place = np.arange(start, start + count)
        down = np.arange(count) < round(count * share)
        columns = {name: pl.Series([value] * count, dtype=pl.String) for name, value in levels.items()}
        ids = [f"{number:06}" for number in place]
        frames.append(
            pl.DataFrame(
                {
                    "feedback_id": ids,
                    "interaction_id": ids,
                    "person": (place * 7919 % people).astype(np.uint64),
                    "verdict": np.where(down, -1, 1).astype(np.int8),
                    "strength": np.ones(count, dtype=np.float32),
                    **columns,
                }
            )
        )
        start += count
    return pl.concat(frames)


def test_a_finding_prints_the_comparison_that_was_tested(week):
    """Exact tests on the printed counts give a p-value as small as the printed one; shares of votes down add up."""
    facts = votes_of([
        (600, 0.8, {"model": "bad", "language": "de"}), (900, 0.8, {"model": "bad", "language": "en"}),
        (500, 0.5, {"model": "good", "language": "de"}), (4000, 0.2, {"model": "good", "language": "en"}),
    ])  # fmt: skip
    found = find_slices(facts, ["model", "language"], week=week).findings.sort("rank")
    assert found.height == 2
    for row in found.iter_rows(named=True):
        table = [[row["down"], row["votes"] - row["down"]], [row["rest_down"], row["rest_votes"] - row["rest_down"]]]
        fisher = stats.fisher_exact(table, alternative="greater").pvalue
        assert fisher <= row["p_value"] * 1.0001
        assert row["negative_rate"] == pytest.approx(row["down"] / row["votes"])
        assert row["difference_low"] < row["negative_rate"] - row["rest_negative_rate"] < row["difference_high"]
    second = found.filter(pl.col("values") == ["de"]).row(0, named=True)
    # the 600 votes on the bad model are told with it; the rest of the language is compared with the good model's others
    assert (second["votes"], second["set_aside"]) == (500, 600)
    assert second["rest_negative_rate"] == pytest.approx(0.2)
    # every vote down lies in one finding or in none: 1,200 + 250 of 2,250
    assert found["share_of_negatives"].sum() == pytest.approx((1200 + 250) / 2250)


def test_what_is_only_not_liked_is_no_cause_of_votes_down(week):
    """Long answers are liked; medium ones do no worse than short ones, so that they are the cause of nothing."""
    facts = votes_of([(2000, 0.46, {"answer_length": "medium"}), (1500, 0.46, {"answer_length": "short"}),
                      (2500, 0.25, {"answer_length": "long"})])  # fmt: skip
    assert find_slices(facts, ["answer_length"], week=week).findings.is_empty()
    facts = votes_of([(2000, 0.46, {"answer_length": "medium"}), (1500, 0.25, {"answer_length": "short"}),
                      (2500, 0.25, {"answer_length": "long"})])  # fmt: skip
    assert find_slices(facts, ["answer_length"], week=week).findings["values"].to_list() == [["medium"]]


def test_a_finding_says_how_much_rests_on_new_voters(week):
    """Fifty new accounts vote one model down; those who voted before find it no worse than the others."""
    old = votes_of([(400, 0.2, {"model": "m1"}), (1600, 0.2, {"model": "m2"})], people=400)
    attack = votes_of([(200, 1.0, {"model": "m1"})], people=50).with_columns(
        pl.col("person") + 10_000, pl.concat_str(pl.lit("x"), "feedback_id").alias("feedback_id")
    )
    row = find_slices(pl.concat([old, attack]), ["model"], week=week, known_people=old["person"].unique())
    (finding,) = row.findings.to_dicts()
    assert finding["values"] == ["m1"]
    assert finding["new_voter_share"] == pytest.approx(200 / 280)
    assert finding["rests_on_new_voters"] is True
    everybody = pl.concat([old, attack])["person"].unique()
    (known,) = find_slices(pl.concat([old, attack]), ["model"], week=week, known_people=everybody).findings.to_dicts()
    assert (known["new_voter_share"], known["rests_on_new_voters"]) == (0.0, False)
    (unknown,) = find_slices(pl.concat([old, attack]), ["model"], week=week).findings.to_dicts()
    assert unknown["new_voter_share"] is unknown["rests_on_new_voters"] is None
