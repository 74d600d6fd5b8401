"""Batches of sample rows in the order they are delivered."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from feedback_pipeline.sample.answers import draw_answers
from feedback_pipeline.sample.faults import BAD_ROW_COLUMNS, bad_rows
from feedback_pipeline.sample.people import People, gather_people
from feedback_pipeline.sample.personal import place_values
from feedback_pipeline.sample.planted import MODELS, PROMPT_VERSIONS, level_names
from feedback_pipeline.sample.rows import answer_ids, feedback_rows, interaction_rows, key_rows
from feedback_pipeline.sample.texts import TextComposer
from feedback_pipeline.sample.timeline import Part, Timeline
from feedback_pipeline.sample.votes import draw_votes
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, INCOMING_INTERACTION, INCOMING_KEY


@dataclass(frozen=True)
class SampleBatch:
    """What is delivered on a day, or on a part of a busy one.

    Attributes:
        day: the day of delivery.
        interactions: answers, as INCOMING_INTERACTION.
        keys: the callers' names for them, as INCOMING_KEY.
        feedback: events, as INCOMING_FEEDBACK, except that repeated deliveries repeat the id; some are about answers
            that come in a later batch, or never.
        bad_rows: rows as texts (columns BAD_ROW_COLUMNS) that an import has to refuse.

    User and session keys and texts are raw: who takes the batch pseudonymises and redacts them first.
    """

    day: date
    interactions: pl.DataFrame
    keys: pl.DataFrame
    feedback: pl.DataFrame
    bad_rows: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema=dict.fromkeys(BAD_ROW_COLUMNS, pl.String))
    )


@dataclass
class _Outbox:
    """Rows that wait for the day they are delivered on."""

    waiting: dict[int, list[pl.DataFrame]] = field(default_factory=dict)

    def post(self, rows: pl.DataFrame, days: pl.Series, today: int) -> list[pl.DataFrame]:
        """Keeps the rows of later days (`days` counts from the first day) and gives back today's."""
        later = days > today
        if later.any():
            grouped = rows.filter(later).with_columns(_day=days.filter(later)).sort("_day", maintain_order=True)
            for (day,), frame in grouped.partition_by("_day", as_dict=True, include_key=False).items():
                self.waiting.setdefault(int(day), []).append(frame)
        return [rows.filter(days == today)]

    def due(self, today: int) -> list[pl.DataFrame]:
        return self.waiting.pop(today, [])


def generate(votes: int, weeks: int, seed: int, end: date) -> Iterator[SampleBatch]:
    """Yields sample feedback: `votes` first explicit votes over whole weeks (Monday to Sunday) up to the last Sunday
    that is not after `end`, with the answers, corrections, preferences, outcomes and signals that go with them.

    Memory is bounded by one batch. The rows depend on the arguments alone (and on the versions of NumPy and Polars).

    Raises:
        ValueError: fewer than one vote or week, or a negative seed.
    """
    timeline = Timeline(votes, weeks, seed, end)
    return _batches(timeline)


def _batches(timeline: Timeline) -> Iterator[SampleBatch]:
    people = gather_people(timeline)
    answers_out, feedback_out = _Outbox(), _Outbox()
    for part in timeline.parts():
        due_answers, due_feedback = answers_out.due(part.day_index), feedback_out.due(part.day_index)
        interactions, feedback = _deliver(timeline, people, part, answers_out, feedback_out)
        delivered = pl.concat([INCOMING_INTERACTION.empty(), *due_answers, *interactions])
        yield SampleBatch(
            part.day,
            delivered,
            key_rows(delivered) if delivered.height else INCOMING_KEY.empty(),
            pl.concat([INCOMING_FEEDBACK.empty(), *due_feedback, *feedback]),
            bad_rows(timeline, part, people),
        )


def _deliver(
    timeline: Timeline, people: People, part: Part, answers_out: _Outbox, feedback_out: _Outbox
) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Draws a part, posts what comes later, and gives back today's interactions and feedback."""
    answers = draw_answers(timeline, people, part)
    drawn = draw_votes(timeline, people, part, answers)
    placed = place_values(timeline, part, answers, drawn.events)
    ids = answer_ids(timeline, part, answers)
    texts = TextComposer.of(timeline, part, answers)
    interactions = interaction_rows(timeline, part, people, answers, ids, texts, placed)
    feedback = feedback_rows(timeline, part, people, answers, ids, drawn.events, texts, placed)
    today = part.day_index
    after = pl.Series(drawn.answers_after)
    repeats = drawn.events.filter("repeated")["repeat_after"]
    return (
        answers_out.post(interactions.filter(after >= 0), after.filter(after >= 0) + today, today),
        [
            *feedback_out.post(feedback, drawn.events["deliver_after"] + today, today),
            *feedback_out.post(feedback.filter(drawn.events["repeated"]), repeats + today, today),
        ],
    )


def answer_labels(votes: int, weeks: int, seed: int, end: date) -> Iterator[pl.DataFrame]:
    """Yields the hidden quality of every answer of `generate` with the same arguments, a part at a time:
    `interaction_id`, `day`, `model`, `prompt_version`, `good`. What a perfect judge would say.
    """
    timeline = Timeline(votes, weeks, seed, end)
    people = gather_people(timeline)
    for part in timeline.parts():
        answers = draw_answers(timeline, people, part)
        yield pl.DataFrame(
            {
                "interaction_id": answer_ids(timeline, part, answers),
                "day": pl.repeat(part.day, answers.height, dtype=pl.Date, eager=True),
                "model": pl.Series(level_names(MODELS), dtype=pl.String).gather(answers["model"]),
                "prompt_version": pl.Series(level_names(PROMPT_VERSIONS), dtype=pl.String).gather(answers["version"]),
                "good": answers["good"],
            }
        )
