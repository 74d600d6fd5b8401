"""The exports of other tools through their presets: rows in, texts and people where they belong."""

import json
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.ingest.guessed_entry import guess_entry
from feedback_pipeline.ingest.summary import SourceSummary
from feedback_pipeline.store.database import Database
from tests.support import tool_exports as tools
from tests.support.ingesting import bring_in, only, query, reasons, written


def file(folder: Path, name: str, rows: Any) -> Path:
    path = folder / name
    if isinstance(rows, str):
        path.write_text(rows)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(rows))
    return path


def brought(database: Database, folder: Path, entry: str) -> SourceSummary:
    return only(bring_in(database, written(folder, f"sources:\n  theirs: {entry}"), folder / "home"))


def test_open_webui_gives_conversations_ratings_and_siblings(database: Database, tmp_path: Path) -> None:
    file(tmp_path, "feedback.json", tools.open_webui())
    found = brought(database, tmp_path, "{kind: json, path: feedback.json, preset: open-webui}")
    assert (found.events, found.interactions, found.refused) == (3, 3, ())
    rows = query(database, """
        SELECT f.thumb, f.stars, f.reasons, i.prompt, i.output, i.provenance, jsonb_array_length(i.messages::jsonb)
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id ORDER BY f.source_id""")  # fmt: skip
    assert rows == [
        (True, 5, ["accurate_information"], "Why is the sky blue?", "Rayleigh scattering.", "browser", 1),
        (False, 1, ["not_factually_correct"], "Why is the sky blue?", "Because of the sea.", "browser", 1),
        (True, None, [], "And at dusk?", "The path is longer.", "browser", 3),
    ]
    again = tools.open_webui()
    again[0] |= {"updated_at": 1_762_999_999, "data": {**again[0]["data"], "rating": -1}}
    file(tmp_path, "feedback.json", again)
    assert brought(database, tmp_path, "{kind: json, path: feedback.json, preset: open-webui}").events == 1


def test_librechat_gives_rated_messages_of_a_tree(database: Database, tmp_path: Path) -> None:
    file(tmp_path, "chat.json", tools.librechat())
    entry = "{kind: json, rows: $, path: chat.json, preset: librechat}"
    found = brought(database, tmp_path, entry)
    assert (found.events, found.refused) == (2, ())
    rows = query(database, """
        SELECT f.thumb, f.comment, f.reasons, i.prompt, i.output, i.model
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id ORDER BY f.source_id""")  # fmt: skip
    assert rows == [
        (True, None, ["accurate_reliable"], "When does the ferry leave?", "At nine.", "north-7b"),
        (False, "There is one.", ["inaccurate"], "And back?", "There is no boat back.", "north-7b"),
    ]


def test_label_studio_gives_choices_stars_and_texts_of_what_was_not_skipped(database: Database, tmp_path: Path) -> None:
    file(tmp_path, "export.json", tools.label_studio())
    found = brought(database, tmp_path, "{kind: json, path: export.json, preset: label-studio}")
    assert (found.events, found.interactions, found.refused) == (2, 1, ())
    assert query(database, "SELECT thumb, stars, comment FROM feedback ORDER BY source_id") == [
        (True, 4, "Clear."), (False, None, None),
    ]  # fmt: skip


def test_label_studio_and_the_arena_give_preferences(database: Database, tmp_path: Path) -> None:
    file(tmp_path, "export.json", tools.label_studio_pairs())
    assert brought(database, tmp_path, "{kind: json, path: export.json, preset: label-studio-pairs}").events == 2
    file(tmp_path, "arena.jsonl", tools.arena())
    assert brought(database, tmp_path, "{kind: jsonl, path: arena.jsonl, preset: arena}").events == 4
    assert query(database, "SELECT preference, count(*) FROM feedback GROUP BY 1 ORDER BY 1") == [
        ("other", 2), ("this", 2), ("tie", 2),
    ]  # fmt: skip


def test_tensorzero_gives_every_kind_of_feedback_on_its_inferences(database: Database, tmp_path: Path) -> None:
    for name, rows in tools.tensorzero().items():
        file(tmp_path, f"{name}.jsonl", rows)
    kinds = ("boolean", "comments", "demonstrations")
    entries = "".join(
        f"  {kind}: {{kind: jsonl, path: {kind}.jsonl, preset: tensorzero-{kind}, answers: inferences}}\n"
        for kind in kinds
    )
    answers = "  inferences: {kind: jsonl, path: inferences.jsonl, preset: tensorzero-inferences}\n"
    summary = bring_in(database, written(tmp_path, f"sources:\n{answers}{entries}"), tmp_path / "home")
    assert [source.events for source in summary.sources] == [0, 2, 1, 1]
    assert not summary.problems
    rows = query(database, """
        SELECT f.kind, f.thumb, f.comment, f.correction, i.prompt, i.output, to_char(f.occurred_at, 'YYYY-MM')
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id ORDER BY f.source_id""")  # fmt: skip
    assert rows == [
        ("explicit", True, None, None, "A haiku on moss.", "moss in the rain", "2024-10"),
        ("explicit", False, None, None, "A haiku on stone.", "stone in the rain", "2024-10"),
        ("comment", None, "Lovely.", None, "A haiku on moss.", "moss in the rain", "2024-10"),
        ("correction", None, None, "stone under snow", "A haiku on stone.", "stone in the rain", "2024-10"),
    ]


def test_langsmith_gives_people_and_leaves_judges_out(database: Database, tmp_path: Path) -> None:
    file(tmp_path, "runs.jsonl", tools.langsmith())
    found = brought(database, tmp_path, "{kind: jsonl, path: runs.jsonl, preset: langsmith}")
    assert (found.events, found.refused) == (3, ())  # the correction is an event of its own
    assert any("1 rows passed over" in note for note in found.notes)
    rows = query(database, "SELECT kind, thumb, comment, correction FROM feedback ORDER BY source_id")
    assert rows == [
        ("explicit", False, "It is closed.", None), ("correction", None, None, "No."), ("explicit", True, None, None),
    ]  # fmt: skip


def test_chainlit_is_read_from_its_database(database: Database, tmp_path: Path) -> None:
    tools.chainlit(tmp_path / "chainlit.db")
    found = brought(database, tmp_path, f"{{url: 'sqlite:///{tmp_path / 'chainlit.db'}', preset: chainlit}}")
    assert (found.events, found.refused) == (2, ())
    rows = query(database, """
        SELECT f.thumb, i.prompt, i.output, f.user_key LIKE '%anna%'
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id ORDER BY f.source_id""")  # fmt: skip
    assert rows == [(True, "How do I rotate a key?", "In settings.", False), (False, "Which tab?", "The third.", False)]


def test_gradio_flags_are_thumbs(database: Database, tmp_path: Path) -> None:
    file(tmp_path, "log.csv", tools.GRADIO)
    found = brought(database, tmp_path, "{path: log.csv, preset: gradio}")
    assert (found.events, reasons(found)) == (2, {})


@pytest.mark.parametrize(
    ("name", "rows", "preset", "votes"),
    [
        ("feedback-history.json", tools.open_webui(), "open-webui", {"up": 2, "down": 1, "stars": 2, "comment": 1}),
        ("conversation.json", tools.librechat(), "librechat", {"up": 1, "down": 1, "comment": 1}),
        ("tasks.json", tools.label_studio(), "label-studio", {"up": 1, "down": 1, "stars": 1, "comment": 1}),
        ("pairs.json", tools.label_studio_pairs(), "label-studio-pairs", {"left": 1, "right": 1}),
        ("votes.jsonl", tools.arena(), "arena", {"left": 1, "right": 1, "tie": 2}),
        ("runs.jsonl", tools.langsmith(), "langsmith", {"up": 1, "down": 1, "comment": 1, "correction": 1}),
    ],
)
def test_the_tools_exports_are_recognised(
    tmp_path: Path, name: str, rows: Any, preset: str, votes: dict[str, int]
) -> None:
    guessed = guess_entry(str(file(tmp_path, name, rows)))
    assert guessed.guess.entry["preset"] == preset
    assert guessed.trial.votes == votes
    assert guessed.trial.refused == {}


def test_argilla_gives_a_vote_an_annotator(database: Database, tmp_path: Path) -> None:
    """Records as `Record.to_dict` of its client (2.8) makes them."""
    one, other = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
    made = {
        "suggestions": {},
        "vectors": {},
        "status": "completed",
        "_server_id": None,
        "metadata": {"model": "north-7b"},
    }
    rated = {"rating": [{"value": 4, "user_id": one}, {"value": 2, "user_id": other}],
             "comment": [{"value": "Right.", "user_id": one}]}  # fmt: skip
    records = [
        {"id": "r1", "fields": {"prompt": "When do you open?", "response": "At nine."}, "responses": rated, **made},
        {"id": "r2", "fields": {"prompt": "Where is my key?", "response": "In the box."}, "responses": {}, **made},
    ]
    (tmp_path / "records.json").write_text(json.dumps(records))
    entry = "{kind: json, path: records.json, preset: argilla, constants: {occurred_at: 2026-11-12T10:00:00Z}}"
    found = only(bring_in(database, written(tmp_path, f"sources:\n  argilla: {entry}\n"), tmp_path / "home"))
    assert (found.events, found.interactions, found.refused) == (2, 1, ())
    said = """SELECT f.stars, i.prompt, i.output, i.model FROM feedback f JOIN interaction i ON i.id = f.interaction_id
        ORDER BY f.stars"""
    assert query(database, said) == [
        (2, "When do you open?", "At nine.", "north-7b"), (4, "When do you open?", "At nine.", "north-7b"),
    ]  # fmt: skip
