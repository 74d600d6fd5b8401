"""A small world of answers and votes that tests write by hand, in the shape curation reads."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from feedback_pipeline.cleaning.signatures import hash_texts, normalise
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.training.curation import Curated, curate
from feedback_pipeline.training.rules import CurationSettings

END = date(2026, 11, 15)
"""Last day of the window: a Sunday."""

TRUST: dict[str, pl.DataType | type[pl.DataType]] = {
    "tenant": pl.String,
    "voter": pl.String,
    "weight": pl.Float32,
    "reasons": pl.List(pl.String),
}


def settings(**changes: Any) -> CurationSettings:
    return CurationSettings(**{"key": "a key for tests", **changes})


@dataclass
class World:
    """Answers and votes; `clusters` joins prompts that count as near duplicates."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    votes: list[dict[str, Any]] = field(default_factory=list)
    clusters: dict[str, str] = field(default_factory=dict)
    trust: dict[str, float] = field(default_factory=dict)

    def answer(self, prompt: str, answer: str | None = None, **changes: Any) -> str:
        number = len(self.answers)
        name = changes.pop("interaction_id", f"00000000-0000-4000-8000-{number:012d}")
        day = changes.pop("day", END - timedelta(days=30))
        self.answers.append(
            {
                "interaction_id": name,
                "tenant": "acme",
                "day": day,
                "occurred_at": datetime(day.year, day.month, day.day, 9, tzinfo=UTC),
                "prompt": prompt,
                "messages": None,
                "answer": f"Here is what to do about {prompt}" if answer is None else answer,
                "context": "full",
                "provenance": "logged",
                "source": "test",
                "finish_reason": "stop",
                "inclusion_probability": 1.0,
                "use_for_training": True,
                **changes,
            }
        )
        return str(name)

    def vote(self, interaction: str, verdict: str | None, voter: str, **changes: Any) -> str:
        name = f"10000000-0000-4000-8000-{len(self.votes):012d}"
        about = next(row for row in reversed(self.answers) if row["interaction_id"] == interaction)
        day = changes.pop("day", about["day"])
        self.votes.append(
            {
                "feedback_id": name,
                "interaction_id": interaction,
                "tenant": about["tenant"],
                "day": day,
                "interaction_day": about["day"],
                "occurred_at": datetime(day.year, day.month, day.day, 10, tzinfo=UTC),
                "kind": "explicit",
                "verdict": verdict,
                "strength": 1.0 if verdict else None,
                "counts": verdict is not None,
                "disagrees": False,
                "user_key": voter,
                "voter": voter,
                "conversation_id": about.get("conversation_id"),
                "source": "test",
                "provenance": about["provenance"],
                "use_for_analysis": True,
                "use_for_training": True,
                "admissible": about["provenance"] != "browser",
                **changes,
            }
        )
        return str(name)

    def correct(self, interaction: str, text: str, voter: str, **changes: Any) -> str:
        return self.vote(interaction, "down", voter, kind="correction", correction=text, **changes)

    def prefer(self, this: str, other: str, winner: str, voter: str, **changes: Any) -> str:
        return self.vote(this, None, voter, kind="preference", preference=winner, other_interaction_id=other, **changes)

    @property
    def votes_frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.votes, schema=CLEAN_FEEDBACK.schema)

    @property
    def answers_frame(self) -> pl.LazyFrame:
        return pl.DataFrame(self.answers, schema=CLEAN_INTERACTIONS.schema).lazy()

    @property
    def signatures(self) -> pl.DataFrame:
        rows = self.answers_frame.collect()
        prompt, answer = normalise(rows["prompt"]), normalise(rows["answer"])
        pair = pl.select(pl.concat_str([prompt, answer], separator="\x1f", ignore_nulls=False)).to_series()
        joined = normalise(rows["prompt"].replace(self.clusters)) if self.clusters else prompt
        return rows.select("interaction_id", "day").with_columns(
            prompt_hash=hash_texts(prompt), pair_hash=hash_texts(pair), cluster_id=hash_texts(joined)
        )

    @property
    def trust_frame(self) -> pl.DataFrame:
        rows = [
            {"tenant": "acme", "voter": voter, "weight": weight, "reasons": []} for voter, weight in self.trust.items()
        ]
        return pl.DataFrame(rows, schema=TRUST)

    def curated(
        self,
        *,
        evaluation: list[str] = [],  # noqa: B006
        reviewed: list[str] = [],  # noqa: B006
        rejected: list[str] = [],  # noqa: B006
        **changes: Any,
    ) -> Curated:
        return curate(
            self.votes_frame,
            self.answers_frame,
            self.signatures,
            self.trust_frame,
            settings(**changes),
            END,
            evaluation_hashes=hash_texts(normalise(pl.Series(evaluation, dtype=pl.String))),
            reviewed=pl.Series(reviewed, dtype=pl.String),
            rejected=pl.Series(rejected, dtype=pl.String),
        )


def dropped(curated: Curated, step: str) -> int:
    """Rows the step of the funnel dropped."""
    rows = curated.funnel.filter(pl.col("step") == step)["rows_dropped"]
    assert len(rows) == 1, f"step {step} is in the funnel {len(rows)} times"
    return int(rows[0])


def many(world: World, count: int, people: int = 40, start: int = 0) -> None:
    """`count` distinct questions over the twelve weeks, four approved for one disapproved, by `people` people."""
    for number in range(start, start + count):
        day = END - timedelta(days=number % 84)
        name = world.answer(f"question number {number}", f"reply number {number} in some detail", day=day,
                            intent=("code", "general", "writing")[number % 3], language="en",
                            conversation_id=f"c{number // 2}")  # fmt: skip
        world.vote(name, "down" if number % 5 == 0 else "up", f"person{number % people}", day=day)
