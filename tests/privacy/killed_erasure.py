"""Run by a test: forgets Ada, and dies by SIGKILL when a step's work is done and the step is not yet noted."""

import os
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from erasure_world import ada, house, pipeline_at  # noqa: E402 (found through the path above)

from feedback_pipeline.privacy import erasure  # noqa: E402
from feedback_pipeline.store.database import Database  # noqa: E402

home, url, fatal = sys.argv[1:]


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if fatal == "opened":
    erasure.STEPS["withhold"] = die  # type: ignore[assignment]
else:
    noted = erasure.Erasure._note

    def note(self, connection, step, counts):  # type: ignore[no-untyped-def]
        if step == fatal:
            die()
        noted(self, connection, step, counts)

    erasure.Erasure._note = note  # type: ignore[method-assign]

pipeline = pipeline_at(Path(home), Database(url))
erasure.forget(house(pipeline, None), ada(pipeline))
