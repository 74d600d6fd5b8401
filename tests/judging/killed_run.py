"""Judges sixty answers, four calls in flight, with a cache of files or in PostgreSQL: the process that a test kills."""

import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.llm.calls import CallLayer, Endpoint
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.replies import PostgresReplyCache


class FolderCache:
    """One file a reply, written under a temporary name and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: (self.folder / key).read_bytes() for key in keys if (self.folder / key).exists()}

    async def keep(self, key: str, reply: bytes) -> None:
        temporary = self.folder / f"{key}.part"
        temporary.write_bytes(reply)
        temporary.rename(self.folder / key)


def main(base_url: str, place: str) -> None:
    stored = place.startswith("postgresql://")
    cache = PostgresReplyCache(Database(place)) if stored else FolderCache(Path(place))
    endpoint = Endpoint(base_url, "judge-1", "test", concurrency=4)
    judge = ModelJudge(CallLayer(endpoint, cache=cache), read_rubric())
    numbers = [f"{number:03}" for number in range(60)]
    answers = pl.DataFrame({"interaction_id": numbers, "prompt": numbers, "answer": numbers})
    assert judge_answers(answers, judge)["status"].unique().to_list() == ["ok"]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
