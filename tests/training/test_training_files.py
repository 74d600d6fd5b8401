"""Files: the same bytes for the same inputs, whole or absent, and nothing in them that anything runs."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any, get_args

import orjson
import polars as pl
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_pipeline.settings import TrainingFormat
from feedback_pipeline.training.costs import advice
from feedback_pipeline.training.files import WrittenFile, write_files
from feedback_pipeline.training.formats import FORMATS, formats_of, json_value
from feedback_pipeline.training.manifest import build_manifest, canonical_json, lineage
from feedback_pipeline.training.pairs import Pairs, preference_pairs
from feedback_pipeline.training.promptfoo import inert
from feedback_pipeline.training.validators import validate_file
from feedback_pipeline.training.weights import ORIGINAL, RECOMMENDED, WeightPolicy
from tests.support.training_world import World, many

NASTY = [
    '=HYPERLINK("https://evil.example","x")',
    "{{ env.OPENAI_API_KEY }} {% raw %} {# c #} {{{",
    "file:///etc/passwd",
    "line\u2028separator \x7f bell\x07 nul\x00",
    'quote " backslash \\ newline \n tab \t',
    "@SUM(1+1)",
    "-2+3",
]


def world_of_everything() -> World:
    world = World()
    many(world, 120)
    for number, text in enumerate(NASTY):
        world.vote(world.answer(f"{text} please {number}", f"{text} indeed {number}"), "up", "ann")
        world.vote(world.answer(f"{text} again {number}", f"{text} never {number}"), "down", "bob")
    for number in range(30):
        good = world.answer(f"either {number}", f"good answer {number}")
        bad = world.answer(f"either {number}", f"poor answer {number}")
        world.prefer(good, bad, "this", f"p{number}")
    tools = (
        '[{"role":"user","content":"weather %d"},{"role":"assistant","content":null,"tool_calls":[{"id":"a",'
        '"type":"function","function":{"name":"w","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a",'
        '"content":"sun"}]'
    )
    for number in range(5):
        world.vote(world.answer("weather", f"It is sunny {number}", messages=tools % number), "up", f"t{number}")
    world.vote(world.answer("only a question", "only an answer", context="partial"), "up", "ann")
    name = world.answer("capital of italy", "The capital of Italy is Milan, up north.")
    world.correct(name, "The capital of Italy is Rome, in the centre.", "ann")
    world.vote(name, "down", "bob")
    return world


def written(world: World, folder: Path, policy: WeightPolicy = RECOMMENDED) -> tuple[Any, Pairs, list[WrittenFile]]:
    curated = world.curated()
    pairs = preference_pairs(curated, world.votes_frame, world.answers_frame, world.signatures, world.trust_frame)
    return curated, pairs, write_files(curated, pairs, folder, policy=policy)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Pairs, list[WrittenFile], Path]:
    folder = tmp_path_factory.mktemp("dataset")
    return *written(world_of_everything(), folder), folder


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / name).read_bytes().splitlines()]


def test_a_second_run_writes_the_same_bytes(dataset: Any, tmp_path: Path) -> None:
    _, _, files, folder = dataset
    world = world_of_everything()
    world.votes.reverse()
    _, _, again = written(world, tmp_path)
    assert again == files
    for file in files:
        content = (tmp_path / file.name).read_bytes()
        assert content == (folder / file.name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.bytes)


def test_every_format_is_written_and_keeps_its_rules(dataset: Any) -> None:
    _, _, files, folder = dataset
    assert {file.format for file in files} == {*FORMATS, "dataset_info", "dataset_card"}
    for file in files:
        if file.format in FORMATS and FORMATS[file.format].rules:
            outcome = validate_file(folder / file.name, file.format, least_lines=1)
            assert outcome.problems == (), file.name
            assert outcome.lines == file.lines


def test_nothing_but_the_files_is_left_behind(dataset: Any) -> None:
    _, _, files, folder = dataset
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {file.name for file in files}


def test_a_file_that_would_be_empty_disappears(tmp_path: Path) -> None:
    """After an erasure the last row of a split may be gone: yesterday's file must not stay."""
    written(world_of_everything(), tmp_path)
    assert (tmp_path / "trl" / "kto-train.jsonl").exists()
    world = World()
    many(world, 0)
    _, _, files = written(world, tmp_path)
    assert files == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_format_that_is_no_longer_asked_for_leaves_no_file_behind(tmp_path: Path) -> None:
    """Nobody would take an erased person out of it."""
    curated, pairs, _ = written(world_of_everything(), tmp_path)
    (tmp_path / "openai" / "notes.txt").write_text("somebody else's")
    files = write_files(curated, pairs, tmp_path, ["trl_sft"])
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {file.name for file in files} | {"openai/notes.txt"}
    assert all(name.startswith("trl/") for name in left - {"openai/notes.txt"})


def test_the_settings_offer_exactly_the_kinds_of_files_there_are() -> None:
    assert set(get_args(TrainingFormat)) == {format_.folder for format_ in FORMATS.values()}
    assert formats_of(["trl", "promptfoo"]) == ["trl_sft", "trl_dpo", "trl_kto", "promptfoo_jsonl", "promptfoo_yaml"]


def test_only_negatives_give_no_supervised_file_and_say_why(tmp_path: Path) -> None:
    world = World()
    for number in range(20):
        world.vote(world.answer(f"question {number}", f"bad reply {number}"), "down", f"p{number}")
    curated, pairs, files = written(world, tmp_path)
    assert curated.examples.height == 20
    assert {file.format for file in files if file.format.endswith(("_sft", "_dpo"))} == set()
    assert {file.format for file in files if file.format.endswith("_kto")} == {"trl_kto", "llama_factory_kto"}
    assert len(lines(tmp_path, "promptfoo/tests.jsonl")) == 20, "they become tests"
    manifest = build_manifest(curated, pairs, files, RECOMMENDED, inputs={}, code_version="1", licence="consent")
    assert manifest.content["kto"]["reason"] == "there are no approved examples"
    assert advice(0).text.startswith("0 approved examples: a first fine-tune pays off from 500")


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(world_of_everything(), tmp_path)
    before = (tmp_path / "openai" / "sft-train.jsonl").read_bytes()

    def full_disk(lines: pl.Series) -> memoryview:
        raise OSError("no space left on device")

    monkeypatch.setattr("feedback_pipeline.training.files._bytes", full_disk)
    world = World()
    many(world, 50)
    with pytest.raises(OSError, match="no space"):
        written(world, tmp_path)
    assert (tmp_path / "openai" / "sft-train.jsonl").read_bytes() == before
    assert not list(tmp_path.rglob(".*"))


def test_an_unknown_format_is_refused(dataset: Any, tmp_path: Path) -> None:
    curated, pairs, _, _ = dataset
    with pytest.raises(KeyError, match="yolo"):
        write_files(curated, pairs, tmp_path, ["yolo"])


def test_azure_files_alone_start_with_a_byte_order_mark(dataset: Any) -> None:
    _, _, files, folder = dataset
    marked = {file.name for file in files if (folder / file.name).read_bytes().startswith(b"\xef\xbb\xbf")}
    assert marked == {file.name for file in files if file.format.startswith("azure")}
    plain = (folder / "openai" / "sft-train.jsonl").read_bytes()
    assert (folder / "azure" / "sft-train.jsonl").read_bytes() == b"\xef\xbb\xbf" + plain


def test_rejected_answers_are_in_no_supervised_file_of_a_provider(dataset: Any) -> None:
    curated, _, files, folder = dataset
    bad = set(curated.examples.filter(~pl.col("label"))["completion"])
    for file in files:
        if file.format.endswith("_sft"):
            raw = (folder / file.name).read_text(encoding="utf-8-sig")
            told = [json.loads(line) for line in raw.split("\n") if line]
            said = {
                line["messages"][-1]["content"] if "messages" in line else line["contents"][-1]["parts"][0]["text"]
                for line in told
            }
            assert not said & bad


def test_the_original_policy_is_in_the_export_and_its_negatives_nowhere_else(tmp_path: Path) -> None:
    curated, _, _ = written(world_of_everything(), tmp_path, ORIGINAL)
    export = lines(tmp_path, "export/finetuning.jsonl")
    assert {line["weight"] for line in export} == {2.0, 0.5}
    assert set(export[0]) == {"messages", "weight", "metadata"}
    assert set(export[0]["metadata"]) == {"intent", "project", "model", "timestamp"}
    train = curated.examples.filter((pl.col("split") == "train") & (pl.col("context") == "full"))
    copied = lines(tmp_path, "openai/sft-train.jsonl")
    assert len(copied) == 2 * train["label"].sum()


def test_positive_examples_have_the_shape_of_the_old_export(dataset: Any) -> None:
    _, _, _, folder = dataset
    for line in lines(folder, "export/positive.jsonl"):
        assert set(line) == {"messages", "metadata"}
        assert line["metadata"]["feedback"] in ("up", "correction")


def test_partial_conversations_are_in_files_of_their_own(dataset: Any) -> None:
    _, _, files, folder = dataset
    names = {file.name for file in files if file.format == "openai_sft" and file.context == "partial"}
    assert names == {"openai/sft-partial-train.jsonl"} or names == {"openai/sft-partial-validation.jsonl"}
    whole = (folder / "openai" / "sft-train.jsonl").read_text()
    assert "only an answer" not in whole


def test_tool_calls_are_left_out_where_a_format_cannot_hold_them_and_counted(dataset: Any) -> None:
    _, _, files, folder = dataset
    assert "tool_calls" in (folder / "openai" / "sft-train.jsonl").read_text()
    for name in ("trl/sft-train.jsonl", "llama_factory/sft-train.jsonl"):
        assert "tool_calls" not in (folder / name).read_text()
    skipped = {file.name: file.skipped for file in files}
    assert skipped["trl/sft-train.jsonl"] > 0
    assert skipped["openai/sft-train.jsonl"] == 0


def test_no_cell_of_the_csv_is_a_formula(dataset: Any) -> None:
    curated, _, _, folder = dataset
    rows = list(csv.DictReader(io.StringIO((folder / "table" / "examples.csv").read_text(), newline="")))
    assert len(rows) == curated.examples.height
    text = [value for row in rows for name, value in row.items() if name in ("prompt", "completion", "messages")]
    assert not [value for value in text if value[:1] in tuple("=+-@\t\r\n|%") and value]
    assert any(value.startswith("'=HYPERLINK") for value in text), "text is defused, not removed"


def test_the_parquet_is_the_examples(dataset: Any) -> None:
    curated, _, _, folder = dataset
    assert pl.read_parquet(folder / "table" / "examples.parquet").drop("weight").equals(curated.examples)


def test_promptfoo_tests_are_the_failures_and_corrections_with_their_provenance(dataset: Any) -> None:
    curated, _, _, folder = dataset
    wanted = curated.examples.filter(~pl.col("label") | (pl.col("kind") == "correction"))
    tests = lines(folder, "promptfoo/tests.jsonl")
    assert {test["metadata"]["example_id"] for test in tests} == set(wanted["example_id"])
    assert yaml.safe_load((folder / "promptfoo" / "tests.yaml").read_text()) == tests
    for test in tests:
        for value in (*test["vars"].values(), *(check["value"] for check in test["assert"])):
            assert not value.lstrip().lower().startswith(("file:", "http:", "https:", "package:"))


@given(st.text(st.characters(codec="utf-8"), max_size=60) | st.text("{}%#\"' raw", max_size=30))
@example("##}}")
def test_templates_in_text_print_themselves_and_nothing_else(text: str) -> None:
    """Rendered by Jinja, whose syntax Nunjucks copies, the text comes out as it went in.

    Nunjucks alone stumbles over the end of a comment that was never opened.
    """
    import jinja2

    escaped = pl.DataFrame({"text": [text]}).select(inert(pl.col("text"))).item()
    environment = jinja2.Environment(keep_trailing_newline=True, newline_sequence="\n", autoescape=False)
    rendered = environment.from_string(escaped).render()
    assert "#}" not in escaped.replace('{{ "#}" }}', " ")
    assert rendered == text.replace("\r\n", "\n").replace("\r", "\n")


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_every_text_survives_as_json(text: str) -> None:
    encoded = pl.DataFrame({"text": [text]}).select(json_value("text")).item()
    assert orjson.loads(encoded) == text


def test_the_register_and_the_card_name_every_file(dataset: Any) -> None:
    _, _, files, folder = dataset
    info = orjson.loads((folder / "llama_factory" / "dataset_info.json").read_bytes())
    registered = {f"llama_factory/{entry['file_name']}" for entry in info.values()}
    assert registered == {file.name for file in files if file.format.startswith("llama_factory")}
    card = (folder / "trl" / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    carded = {f"trl/{file['path']}" for config in head["configs"] for file in config["data_files"]}
    assert carded == {file.name for file in files if file.format.startswith("trl")}


def manifest_of(dataset: Any, **changes: Any) -> Any:
    curated, pairs, files, _ = dataset
    given = {"inputs": {"clean_feedback": "v1"}, "code_version": "1", "licence": "consent"}
    return build_manifest(curated, pairs, files, RECOMMENDED, **{**given, **changes})


def test_a_dataset_is_named_by_its_content(dataset: Any) -> None:
    first = manifest_of(dataset)
    assert first.to_json() == manifest_of(dataset).to_json()
    assert first.dataset_id == hashlib.sha256(canonical_json(first.content)).hexdigest()
    assert manifest_of(dataset, inputs={"clean_feedback": "v2"}).dataset_id != first.dataset_id
    assert {file["sha256"] for file in first.content["files"]} == {file.sha256 for file in dataset[2]}


def test_a_manifest_holds_no_key_and_no_text(dataset: Any) -> None:
    content = manifest_of(dataset).to_json().decode()
    assert "a key for tests" not in content
    assert "HYPERLINK" not in content
    assert "question number" not in content


def test_every_line_leads_back_to_its_votes(dataset: Any) -> None:
    curated, pairs, files, folder = dataset
    manifest = manifest_of(dataset)
    told = lineage(manifest.dataset_id, files, curated, pairs)
    rows = pl.concat(told.frames())
    by_row = rows.group_by("row_id").agg(pl.col("feedback_ids").first(), lines=pl.len()).sort("row_id")
    assert told.rows().select("row_id", "feedback_ids", pl.col("lines").cast(pl.UInt32)).equals(by_row)
    by_layout = rows.partition_by("layout", as_dict=True)
    for file in files:
        if file.layout is None:
            continue
        traced = by_layout[(file.layout,)]
        assert traced["line"].to_list() == list(range(1, file.lines + 1))
        assert traced["feedback_ids"].list.len().min() >= 1
    file = next(file for file in files if file.name == "openai/sft-train.jsonl")
    said = [line["messages"][-1]["content"] for line in lines(folder, file.name)]
    completions = dict(curated.examples.select("example_id", "completion").iter_rows())
    assert [completions[name] for name in by_layout[(file.layout,)]["row_id"]] == said


def test_erasing_a_person_takes_their_lines_and_hardly_moves_another(tmp_path: Path) -> None:
    """Shares and means shift a little when rows go, so a few draws on the edge may turn; everything else stays."""
    world = World()
    many(world, 600)
    before = written(world, tmp_path / "before")[0].examples
    world.votes = [vote for vote in world.votes if vote["voter"] != "person7"]
    after = written(world, tmp_path / "after")[0].examples
    theirs = before.filter(pl.col("voters").list.contains("person7"))
    assert theirs.height > 10
    assert not set(theirs["example_id"]) & set(after["example_id"])
    kept = after.filter(pl.col("example_id").is_in(before["example_id"].implode()))
    old = before.filter(pl.col("example_id").is_in(after["example_id"].implode()))
    assert kept["split"].equals(old["split"])
    lines_before, lines_after = (
        (tmp_path / which / "openai" / "sft-train.jsonl").read_bytes().splitlines() for which in ("before", "after")
    )
    own = {completion.encode() for completion in theirs["completion"]}
    others = [line for line in lines_before if not any(text in line for text in own)]
    same = sum(min(others.count(line), lines_after.count(line)) for line in set(others))
    assert same >= 0.97 * len(others)
