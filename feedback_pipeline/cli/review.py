"""`feedback review`: people say which of the texts that wait may be trained on."""

import unicodedata
from datetime import date
from typing import Annotated, Any

import polars as pl
import typer
from rich.rule import Rule
from rich.text import Text

from feedback_pipeline.calendar import window
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, CONFLICTING_ANSWERS
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.options import week_of
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import reviews
from feedback_pipeline.tables.parquet import of_ids
from feedback_pipeline.training import archive
from feedback_pipeline.training.reviews import undecided
from feedback_pipeline.training.tables import REVIEW_REASONS

console = PlainConsole()

KEYS: dict[str, reviews.Decision | None] = {"a": "accepted", "r": "rejected", "s": None}
QUIT = "q"
CHOICES = "[a]ccept  [r]eject  [s]kip  [q]uit"
QUESTIONS = {
    "correction": "Only one person stands behind this correction. May it be taught?",
    "planted": "This correction adds links, code or commands, or repeats a phrase of others. May it be taught?",
    "refusal": "People disliked this refusal. Is it to be taught as a wrong answer?",
    "browser": "A browser supplied this answer. May it be trained on as {} one?",
}


def review(
    reviewer: Annotated[str | None, typer.Option("--by", help="Who reviews; asked for if not given.")] = None,
    week: Annotated[str | None, typer.Option(help="Monday of the week; the newest curated one by default.")] = None,
    count: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    list_: Annotated[bool, typer.Option("--list", help="Only say how many wait, by reason.")] = False,
) -> None:
    """Let in, or keep out, what is trained on only after a person looked at it: lone corrections, disliked refusals,
    texts that browsers supplied."""
    pipeline = open_pipeline()
    monday = _curated_week(pipeline, week)
    if monday is None:
        _say("No week was curated yet: feedback materialize")
        raise typer.Exit(code=1)
    decided = reviews.read(pipeline.database)["feedback_id"]
    waiting = undecided(archive.kept_waiting(pipeline.frames, monday), decided)
    if list_:
        _list(pipeline, monday, waiting)
        return
    if waiting.is_empty():
        _say(f"Nothing of the week of {monday} waits for a review.")
        return
    name = (reviewer if reviewer is not None else str(typer.prompt("Your name"))).strip()
    if not name:
        raise typer.BadParameter("--by must not be blank")
    shown = _with_texts(pipeline, monday, waiting).head(count)
    given = _ask(pipeline, shown, name)
    accepted, rejected = given.count("accepted"), given.count("rejected")
    _say(f"{accepted} accepted, {rejected} rejected; {waiting.height - len(given)} of {waiting.height} still wait.")
    if given:
        _say(f"Take them into account: feedback materialize --week {monday}")


def _ask(pipeline: Pipeline, shown: pl.DataFrame, reviewer: str) -> list[reviews.Decision]:
    """Shows one after the other and files each decision at once; the decisions given."""
    given: list[reviews.Decision] = []
    for number, row in enumerate(shown.iter_rows(named=True), 1):
        _show_row(row, f"{number} of {shown.height}: {row['reason']}")
        pressed = _key()
        if pressed == QUIT:
            break
        decision = KEYS[pressed]
        if decision is None:
            continue
        if reviews.record(pipeline.database, row["feedback_ids"], decision, reviewer):
            given.append(decision)
        else:
            _say("Its votes are no longer in the store; nothing was recorded.")
    return given


def _curated_week(pipeline: Pipeline, text: str | None) -> date | None:
    if text is None:
        return archive.newest_waiting(pipeline.frames)
    return week_of(text)


def _list(pipeline: Pipeline, week: date, waiting: pl.DataFrame) -> None:
    counts = dict(waiting.group_by("reason").len().iter_rows())
    _say(f"Week of {week}: {waiting.height} wait for a review")
    for reason in REVIEW_REASONS:
        _say(f"{counts.get(reason, 0):>7,}  {reason}")
    contradicted = pipeline.frames.read(CONFLICTING_ANSWERS, [week]).filter(~pl.col("decided")).height
    _say(f"{contradicted:,} answers are left out because people contradict each other; more votes decide about them")


def _with_texts(pipeline: Pipeline, week: date, waiting: pl.DataFrame) -> pl.DataFrame:
    """Adds `prompt`, `answer`, `correction` of those whose text is still kept, in the same order."""
    days = window(week, pipeline.settings.training_weeks)
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days).select("feedback_id", "kind", "correction")
    answers = pipeline.frames.scan(CLEAN_INTERACTIONS, days).select("interaction_id", "prompt", "answer")
    told = of_ids(votes, "feedback_id", waiting["feedback_id"]).collect().unique("feedback_id")
    asked = of_ids(answers, "interaction_id", waiting["interaction_id"]).collect().unique("interaction_id")
    found = waiting.join(told, on="feedback_id", how="left", maintain_order="left").join(
        asked, on="interaction_id", how="left", maintain_order="left"
    )
    written = ~pl.col("reason").is_in(["correction", "planted"]) | pl.col("correction").is_not_null()
    return found.filter(pl.col("answer").is_not_null() & pl.col("kind").is_not_null() & written)


def _show_row(row: dict[str, Any], title: str) -> None:
    console.print(Rule(title))
    console.print(Text(QUESTIONS[row["reason"]].format("a good" if row["label"] else "a bad"), style="italic"))
    _show("asked", row["prompt"] or "")
    _show("answered", row["answer"])
    if row["reason"] in ("correction", "planted"):
        _show("corrected to", row["correction"])


def _show(title: str, text: str) -> None:
    """A stranger's text: without what could steer the terminal, and never as markup."""
    visible = "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cf"))
    console.print(Rule(title, style="dim", align="left"))
    console.print(Text(visible), soft_wrap=True)


def _key() -> str:
    """The key pressed; where nobody is there to press one, that is the end."""
    while True:
        try:
            pressed = str(typer.prompt(CHOICES)).strip().lower()[:1]
        except typer.Abort:
            return QUIT
        if pressed == QUIT or pressed in KEYS:
            return pressed
        _say("one of a, r, s, q")


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
