"""The sections about preferences, comments and corrections, and the headline where there is nothing else."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from statistics import median

import polars as pl

from feedback_pipeline.judging.preferences import preference_ranking
from feedback_pipeline.patterns.phrases import common_phrases
from feedback_pipeline.reports.parts import MIN_PEOPLE, NoResultPart
from feedback_pipeline.reports.said import Comments, Corrections, Phrase, Preferences, Ranked
from feedback_pipeline.reports.sections.estimates import NOT_COMPUTED
from feedback_pipeline.reports.sources import Sources

PHRASES = 8
MAX_COMPARED = 2_000
"""Corrections that are compared word by word: more change no median by a point."""
MAX_WORDS = 400


def preferences(sources: Sources) -> Preferences | NoResultPart:
    """Pairs that people compared, and the models ranked by them."""
    if sources.said is None:
        return NOT_COMPUTED
    given = sources.said.filter(pl.col("preference").is_not_null())
    if given.is_empty():
        return NoResultPart("nobody compared two answers")
    people = given["voter"].n_unique()
    found = Preferences(given.height, given.filter(pl.col("preference") == "tie").height, people, ())
    if people < MIN_PEOPLE and not sources.own:
        return _limited(found, f"they are from {people}, and rankings are shown from {MIN_PEOPLE} people on")
    known = given.drop_nulls(["model", "other_model"])
    ranked = preference_ranking(known) if known.height else pl.DataFrame()
    if ranked.is_empty():
        return _limited(found, "they do not name two models")
    models = tuple(
        Ranked(*row)
        for row in ranked.sort("project", "rank").select(
            "project", "model", "strength", "low", "high", "win_rate", "comparisons", "standing"
        ).iter_rows()
    )  # fmt: skip
    few = f"of {people} people: the intervals are about further votes of theirs" if people < MIN_PEOPLE else None
    return Preferences(found.comparisons, found.ties, people, models, few)


def _limited(found: Preferences, limit: str) -> Preferences:
    return Preferences(found.comparisons, found.ties, found.people, (), limit)


def comments(sources: Sources) -> Comments | NoResultPart:
    """What people wrote, and which words they share."""
    if sources.said is None:
        return NOT_COMPUTED
    written = sources.said.filter(pl.col("comment").str.strip_chars().fill_null("") != "")
    if written.is_empty():
        return NoResultPart("nobody wrote a comment")
    return Comments(
        written.height,
        written.filter(pl.col("verdict").is_null()).height,
        written["voter"].n_unique(),
        _phrases(written.select(text="comment", person="voter")),
    )


def corrections(sources: Sources) -> Corrections | NoResultPart:
    """What corrections change in the answers they are about."""
    if sources.said is None:
        return NOT_COMPUTED
    written = sources.said.filter(pl.col("correction").str.strip_chars().fill_null("") != "")
    if written.is_empty():
        return NoResultPart("nobody corrected an answer")
    found = Corrections(written.height, written["voter"].n_unique(), 0, None, None)
    known = written.filter(pl.col("answer").str.strip_chars().fill_null("") != "").head(MAX_COMPARED)
    if known.is_empty():
        return found
    kept, lengths, put, taken = [], [], [], []
    for voter, answer, correction in known.select("voter", "answer", "correction").iter_rows():
        before, after = answer.split()[:MAX_WORDS], correction.split()[:MAX_WORDS]
        changes = list(_changes(before, after))
        kept.append(1 - sum(len(gone) for gone, _ in changes) / len(before))
        lengths.append(len(after) / len(before))
        taken += [(voter, " ".join(gone)) for gone, _ in changes if gone]
        put += [(voter, " ".join(new)) for _, new in changes if new]
    added, removed = (
        _phrases(pl.DataFrame(rows, schema={"person": pl.String, "text": pl.String}, orient="row"))
        for rows in (put, taken)
    )
    return Corrections(
        found.corrections, found.people, known.height, float(median(kept)), float(median(lengths)), added, removed
    )


def _changes(before: list[str], after: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Words taken out with those put in their place."""
    old, new = ([word.strip(".,;:!?").lower() for word in words] for words in (before, after))
    for what, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what != "equal":
            yield before[i1:i2], after[j1:j2]


def _phrases(texts: pl.DataFrame) -> tuple[Phrase, ...]:
    found = common_phrases(texts, min_people=MIN_PEOPLE, most=PHRASES)
    return tuple(Phrase(*row) for row in found.select("term", "people", "texts").iter_rows())


def silence(facts: pl.DataFrame, said: pl.DataFrame | None, noun: str) -> NoResultPart | None:
    """Why there is no rate of votes: nobody voted, every vote is neutral, or there are corrections alone. None where
    people voted up or down.

    Args:
        facts: `vote_facts`.
        said: `Sources.said`.
        noun: week or month.
    """
    told = facts.filter(pl.col("verdict") != 0)
    if facts.height and told.is_empty():
        return NoResultPart(f"all {facts.height:,} votes this {noun} are neutral: neither up nor down")
    given = [] if said is None else list(_given(said))
    if facts.is_empty():
        instead = f"; people gave {', '.join(given)}" if given else ""
        return NoResultPart(f"nobody voted this {noun}{instead}")
    if said is not None and _only_corrections(told, said):
        return NoResultPart(
            f"people gave {', '.join(given)} this {noun} and no votes: who corrects an answer is not content with it, "
            "and who is content had nothing to say it with"
        )
    return None


def silent_but_heard(facts: pl.DataFrame, said: pl.DataFrame | None) -> bool:
    """People gave feedback, and no votes up or down."""
    heard = facts.height > 0 or (said is not None and said.height > 0)
    return heard and silence(facts, said, "") is not None


def _given(said: pl.DataFrame) -> Iterator[str]:
    for column, noun in (("preference", "preference"), ("comment", "comment"), ("correction", "correction")):
        count = said[column].drop_nulls().len()
        if count:
            yield f"{count:,} {noun}{'' if count == 1 else 's'}"


def _only_corrections(told: pl.DataFrame, said: pl.DataFrame) -> bool:
    """Every verdict is one that a correction implies."""
    implied = said.filter(pl.col("correction").is_not_null() & (pl.col("kind") == "correction"))["feedback_id"]
    return told["feedback_id"].is_in(implied.implode()).all()
