"""An import in a process of its own, to be killed: `killed_import.py DATABASE_URL SOURCES HOME`."""

import sys
from pathlib import Path

from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.store.database import Database
from tests.support.ingesting import bring_in

if __name__ == "__main__":
    url, sources, home = sys.argv[1:]
    bring_in(
        Database(url),
        load_sources(Path(sources), {}),
        Path(home),
        batch_rows=500,
        on_progress=lambda progress: print(progress.rows, flush=True),
    )
