"""Run by a test: forgets Ada, and dies by SIGKILL at a chosen moment.

The name of a step means: its work is done and the step is not yet noted. Others: `opened` (nothing is done),
`computing` (a partition of a day is written, others are not), `deleting` (one of two uploads is deleted), `searching`
(in the midst of the verification), `finishing` (the receipt is written, the working file is still there).
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from feedback_pipeline.erasure import erasure, search, subjects
from feedback_pipeline.erasure.context import Erasure
from feedback_pipeline.erasure.steps import STEPS
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder
from tests.support.erasure_world import Uploads, ada, context, pipeline_at

home, url, fatal = sys.argv[1:]
WITHOUT_RUNS = ("opened", "datasets", "store", "mentions", "files", "exports")


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(Uploads):
    """Dies when it is asked for a second file."""

    def delete(self, file_id: str) -> None:
        if self.deleted():
            die()
        super().delete(file_id)


uploads = Uploads(Path(home) / "uploads.log")
if fatal == "opened":
    STEPS["withhold"] = die  # type: ignore[assignment]
elif fatal == "computing":
    write = ParquetFolder.write

    def once(self, table, partition, frames):  # type: ignore[no-untyped-def]
        write(self, table, partition, frames)
        die()

    ParquetFolder.write = once  # type: ignore[method-assign, assignment]
elif fatal == "deleting":
    uploads = Deadly(Path(home) / "uploads.log")
elif fatal == "searching":
    search.Found.look = die  # type: ignore[method-assign, assignment]
elif fatal == "finishing":
    subjects.Evidence.remove = die  # type: ignore[method-assign]
else:
    noted = Erasure._note

    def note(self, connection, step, counts):  # type: ignore[no-untyped-def]
        if step == fatal:
            die()
        noted(self, connection, step, counts)

    Erasure._note = note  # type: ignore[method-assign]

pipeline = pipeline_at(Path(home), Database(url))
instance = None
if fatal not in WITHOUT_RUNS:  # what dies before has no need of Dagster
    import dagster as dg

    instance = dg.DagsterInstance.ephemeral()
erasure.forget(replace(context(pipeline, instance), providers={"openai": uploads}), ada(pipeline))
