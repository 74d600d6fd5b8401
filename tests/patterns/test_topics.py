"""A taxonomy is frozen, names nobody's private words, and hides small groups."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from feedback_pipeline.patterns.tables import FAILURE_TOPICS
from feedback_pipeline.patterns.topics import OTHER, Taxonomy, assign_topics, fit_topics

WEEK = dt.date(2026, 11, 9)
THEMES = (
    ("refund", "money", "payment", "invoice", "charge"),
    ("slow", "waiting", "timeout", "latency", "seconds"),
    ("translate", "language", "german", "english", "spelling"),
)


def texts(n, seed, themes=THEMES, people=None):
    rng = np.random.default_rng(seed)
    filler = ("today", "answer", "model", "system", "product")
    rows, truth = [], []
    for place in range(n):
        theme = int(rng.integers(len(themes)))
        words = [*rng.choice(themes[theme], 4), *rng.choice(filler, 2)]
        rows.append((" ".join(rng.permutation(words)), int(rng.integers(people or n)), f"{seed}-{place:05d}"))
        truth.append(theme)
    schema = {"text": pl.String, "person": pl.UInt64, "feedback_id": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row"), truth


@pytest.fixture(scope="module")
def taxonomy():
    return fit_topics(texts(600, 1)[0], topics=3)


def test_planted_themes_become_topics_named_by_their_words(taxonomy):
    named = [set(topic.name.split(", ")) for topic in taxonomy.topics]
    for theme in THEMES:
        assert any(name <= set(theme) for name in named)
    assert taxonomy.reason is None


def test_new_texts_fall_to_their_theme(taxonomy):
    fresh, truth = texts(400, 2)
    for theme, words in enumerate(THEMES):
        part = fresh.filter(pl.Series([each == theme for each in truth]))
        assigned = assign_topics(taxonomy, part, week=WEEK).drop_nulls("documents")
        largest = assigned.filter(pl.col("topic") != OTHER).sort("documents").tail(1)
        assert set(largest["name"][0].split(", ")) <= set(words)
        assert largest["documents"][0] >= 0.7 * part.height  # a fifth is other by construction


def test_the_same_texts_give_the_same_version_and_json_keeps_it(taxonomy):
    again = fit_topics(texts(600, 1)[0].sample(fraction=1.0, shuffle=True, seed=1), topics=3)
    assert again.version == taxonomy.version
    assert Taxonomy.from_json(taxonomy.to_json()) == taxonomy


def test_a_changed_taxonomy_is_refused_under_its_old_version(taxonomy):
    content = json.loads(taxonomy.to_json())
    content["threshold"] = 0.0
    with pytest.raises(ValueError, match="claims version"):
        Taxonomy.from_json(json.dumps(content))


def test_polished_names_are_a_new_version_of_the_same_topics(taxonomy):
    polished = taxonomy.renamed(["money", "speed", "language"])
    assert polished.version != taxonomy.version
    assert [topic.weights for topic in polished.topics] == [topic.weights for topic in taxonomy.topics]
    with pytest.raises(ValueError, match="1 names for 3 topics"):
        taxonomy.renamed(["one"])


def test_words_of_few_people_are_in_no_name_and_no_weight():
    known, _ = texts(400, 3)
    secret = pl.DataFrame(
        {
            "text": ["xyzzy plugh secret"] * 100,
            "person": [7] * 50 + [8] * 50,
            "feedback_id": [f"s{i}" for i in range(100)],
        },
        schema=known.schema,
    )
    fitted = fit_topics(pl.concat([known, secret]), topics=3)
    assert not {"xyzzy", "plugh", "secret"} & set(" ".join(fitted.terms).split(" "))


@pytest.mark.parametrize(
    ("n", "people", "reason"), [(0, 1, "only 0 texts"), (20, 20, "only 20 texts"), (200, 3, "from 3 people")]
)
def test_too_little_text_gives_no_topics_but_a_reason(n, people, reason):
    small = fit_topics(texts(n, 4, people=people)[0])
    assert reason in small.reason
    assert small.topics == ()
    assert assign_topics(small, texts(50, 5)[0], week=WEEK).is_empty()
    assert Taxonomy.from_json(small.to_json()) == small


def test_texts_without_words_give_no_topics():
    silent = texts(100, 1)[0].with_columns(text=pl.lit("!!! ..."))
    assert "0 terms" in fit_topics(silent).reason


def test_unknown_words_are_other_and_other_is_watched(taxonomy):
    strange = texts(200, 6)[0].with_columns(text=pl.lit("completely unseen vocabulary"))
    rows = assign_topics(taxonomy, strange, week=WEEK)
    other = rows.filter(pl.col("topic") == OTHER).to_dicts()[0]
    assert (other["share"], other["documents"]) == (1.0, 200)
    assert "new taxonomy" in other["reason"]
    usual = assign_topics(taxonomy, texts(400, 7)[0], week=WEEK).filter(pl.col("topic") == OTHER)
    assert usual["reason"].to_list() == [None]


def test_shares_add_up_and_carry_intervals(taxonomy):
    rows = assign_topics(taxonomy, texts(600, 8)[0], week=WEEK)
    assert FAILURE_TOPICS.problems(rows) == []
    assert rows["share"].sum() == pytest.approx(1.0)
    assert ((rows["share_low"] < rows["share"]) & (rows["share"] < rows["share_high"])).all()
    assert rows["example_feedback_ids"].list.len().to_list() == [3, 3, 3, 3]


def test_a_small_group_is_hidden_and_cannot_be_had_by_subtraction(taxonomy):
    many, _ = texts(300, 9, themes=THEMES[:2])
    few, _ = texts(4, 10, themes=THEMES[2:])
    rows = assign_topics(taxonomy, pl.concat([many, few]), week=WEEK)
    hidden = rows.filter(pl.col("documents").is_null())
    assert hidden.height >= 2
    assert hidden.select("people", "share", "share_low", "share_high").null_count().row(0) == (hidden.height,) * 4
    assert hidden["example_feedback_ids"].list.len().sum() == 0


def test_no_texts_of_the_week_give_the_empty_table(taxonomy):
    assert assign_topics(taxonomy, texts(0, 1)[0], week=WEEK).schema == FAILURE_TOPICS.schema


def test_function_words_of_no_language_name_a_topic():
    german, french = ("ich", "es", "die", "nicht", "erstattung"), ("le", "je", "une", "pas", "remboursement")
    taxonomy = fit_topics(texts(600, 3, themes=(german, french, THEMES[1]))[0], topics=3)
    words = {word for topic in taxonomy.topics for term in topic.name.split(", ") for word in term.split(" ")}
    assert words.isdisjoint({*german[:4], *french[:4]})
    assert {"erstattung", "remboursement"} <= words


def test_no_two_topics_have_one_name():
    # one theme, fitted as five topics: their best terms are the same few words
    taxonomy = fit_topics(texts(900, 4, themes=(THEMES[0],))[0], topics=5)
    names = [topic.name for topic in taxonomy.topics]
    assert len(set(names)) == len(names)


def test_what_everybody_writes_names_no_topic():
    rows, _ = texts(600, 1)
    greeted = rows.with_columns(text=pl.lit("dear assistant kindly regarding ") + pl.col("text") + " kind regards")
    named = " ".join(topic.name for topic in fit_topics(greeted, topics=3).topics)
    for boilerplate in ("dear", "kindly", "regarding", "regards", "assistant"):
        assert boilerplate not in named
