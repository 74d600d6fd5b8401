"""Conversations as applications log them: from a source's rows to examples and pairs, as the assets do it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_pipeline.cleaning import days
from feedback_pipeline.cleaning.clusters import prompt_clusters
from feedback_pipeline.cleaning.signatures import text_signatures
from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.store.bulk import read_day
from feedback_pipeline.store.database import Database
from feedback_pipeline.training.curation import Curated, curate
from feedback_pipeline.training.files import WrittenFile, write_files
from feedback_pipeline.training.formats import FORMATS
from feedback_pipeline.training.pairs import Pairs, preference_pairs
from feedback_pipeline.training.rules import CurationSettings
from feedback_pipeline.training.validators import validate_file

FIRST, LAST = date(2026, 11, 16), date(2026, 11, 22)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SEPARATORS = "\u2028\u2029\u0085"
LOGGED = "{id: id, user: user, occurred_at: at, thumb: thumb, messages: messages, output: a}"
COMPARED = (
    "{id: id, user: user, occurred_at: at, messages: messages}, "
    "pairwise: {left: {output: a, model: {column: w}}, right: {output: b}, winner: w}"
)


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


@dataclass(frozen=True)
class Learnt:
    """What came of a source's rows."""

    curated: Curated
    pairs: Pairs
    answers: pl.DataFrame

    def files(self, folder: Path, *formats: str) -> list[WrittenFile]:
        return write_files(self.curated, self.pairs, folder, formats)

    def messages_of(self, completion: str) -> list[dict[str, Any]]:
        (text,) = self.curated.examples.filter(completion=completion)["messages"]
        found: list[dict[str, Any]] = json.loads(text)
        return found


def learnt(database: Database, folder: Path, rows: Iterable[Mapping[str, Any]], mapping: str) -> Learnt:
    """Imports rows of a JSONL source and takes them through cleaning, signatures and curation."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "sources.yaml"
    file.write_text(
        f"sources:\n  s: {{kind: jsonl, path: rows.jsonl, provenance: server, context: full, mapping: {mapping}}}\n"
    )
    privacy = PrivacyRules(redact_frame, Pseudonymiser.open(folder, production=False).pseudonyms)
    summary = import_sources(database, load_sources(file, {}), privacy, folder, now=NOW)
    assert not summary.problems
    window = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    answers = pl.concat([days.clean_interactions(read_day(database, "read_interactions", day)) for day in window])
    votes = pl.concat([days.clean_feedback(read_day(database, "read_feedback", day)) for day in window])
    signed = text_signatures(answers)
    grouped = prompt_clusters(signed.lazy(), last_day=LAST).select("prompt_hash", "cluster_id")
    signatures = signed.select("interaction_id", "day", "prompt_hash", "pair_hash")
    signatures = signatures.join(grouped, on="prompt_hash", how="left")
    rules = CurationSettings(key="a key for tests", evaluation_expected=False)
    nobody = pl.DataFrame(schema={"tenant": pl.String, "voter": pl.String, "weight": pl.Float32})
    curated = curate(votes, answers.lazy(), signatures, nobody, rules, LAST)
    return Learnt(curated, preference_pairs(curated, votes, answers.lazy(), signatures, nobody), answers)


def questions(count: int) -> list[dict[str, Any]]:
    """Approved and rejected answers to five questions, by as many people."""
    return [
        {"id": f"s{number}", "at": f"2026-11-{16 + number % 5}T08:{number:02}:00Z", "user": f"u{number}",
         "thumb": number % 3 > 0, "q": f"Which ferry leaves first from pier {'abcde'[number % 5] * 9}?",
         "messages": [said("user", f"Which ferry leaves first from pier {'abcde'[number % 5] * 9}?")],
         "a": f"The ferry {chr(97 + number % 26) * 7} leaves at {number} from there."}
        for number in range(count)
    ]  # fmt: skip


def test_questions_known_from_their_messages_alone_are_split_and_capped_as_with_a_prompt(
    database: Database, tmp_path: Path
) -> None:
    """Null is not a value: without a prompt every answer was a group of its own, in train and holdout at once."""
    found = learnt(database, tmp_path, questions(50), LOGGED)
    examples = found.curated.examples
    held_out = set(examples.filter(pl.col("split") != "train")["messages"])
    assert held_out
    assert not held_out & set(examples.filter(split="train")["messages"])
    assert found.answers["prompt"].null_count() == 0
    most = examples.group_by("messages", "label").len()["len"].max()
    assert most == found.curated.settings.cluster_rows


def test_with_and_without_a_prompt_column_the_same_examples_come_out(database: Database, tmp_path: Path) -> None:
    rows = questions(50)
    (tmp_path / "with").mkdir()
    without = learnt(database, tmp_path, rows, LOGGED).curated.examples
    both = learnt(database, tmp_path / "with", [{**row, "id": row["id"]} for row in rows],
                  LOGGED.replace("messages: messages", "messages: messages, prompt: q"))  # fmt: skip
    columns = ["messages", "completion", "split", "label", "cluster"]
    assert without.select(columns).sort(columns).equals(both.curated.examples.select(columns).sort(columns))


@pytest.mark.parametrize("named", [False, True])
def test_pairs_over_the_same_messages_are_pairs(database: Database, tmp_path: Path, named: bool) -> None:
    """Twenty people prefer the first of two answers to twenty inputs that are the same on both sides."""
    rows = [
        {"id": f"p{number}", "at": f"2026-11-17T{number:02}:00:00Z", "user": f"u{number}",
         "messages": [said("user", f"How do I reset the {chr(97 + number) * 8}?")],
         "q": f"How do I reset the {chr(97 + number) * 8}?",
         "a": f"Press reset on the {chr(97 + number) * 8} and wait.", "b": f"Ask about the {chr(97 + number) * 8}.",
         "w": "a"}
        for number in range(20)
    ]  # fmt: skip
    mapping = COMPARED.replace("messages: messages", "messages: messages, prompt: q") if named else COMPARED
    found = learnt(database, tmp_path, rows, mapping.replace("winner: w", "winner: w, values: {a: left, b: right}"))
    assert found.pairs.pairs.height == 20, found.pairs.funnel
    assert found.pairs.pairs["chosen"].str.starts_with("Press").all()


CALL = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"part": 7}'}}
AS_LOGGED: dict[str, list[dict[str, Any]]] = {
    "answer included": [said("user", "Which cable does the dock need?"), said("assistant", "answer included ")],
    "as parts": [said("user", [{"type": "text", "text": "Which lamp?"}]),
                 said("assistant", [{"type": "text", "text": "as parts"}])],
    "late system": [said("user", "Is it open?"), said("assistant", "At nine."), said("system", "It is 23:00."),
                    said("user", "And right now?")],
    "two users": [said("user", "The lamp flickers."), said("user", "The one in the hall.")],
    "two assistants": [said("user", "Book it."), said("assistant", "Let me look."), said("assistant", "Free at ten."),
                       said("user", "Take it.")],
    "tools": [said("user", "Stock of part seven?"), said("assistant", None, tool_calls=[CALL]),
              said("tool", [{"type": "text", "text": "41"}], tool_call_id="c1")],
    "developer": [said("developer", "Use metric units."), said("user", "How long is it?")],
    f"kept:{SEPARATORS}": [said("user", f"Keep{SEPARATORS}these.")],
    "reasoned": [said("user", "Is 91 prime?"), said("assistant", "No.", reasoning_content="7 * 13", refusal=None),
                 said("user", "Its factors?")],
    "weighted": [said("user", "A river?"), said("assistant", "Long Water.", weight=0), said("user", "In the north?")],
}  # fmt: skip


@pytest.fixture(scope="module")
def rows_as_logged() -> list[dict[str, Any]]:
    return [
        {"id": answer, "at": f"2026-11-1{6 + number % 3}T10:00:00Z", "user": f"person-{number}", "thumb": True,
         "messages": messages, "a": answer}
        for number, (answer, messages) in enumerate(AS_LOGGED.items())
    ]  # fmt: skip


def test_conversations_of_every_shape_become_examples(
    database: Database, tmp_path: Path, rows_as_logged: list[dict[str, Any]]
) -> None:
    found = learnt(database, tmp_path, rows_as_logged, LOGGED)
    assert set(found.curated.examples["completion"]) == set(AS_LOGGED), found.curated.funnel
    # an application that logs after adding the answer: it counts once, as what was answered
    assert [message["role"] for message in found.messages_of("answer included")] == ["user"]
    assert found.messages_of("as parts") == [said("user", "Which lamp?")]
    assert found.messages_of("developer")[0] == said("system", "Use metric units.")


def test_no_line_of_any_file_can_be_taken_for_two(
    database: Database, tmp_path: Path, rows_as_logged: list[dict[str, Any]]
) -> None:
    """U+2028, U+2029 and U+0085 are escaped: `str.splitlines` ends a line at each of them."""
    rejected = [{**row, "id": f"no {row['id']}", "a": f"Not {row['a']}", "thumb": False} for row in rows_as_logged]
    found = learnt(database, tmp_path, [*rows_as_logged, *rejected], LOGGED)
    formats = [name for name, format_ in FORMATS.items() if format_.suffix == "jsonl"]
    files = found.files(tmp_path / "files", *formats)
    assert {file.format for file in files} >= set(formats)
    for file in (file for file in files if file.format in formats):
        text = (tmp_path / "files" / file.name).read_text(encoding="utf-8-sig")
        assert len(text.splitlines()) == text.count("\n") == file.lines, file.name
        assert file.problem_count == 0, file.problems
        assert validate_file(tmp_path / "files" / file.name, file.format, least_lines=1).problems == ()
    told = [json.loads(line) for path in (tmp_path / "files/openai").glob("sft-*") for line in path.open()]
    assert f"kept:{SEPARATORS}" in [line["messages"][-1]["content"] for line in told]


def test_providers_that_ask_for_system_messages_first_get_them_first(
    database: Database, tmp_path: Path, rows_as_logged: list[dict[str, Any]]
) -> None:
    found = learnt(database, tmp_path, rows_as_logged, LOGGED)
    found.files(tmp_path / "files", "openai_sft", "together_sft", "fireworks_sft", "trl_sft", "vertex_sft")

    def late(folder: str) -> dict[str, Any]:
        lines = [line for path in (tmp_path / "files" / folder).glob("sft-*.jsonl") for line in path.open()]
        (line,) = {line for line in lines if "23:00" in line}
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    kept = [message["role"] for message in late("openai")["messages"]]
    assert kept == ["user", "assistant", "system", "user", "assistant"]
    for folder in ("together", "fireworks", "trl"):
        moved = late(folder)["messages"]
        assert [message["role"] for message in moved] == ["system", "user", "assistant", "user", "assistant"]
        assert moved[0]["content"] == "It is 23:00."
    vertex = late("vertex")
    assert vertex["systemInstruction"] == {"role": "system", "parts": [{"text": "It is 23:00."}]}
    assert [turn["role"] for turn in vertex["contents"]] == ["user", "model", "user", "model"]
