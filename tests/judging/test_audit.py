"""An audit is random, blind, without duplicates, and its labels are worth what they say."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feedback_pipeline.judging.audit import (
    CANNOT_SAY,
    JUDGED_UP,
    OTHER,
    audit_verdicts,
    audited_criteria,
    audited_prompt_hashes,
    draw_audit,
    label_next,
)
from feedback_pipeline.judging.quality import judged_quality
from feedback_pipeline.store import audits
from feedback_pipeline.store.bulk import Batch, file_batch
from feedback_pipeline.store.database import Database
from tests.support.judged_world import World, world
from tests.support.store_rows import answer_id, answers

WEEK = date(2026, 9, 7)
NOBODY = pl.DataFrame(
    schema={"interaction_id": pl.String, "criterion": pl.String, "voter": pl.String, "verdict": pl.String}
)


def labels(*rows: tuple[str, str, str]) -> pl.DataFrame:
    said = [{"interaction_id": i, "criterion": "satisfaction", "voter": who, "verdict": v} for i, who, v in rows]
    return pl.DataFrame(said, schema=NOBODY.schema)


def items(ups: int, others: int) -> pl.DataFrame:
    names = [f"up{n}" for n in range(ups)] + [f"other{n}" for n in range(others)]
    return pl.DataFrame(
        {
            "interaction_id": pl.Series(names, dtype=pl.String),
            "stratum": pl.Series([JUDGED_UP] * ups + [OTHER] * others, dtype=pl.String),
            "place": pl.Series(range(ups + others), dtype=pl.Int32),
            "inclusion_probability": pl.Series([0.5] * (ups + others), dtype=pl.Float64),
        }
    )


def test_the_audit_is_a_part_of_the_sample_with_true_probabilities_and_the_same_every_time() -> None:
    made = world(answers=2000, size=600)
    drawn = draw_audit(made.sample, made.judgements, 100, "week")
    assert drawn.equals(draw_audit(made.sample.reverse(), made.judgements.reverse(), 100, "week"))
    both = drawn.join(made.sample, on="interaction_id", suffix="_sample")
    assert both.height == drawn["interaction_id"].n_unique() == 100
    share = both["inclusion_probability"] / both["inclusion_probability_sample"]
    assert share.to_numpy() == pytest.approx(100 / 600)
    assert drawn["place"].to_list() == list(range(100))


def test_answers_that_nobody_could_read_are_not_drawn() -> None:
    made = world(answers=200, size=50)
    unread = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("no_text"))
    judgements = made.judgements.with_columns(unread.alias("reason"))
    drawn = draw_audit(made.sample, judgements, 50, "week")
    assert drawn.height == 25


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)))
def test_everybody_is_asked_about_every_answer_once_and_second_opinions_come_last(
    ups: int, others: int, mine: set[int], theirs: set[int]
) -> None:
    drawn = items(ups, others)
    names = drawn["interaction_id"].to_list()
    said = [(names[n], "me", "up") for n in sorted(mine) if n < len(names)]
    said += [(names[n], "you", "down") for n in sorted(theirs) if n < len(names)]
    left = label_next(drawn, labels(*said), "me")
    done = {name for name, who, _ in said if who == "me"}
    assert sorted(left["interaction_id"]) == sorted(set(names) - done)
    second = left["interaction_id"].is_in(["", *(name for name, who, _ in said if who == "you")]).to_list()
    assert second == sorted(second)
    assert left["expected_reduction"].min() is None or left["expected_reduction"].min() >= 0


def test_what_is_asked_next_shows_neither_a_verdict_nor_who_said_it() -> None:
    left = label_next(items(3, 3), labels(("up0", "you", "down")), "me")
    assert not {"verdict", "voter", "human_value", "score"} & set(left.columns)


def test_the_next_label_is_asked_where_it_narrows_the_interval_most() -> None:
    # Nine ups of nine leave little to learn among the judged-up; four of eight leave much among the others.
    said = [(f"up{n}", "you", "up") for n in range(9)]
    said += [(f"other{n}", "you", "up" if n % 2 else "down") for n in range(8)]
    left = label_next(items(50, 50), labels(*said), "me")
    assert left["stratum"].head(10).to_list() == [OTHER] * 10
    unseen = left.filter(pl.col("expected_reduction") > 0)["expected_reduction"].to_list()
    assert unseen == sorted(unseen, reverse=True)


def test_labels_stand_for_their_stratum_and_those_who_could_not_say_said_nothing() -> None:
    said = labels(("up0", "me", "up"), ("up1", "me", "up"), ("up2", "me", CANNOT_SAY), ("other0", "me", "down"))
    verdicts = audit_verdicts(items(10, 30), said)
    assert verdicts["interaction_id"].to_list() == ["other0", "up0", "up1"]
    assert verdicts["label_factor"].to_list() == [30.0, 5.0, 5.0]


def test_where_a_stratum_has_no_label_nothing_stands_for_it() -> None:
    assert audit_verdicts(items(10, 30), labels(("up0", "me", "up")))["label_factor"].to_list() == [1.0]


def test_a_criterion_needs_twenty_answers_before_an_audit_corrects_a_judge() -> None:
    said = labels(*[(f"up{n}", "me", "up") for n in range(19)], *[("up0", f"p{n}", "up") for n in range(9)])
    assert audited_criteria(said) == []
    assert audited_criteria(pl.concat([said, labels(("up19", "me", "up"))])) == ["satisfaction"]


def _audited(made: World, size: int, seed: int) -> dict[str, object]:
    """Audits a world whose voters are all content, in the order asked for, and corrects the judge."""
    truth = made.truth
    drawn = draw_audit(made.sample, made.judgements, 200, f"seed {seed}")
    said = NOBODY
    for _ in range(4):
        asked = label_next(drawn, said, "me").head(size // 4)
        given = asked.join(truth, on="interaction_id").select(
            "interaction_id", criterion=pl.lit("satisfaction"), voter=pl.lit("me"), verdict="human"
        )
        said = pl.concat([said, given])
    rows = judged_quality(made.sample, made.judgements, audit_verdicts(drawn, said), audit=True)
    return rows.filter(pl.col("dimension") == "all").row(0, named=True)


def test_an_audit_in_the_order_asked_for_covers_the_truth_where_votes_mislead() -> None:
    covered, widths, votes_covered = 0, [], 0
    worlds = 40
    for seed in range(worlds):
        made = world(seed, answers=2000, size=800, only_ups_vote=False, vote_share=0.3)
        figures = _audited(made, 120, seed)
        assert figures["labels_from"] == "audit"
        low, high = figures["low"], figures["high"]
        assert isinstance(low, float)
        assert isinstance(high, float)
        covered += low <= made.true_rate <= high
        widths.append(high - low)
        content = made.verdicts.filter((pl.col("verdict") == "up") | (pl.int_range(pl.len()) % 4 == 0))
        by_votes = judged_quality(made.sample, made.judgements, content).filter(pl.col("dimension") == "all")
        votes_covered += bool((by_votes["low"] <= made.true_rate).all() and (by_votes["high"] >= made.true_rate).all())
    # 95 % intervals: 34 of 40 or fewer would happen once in 150 times.
    assert covered >= 35
    assert votes_covered <= worlds / 2
    # 120 labels alone, at random, give ±8 points.
    assert np.mean(widths) < 2 * 0.09


def test_audited_prompts_are_named_for_the_training_files_to_leave_out() -> None:
    signatures = pl.LazyFrame(
        {"interaction_id": ["a", "b", "c", "d"], "prompt_hash": pl.Series([7, 5, 7, None], dtype=pl.UInt64)}
    )
    hashes = audited_prompt_hashes(signatures, labels(("a", "me", "up"), ("c", "me", CANNOT_SAY), ("d", "me", "up")))
    assert hashes.dtype == pl.UInt64
    assert hashes.to_list() == [7]


def _drawn(*names: str) -> pl.DataFrame:
    ids = [answer_id(name) for name in names]
    frame = items(len(ids), 0).with_columns(pl.Series("interaction_id", ids), pl.lit(WEEK).alias("day"))
    return frame.select("interaction_id", "day", "stratum", "place", "inclusion_probability")


def test_the_store_draws_a_week_once_and_keeps_a_persons_first_verdict(database: Database) -> None:
    file_batch(database, Batch(interactions=answers({"name": "a"}, {"name": "b"})))
    assert audits.keep_items(database, WEEK, _drawn("a", "gone"))
    assert not audits.keep_items(database, WEEK, _drawn("b"))
    assert audits.read_items(database)["interaction_id"].to_list() == [answer_id("a")]
    assert audits.add_label(database, answer_id("a"), "satisfaction", "me", "up")
    assert not audits.add_label(database, answer_id("a"), "satisfaction", "me", "down")
    assert audits.add_label(database, answer_id("a"), "satisfaction", "you", "down")
    assert audits.read_labels(database)["verdict"].to_list() == ["up", "down"]


def test_an_erased_answer_leaves_the_audit(database: Database) -> None:
    file_batch(database, Batch(interactions=answers({"name": "a"})))
    audits.keep_items(database, WEEK, _drawn("a"))
    audits.add_label(database, answer_id("a"), "satisfaction", "me", "up")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM interaction")
    assert audits.read_items(database).is_empty()
    assert audits.read_labels(database).is_empty()
