"""`datasets.load_dataset` on a folder with a dataset card, offline: every row must come back as it was written."""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from datasets import get_dataset_config_names, load_dataset

folder = Path(sys.argv[1])
for config in get_dataset_config_names(str(folder)):
    for split, rows in load_dataset(str(folder), config).items():
        stem = config.removesuffix("_partial") + ("-partial" if config.endswith("_partial") else "")
        source = folder / f"{stem}-{'holdout' if split == 'test' else split}.jsonl"
        written = [json.loads(line) for line in source.read_text(encoding="utf-8").split("\n") if line]
        same = [dict(row) for row in rows] == written
        print(json.dumps({"file": source.name, "passed": same, "detail": f"{len(written)} rows"}))
