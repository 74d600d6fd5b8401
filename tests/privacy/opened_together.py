"""Opens the keys of one home after another, each when it is told to, and says what it got: for `test_key_races.py`."""

import sys

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.pseudonyms import WrongKeyError
from feedback_pipeline.settings import Settings

print("ready", flush=True)
for line in sys.stdin:
    home, database = line.split()
    pipeline = Pipeline(Settings.from_environment({"FEEDBACK_HOME": home, "FEEDBACK_DATABASE_URL": database}))
    pipeline.database.address()
    print("at the line", flush=True)
    sys.stdin.readline()
    try:
        print(pipeline.pseudonymiser.fingerprints()["k1"], flush=True)
    except WrongKeyError:
        print("refused", flush=True)
