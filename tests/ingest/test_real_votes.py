"""Votes by real people: what their publishers say is in them is what comes in."""

from pathlib import Path

import pytest

from feedback_pipeline.ingest.judgements import recorded_judgements
from feedback_pipeline.ingest.sources import Sources, load_sources
from feedback_pipeline.store.database import Database
from tests.support.ingesting import bring_in, query, reasons, rejected


@pytest.fixture
def sources(shared_data: Path) -> Sources:
    file = Path(__file__).resolve().parents[1] / "real" / "sources.yaml"
    return load_sources(file, {"FEEDBACK_SHARED_DATA": str(shared_data)})


def test_every_vote_comes_in_and_what_is_broken_is_told(tmp_path: Path, database: Database, sources: Sources) -> None:
    summary = bring_in(database, sources, tmp_path)
    assert summary.problems == ()
    found = {source.name: source for source in summary.sources}
    # llmfao: 8,931 votes of 124 workers on pairs of 1,133 answers; verdicts of two models on the 2,139 pairs.
    assert (found["llmfao-answers"].interactions, found["llmfao"].events, found["llmfao"].refused) == (1133, 8931, ())
    assert (found["llmfao-gpt-4"].judgements, found["llmfao-gpt-3"].judgements) == (2139, 2139)
    # PandaLM: 3 annotators × (999 − 6 pairs with a JSON boolean for a text).
    assert found["pandalm"].events == 3 * 993
    assert sum(reasons(found["pandalm"]).values()) == 6
    assert {reason for reason, _ in reasons(found["pandalm"])} == {"not_text"}
    assert [line["row"] - 1 for line in rejected(found["pandalm"])] == [157, 158, 159, 161, 162, 164]
    assert reasons(found["pandalm-gpt-3.5-turbo"])["unknown_value", "gpt_result"] == 25
    assert query(database, "SELECT count(DISTINCT user_key) FROM feedback WHERE source = 'llmfao'") == [(124,)]
    cast = query(database, "SELECT preference, count(*) FROM feedback WHERE source = 'llmfao' GROUP BY 1 ORDER BY 1")
    assert cast == [("other", 2549), ("this", 2911), ("tie", 3471)]
    # Every vote finds both of its answers, none comes before them, and they fill the eight weeks.
    assert query(
        database,
        "SELECT count(*), min(f.day)::text, max(f.day)::text, bool_and(f.occurred_at >= i.occurred_at) FROM feedback f "
        "JOIN interaction i ON i.id = f.interaction_id JOIN interaction o ON o.id = f.other_interaction_id",
    ) == [(8931 + 2979, "2026-09-07", "2026-11-01", True)]
    assert query(
        database, "SELECT fingerprint, count(*), count(result ->> 'preference') FROM judgement GROUP BY 1 ORDER BY 1"
    ) == [
        ("recorded:gpt-3", 2139, 2139), ("recorded:gpt-3.5-turbo", 993, 969), ("recorded:gpt-4", 2139, 2139),
        ("recorded:pandalm-7b", 993, 993),
    ]  # fmt: skip


def test_recorded_verdicts_name_both_answers_and_say_what_is_unscored(sources: Sources) -> None:
    recorded = recorded_judgements(sources)
    per_judge = dict(recorded.group_by("judge").len().iter_rows())
    assert per_judge == {"gpt-4": 2139, "gpt-3": 2139, "gpt-3.5-turbo": 993, "pandalm-7b": 993}
    unscored = recorded.filter(recorded["verdict"].is_null())
    # 25 rows hold no verdict; one of them is on a pair that is itself broken, and is left out with it.
    assert unscored["judge"].to_list() == ["gpt-3.5-turbo"] * 24
    assert set(unscored["unscored"]) == {"unknown_value"}
    assert (recorded["interaction_id"] != recorded["other_interaction_id"]).all()
