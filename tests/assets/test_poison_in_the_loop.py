"""Planted poison against what reached the training files, through the real assets.

`pytest -s tests/assets/test_poison_in_the_loop.py` prints the table.
"""

from pathlib import Path

import dagster as dg
import polars as pl

from feedback_pipeline.store.database import Database
from feedback_pipeline.training.tables import FUNNEL
from jobs import runs
from tests.support import poison
from tests.support.world import END, WEEKS, with_sample


def test_attackers_reach_the_files_with_their_share_and_no_more(database: Database, tmp_path: Path) -> None:
    pipeline = with_sample(tmp_path / "home", database, votes=3000)
    attacks = [
        *poison.plant(pipeline, END, flood=250, promoted=15, backdoored=12, puppets=400),
        *poison.planted_by_the_sample(pipeline),
    ]
    with dg.DagsterInstance.ephemeral() as instance:
        result = runs.compute(pipeline, instance)
    assert result.failed == ()
    week = WEEKS[-1]
    table = poison.reached(pipeline, week, attacks)
    with pl.Config(tbl_width_chars=200, fmt_str_lengths=60, tbl_hide_dataframe_shape=True):
        print(f"\n{table}\nfiles that hold the planted phrase: {poison.files_with(pipeline, week, poison.BACKDOOR)}")
    found = {row["attack"]: row for row in table.iter_rows(named=True)}

    heavy = found["one heavy voter"]
    assert heavy["events"] == 250
    assert 0 < heavy["alone"] <= 20, "the larger of twenty rows and one per cent; others vouch for the rest"

    brigade = found["a brigade that approves"]
    assert brigade["events"] == 30 * 15
    assert brigade["examples"] <= 15, "an answer counts once, however many approve of it"
    assert brigade["share"] < 0.05

    puppets = found["fifty new accounts of one person"]
    assert puppets["events"] == 400
    # which of their answers are taken follows from keyed hashes, and each home has keys of its own: 64 to 69 of 270
    assert 0 < puppets["alone"] < 0.3 * puppets["examples"], "they are one crowd, whatever the number of accounts"
    # a twentieth of the rows of each label; votes of the last days weigh more, so of the lines 5.1 to 6.4 %
    assert puppets["share"] < 0.075

    writers = found["a phrase in corrections"]
    assert writers["events"] == 36
    assert poison.files_with(pipeline, week, poison.BACKDOOR) == []
    funnel = pipeline.frames.read(FUNNEL, [week])
    assert funnel.filter(pl.col("step") == "nothing planted")["rows_dropped"].item() == 12
