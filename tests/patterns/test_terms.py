"""Words are counted exactly, rare ones are forgotten, and only phrases beyond chance are said, once each."""

import datetime as dt
import re
from collections import Counter, defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.patterns import terms
from feedback_pipeline.patterns.languages import languages_of
from feedback_pipeline.patterns.tables import TERM_COUNTS, TERM_FINDINGS
from feedback_pipeline.patterns.term_findings import find_terms, log_odds
from feedback_pipeline.patterns.terms import count_terms

DAY = dt.date(2026, 11, 9)
SCHEMA = {"text": pl.String, "verdict": pl.Int8, "person": pl.UInt64, "field": pl.String}


def frame(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def naive(rows, min_people):
    """Documents, people and people of any verdict per (field, phrase, verdict), by plain sets."""
    documents, people = Counter(), defaultdict(set)
    rows = [row for row in rows if row[0] is not None]
    languages = languages_of(pl.Series([row[0] for row in rows], dtype=pl.String))
    for (text, verdict, person, name), language in zip(rows, languages, strict=True):
        field = (name, language)
        words = re.findall(r"[^\W_]+(?:['’][^\W\d_]+)*", text.lower())
        phrases = {" ".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1)} | {""}
        for phrase in phrases:
            documents[field, phrase, verdict] += 1
            people[field, phrase, verdict].add(person)
    everyone = defaultdict(set)
    for (field, phrase, _), who in people.items():
        everyone[field, phrase] |= who
    return {
        key: (count, len(people[key]), len(everyone[key[:2]]))
        for key, count in documents.items()
        if len(everyone[key[:2]]) >= min_people or key[1] == ""
    }


words = st.sampled_from(["the", "refund", "was", "slow", "Don't", "Straße", "4", "naïve", "ΟΔΟΣ"])
between = st.sampled_from([" ", "  ", ", ", "/", "\n", "\u00a0", "' ", "'"])
rows = st.tuples(
    st.none() | st.lists(st.tuples(words, between), max_size=8).map(lambda said: "".join(map("".join, said))),
    st.sampled_from([-1, 0, 1]),
    st.integers(0, 5),
    st.sampled_from(["prompt", "comment"]),
)


@given(st.lists(rows, max_size=25), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_every_phrase_is_counted_as_plain_sets_count_it(texts, min_people):
    counts = count_terms(frame(texts), day=DAY, min_people=min_people)
    ours = {
        ((row["field"], row["language"]), row["term"], row["verdict"]): (
            row["documents"],
            row["people"],
            row["term_people"],
        )
        for row in counts.iter_rows(named=True)
    }
    assert ours == naive(texts, min_people)
    assert TERM_COUNTS.problems(counts) == []


spoken = [
    "the",
    "was",
    "not",
    "der",
    "und",
    "nicht",
    "l'on",
    "qu'il",
    "don't",
    "les",
    "ist",
    "[EMAIL_1]",
    "[",
    "ですか",
]
said = st.lists(st.sampled_from([*spoken, "x" * 600]) | st.text(max_size=4), max_size=9).map(" ".join)


def test_days_counted_in_one_pass_are_as_counted_alone():
    spread = zip((0, 0, 1, 2), ("Wie ist das", "what is the price", "und was ist das", "price?"), strict=True)
    said = pl.concat(
        frame([(f"{text} {n % 7}", n % 3 - 1, n, ("prompt", "comment")[n % 2]) for n in range(9)]).with_columns(
            day=pl.lit(DAY + dt.timedelta(days=place))
        )
        for place, text in spread
    )
    alone = [terms.count_terms(some, day=day) for (day,), some in said.partition_by("day", as_dict=True).items()]
    together = terms.count_terms_of_days(said)
    assert together["language"].unique().sort().to_list() == ["", "de", "en"]
    assert together.equals(pl.concat(alone))
    assert together.height > 20


@given(st.lists(st.tuples(said, st.none() | st.sampled_from(["de", "xx"])), max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_text_is_of_the_language_its_beginning_is_of(texts):
    column = pl.Series([text for text, _ in texts], dtype=pl.String)
    declared = pl.Series([language for _, language in texts], dtype=pl.String)
    words = terms._Words.of(column, 2_000)
    told = pl.DataFrame({"language": terms._languages(column, words, declared)}).with_columns(day=pl.lit(DAY))
    assert terms._with_main_languages(told).to_list() == languages_of(column, declared).to_list()


@given(st.lists(st.integers(0, 2**50) | st.integers(0, 9), max_size=50))
def test_keys_of_any_size_are_put_in_order(keys):
    array = np.array(keys, dtype=np.int64)
    assert terms._order(array).tolist() == np.argsort(array, kind="stable").tolist()


def test_a_large_vocabulary_is_counted_exactly_too():
    rng = np.random.default_rng(0)
    vocabulary = [f"w{i}" for i in range(400)]
    texts = [
        (
            " ".join(rng.choice(vocabulary, 12, p=np.arange(400, 0, -1) / 80_200)),
            int(rng.choice([-1, 1])),
            int(p),
            "prompt",
        )
        for p in rng.integers(0, 300, 1_500)
    ]
    counts = count_terms(frame(texts), day=DAY)
    ours = {((r["field"], r["language"]), r["term"], r["verdict"]): (r["documents"], r["people"], r["term_people"])
            for r in counts.iter_rows(named=True)}  # fmt: skip
    assert ours == naive(texts, 5)


def test_words_of_fewer_than_five_people_are_not_kept():
    texts = [("my secret is xyzzy", -1, person, "comment") for person in range(4)] * 10
    counts = count_terms(frame(texts), day=DAY)
    assert counts["term"].unique().to_list() == [""]
    more = count_terms(frame([*texts, ("XYZZY!", 1, 99, "comment")]), day=DAY)
    assert more["term"].unique().sort().to_list() == ["", "xyzzy"]


def test_placeholders_are_no_words_and_end_a_phrase():
    texts = [("mail [EMAIL_1] please [at] once", -1, person, "prompt") for person in range(6)]
    terms = set(count_terms(frame(texts), day=DAY)["term"])
    assert terms == {"", "mail", "please", "at", "once", "please at", "at once", "please at once"}


@pytest.mark.parametrize("text", ["", "!!! ... 🙂", "[EMAIL_1]", "\x00"])
def test_texts_without_words_count_as_texts(text):
    counts = count_terms(frame([(text, -1, person, "comment") for person in range(6)]), day=DAY)
    assert counts.select("term", "documents").rows() == [("", 6)]


def test_no_texts_give_the_empty_tables():
    counts = count_terms(frame([]), day=DAY)
    assert counts.schema == TERM_COUNTS.schema
    assert find_terms(counts, week=DAY).schema == TERM_FINDINGS.schema


def test_markup_and_formulas_stay_text():
    texts = [("<script>alert('x')</script> =SUM(A1)", -1, person, "comment") for person in range(6)]
    assert {"script alert x", "sum a1"} <= set(count_terms(frame(texts), day=DAY)["term"])


# Findings


def corpus(seed, n=4_000, people=2_000, planted=()):
    """Texts of common words; each planted phrase goes into a share of them and changes the chance of a vote down."""
    rng = np.random.default_rng(seed)
    vocabulary = [f"word{i}" for i in range(60)]
    texts = []
    for _ in range(n):
        words, negative = list(rng.choice(vocabulary, 8)), 0.2
        for phrase, share, rate in planted:
            if rng.random() < share:
                words.insert(int(rng.integers(0, len(words))), phrase)
                negative = rate
        texts.append((" ".join(words), -1 if rng.random() < negative else 1, int(rng.integers(people)), "prompt"))
    return frame(texts)


def test_planted_phrases_are_found_once_each_and_on_the_right_side():
    texts = corpus(1, planted=(("the refund was not paid", 0.03, 0.7), ("thanks", 0.1, 0.02)))
    findings = find_terms(count_terms(texts, day=DAY), week=DAY)
    assert TERM_FINDINGS.problems(findings) == []
    down = findings.filter(pl.col("side") == "down")["term"].to_list()
    assert len(down) == 1
    assert down[0] in "the refund was not paid"
    assert findings.filter(pl.col("side") == "up")["term"].to_list() == ["thanks"]


def test_fragments_of_one_long_sentence_are_one_phrase():
    sentence = "my parcel never arrived although the tracking page says otherwise"
    texts = corpus(4, planted=((sentence, 0.03, 0.8),))
    findings = find_terms(count_terms(texts, day=DAY), week=DAY)
    down = findings.filter(pl.col("side") == "down")["term"].to_list()
    assert len(down) == 1
    assert down[0] in sentence


def test_people_of_a_rare_phrase_are_counted_over_the_week():
    days = [corpus(10 + day, n=120, people=60) for day in range(7)]
    # two people a day say it, and all are unhappy: never five on one day
    said = [frame([("nothing but gibberish", -1, 1000 + 2 * day + n, "prompt") for n in (0, 1)]) for day in range(7)]
    by_day = pl.concat([count_terms(pl.concat([texts, more]), day=DAY) for texts, more in zip(days, said, strict=True)])
    assert find_terms(by_day, week=DAY).filter(side="down").is_empty()
    found = find_terms(count_terms(pl.concat([*days, *said]), day=DAY), week=DAY).filter(side="down")
    assert found["people"].to_list() == [14]
    assert "gibberish" in found["term"][0]


def test_a_word_is_kept_where_only_the_word_matters():
    # "slow" is bad in whatever company; "so slow" and "slow today" add nothing.
    texts = corpus(2, planted=(("so slow", 0.03, 0.6), ("slow today", 0.03, 0.6), ("slow", 0.05, 0.6)))
    findings = find_terms(count_terms(texts, day=DAY), week=DAY)
    assert findings.filter(pl.col("side") == "down")["term"].to_list() == ["slow"]


def test_a_phrase_is_kept_where_its_words_alone_are_harmless():
    texts = corpus(3, planted=(("not", 0.2, 0.2), ("working", 0.2, 0.2), ("not working", 0.04, 0.7)))
    findings = find_terms(count_terms(texts, day=DAY), week=DAY)
    assert findings.filter(pl.col("side") == "down")["term"].to_list() == ["not working"]


def test_shuffled_verdicts_give_no_finding():
    found = 0
    for seed in range(10):
        texts = corpus(10 + seed, planted=(("refund", 0.1, 0.2),))
        found += not find_terms(count_terms(texts, day=DAY), week=DAY).is_empty()
    assert found <= 2  # 5 % of weeks at most: 3 or more of 10 would happen in 1 % of such runs


def test_one_person_who_repeats_a_word_does_not_make_a_finding():
    texts = corpus(4)
    spam = frame([("zebra", -1, 10**6, "prompt")] * 300 + [("zebra", -1, person, "prompt") for person in range(4)])
    findings = find_terms(count_terms(pl.concat([texts, spam]), day=DAY), week=DAY)
    assert "zebra" not in set(findings["term"])


@pytest.mark.parametrize("verdict", [1, -1])
def test_votes_that_all_agree_leave_nothing_to_compare(verdict):
    texts = corpus(5, n=300).with_columns(pl.lit(verdict, dtype=pl.Int8).alias("verdict"))
    assert find_terms(count_terms(texts, day=DAY), week=DAY).is_empty()


def test_days_add_up_to_the_week():
    texts = corpus(6, planted=(("refund", 0.1, 0.6),))
    days = [
        count_terms(part, day=DAY + dt.timedelta(days=place))
        for place, part in enumerate((texts.head(2_000), texts.tail(2_000)))
    ]
    row = find_terms(pl.concat(days), week=DAY).filter(pl.col("term") == "refund").to_dicts()[0]
    whole = texts.filter(pl.col("text").str.contains(r"\brefund\b"))
    assert row["down_documents"] == (whole["verdict"] == -1).sum()
    assert row["up_documents"] == (whole["verdict"] == 1).sum()


def test_log_odds_are_those_of_the_paper():
    # Monroe et al. 2008, eq. 16–22, by hand for one term: y = 30 of 100 against 10 of 200, prior worth 50 documents.
    ratio, z = log_odds(np.array([30.0]), np.array([10.0]), 100.0, 200.0, 50.0)
    prior = 50.0 * 40.0 / 300.0
    down, up = (30.0 + prior) / (70.0 + 50.0 - prior), (10.0 + prior) / (190.0 + 50.0 - prior)
    assert ratio[0] == pytest.approx(np.log(down / up))
    parts = [30.0 + prior, 10.0 + prior, 120.0 - prior, 240.0 - prior]
    assert z[0] == pytest.approx(ratio[0] / np.sqrt(sum(1.0 / part for part in parts)))


def test_order_of_texts_changes_nothing():
    texts = corpus(7, planted=(("refund", 0.1, 0.6),))
    turned = texts.sample(fraction=1.0, shuffle=True, seed=1)
    assert count_terms(texts, day=DAY).equals(count_terms(turned, day=DAY))


def test_words_of_a_less_content_language_are_no_findings(week):
    """Germans vote down more often; no word of theirs or of the English goes with it within its language."""
    rng = np.random.default_rng(4)
    german = ["das ist nicht gut und ich bin der kunde", "ich habe eine frage und das ist die antwort nicht"]
    english = ["this is the answer and i have a question", "that was not what i asked you for"]
    rows = []
    for number in range(1200):
        texts, share = (german, 0.5) if number % 3 == 0 else (english, 0.1)
        slow = rng.random() < 0.15
        down = rng.random() < (0.7 if slow and texts is english else share)
        rows.append((str(rng.choice(texts)) + (" slow" if slow else ""), -1 if down else 1, number % 400, "comment"))
    texts = pl.DataFrame(rows, schema={"text": pl.String, "verdict": pl.Int8, "person": pl.UInt64, "field": pl.String},
                         orient="row")  # fmt: skip
    found = find_terms(count_terms(texts, day=week), week=week)
    assert found.select("language", "term").rows() == [("en", "slow")]
