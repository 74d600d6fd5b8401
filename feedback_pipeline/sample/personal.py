"""Where personal data and look-alikes are planted: which texts of a part carry a value of which type."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feedback_pipeline.sample.identities import LOOK_ALIKE_TYPES, PERSONAL_TYPES, POOL_SIZE
from feedback_pipeline.sample.people import Ints
from feedback_pipeline.sample.timeline import Part, Timeline
from feedback_pipeline.sample.votes import COMMENT_TOPICS

IN_PROMPTS_PER_MILLION = 3_000
IN_COMMENTS_PER_MILLION = 150
LOOK_ALIKE_PER_MILLION = 2_000
ECHOED = 0.3
"""Share of the e-mail addresses in prompts that the answer repeats."""

VALUE_TYPES = (*PERSONAL_TYPES, *LOOK_ALIKE_TYPES)

_PLACED = pl.Schema({"row": pl.Int64, "type": pl.Int64, "value": pl.Int64, "echoed": pl.Boolean})


@dataclass(frozen=True)
class PlacedValues:
    """Planted values: `row` of the answers or events, `type` in VALUE_TYPES, `value` in the type's pool, and whether
    the answer echoes it.
    """

    prompts: pl.DataFrame
    comments: pl.DataFrame


def place_values(timeline: Timeline, part: Part, answers: pl.DataFrame, events: pl.DataFrame) -> PlacedValues:
    """Chooses the texts of a part that carry personal data or a look-alike."""
    random = timeline.random("personal", part.day_index, part.number)
    # A prompt that was answered twice would count its values twice.
    answered_twice = answers.filter(pl.col("pair_of") >= 0)["pair_of"].implode()
    once = (pl.col("pair_of") < 0) & ~pl.col("row").is_in(answered_twice) & (pl.col("popular") < 0)
    free = answers.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)).filter(once)["row"].to_numpy()
    honest = (pl.col("topic") >= 0) & (pl.col("topic") != COMMENT_TOPICS.index("spam"))
    commented = events.with_row_index("row").filter(honest)["row"].to_numpy()
    personal = range(len(PERSONAL_TYPES))
    look_alike = range(len(PERSONAL_TYPES), len(VALUE_TYPES))
    return PlacedValues(
        prompts=pl.concat(
            [
                *(_place(random, free, kind, part.quota(IN_PROMPTS_PER_MILLION)) for kind in personal),
                *(_place(random, free, kind, part.quota(LOOK_ALIKE_PER_MILLION)) for kind in look_alike),
            ]
        ),
        comments=pl.concat([_place(random, commented, kind, part.quota(IN_COMMENTS_PER_MILLION)) for kind in personal]),
    )


def _place(random: np.random.Generator, rows: Ints, kind: int, count: int) -> pl.DataFrame:
    chosen = np.sort(random.permutation(rows)[:count]).astype(np.int64)
    echoed = (random.random(len(chosen)) < ECHOED) & (VALUE_TYPES[kind] == "email")
    return pl.DataFrame(
        {
            "row": chosen,
            "type": np.full(len(chosen), kind),
            "value": random.integers(0, POOL_SIZE, len(chosen)),
            "echoed": echoed,
        },
        schema=_PLACED,
    )
