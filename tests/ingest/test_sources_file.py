"""A wrong sources.yaml is an error that names the file, the place and what to do."""

from pathlib import Path

import pytest

from feedback_pipeline.ingest.documents import SourcesError
from feedback_pipeline.ingest.sources import load_sources, preset_names
from tests.support.ingesting import written

CSV = "sources:\n  votes:\n    kind: csv\n    path: votes.csv\n"


def fails(folder: Path, text: str) -> str:
    with pytest.raises(SourcesError) as caught:
        written(folder, text)
    message = str(caught.value)
    assert str(folder / "sources.yaml") in message
    return message


def test_a_missing_file_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"nowhere.yaml is not there: copy examples/sources.yaml"):
        load_sources(tmp_path / "nowhere.yaml", {})


def test_malformed_yaml_names_the_line(tmp_path: Path) -> None:
    assert "line 4, column" in fails(tmp_path, "sources:\n  votes:\n    kind: csv\n   path: x\n")


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    assert "line 5, column 5: the key path is there twice" in fails(tmp_path, CSV + "    path: other.csv\n")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_bytes(b"sources: \xff\xfe")
    with pytest.raises(SourcesError, match="not UTF-8"):
        load_sources(tmp_path / "sources.yaml", {})


@pytest.mark.parametrize("text", ["", "[]", "sources:\n", "sources: {}\n", "votes:\n  kind: csv\n", "sources: 3\n"])
def test_a_file_without_sources_says_what_is_expected(tmp_path: Path, text: str) -> None:
    assert "expected" in fails(tmp_path, text)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("    mapping: {thumbs: up}\n", "mapping: thumbs is no field of ours; fields: id,"),
        ("    colour: red\n", "colour: unknown setting; known: kind, path"),
        ("    preset: postit\n", "preset: postit is none of arena,"),
        ("    timezone: Mars/Olympus\n", "timezone: 'Mars/Olympus' is not an IANA zone"),
        ("    provenance: hearsay\n", "provenance: must be one of logged, server"),
        ("    mapping: {thumb: rating, output: answer}\n", "no time: map occurred_at"),
        ("    mapping: {thumb: rating, occurred_at: at}\n", "nothing says which answer a row is about"),
        ("    mapping: {thumb: {first: [a], hash: [b]}}\n", "give exactly one of column, columns, hash, first"),
        ("    mapping: {model: {column: a, split: _}}\n", "split and part belong together"),
        ("    judge: gpt-4\n    mapping: {output: a, occurred_at: b}\n", "judge needs pairwise"),
        ("    spread: {start: tomorrow}\n", "spread.start: "),
    ],
)
def test_a_wrong_setting_names_source_field_and_choices(tmp_path: Path, more: str, said: str) -> None:
    message = fails(tmp_path, CSV + more)
    assert "source votes: " in message
    assert said in message


def test_kinds_say_what_they_need(tmp_path: Path) -> None:
    assert "kind csv needs path" in fails(tmp_path, "sources:\n  votes:\n    kind: csv\n")
    sql = "sources:\n  votes:\n    kind: sql\n    url: sqlite:///x.db\n"
    assert "kind sql needs url, and either table or query" in fails(tmp_path, sql)
    assert "either table or query" in fails(tmp_path, sql + "    table: a\n    query: SELECT 1\n")


def test_a_name_that_could_be_a_path_is_refused(tmp_path: Path) -> None:
    assert "name has lower-case letters" in fails(tmp_path, CSV.replace("votes:", "../votes:"))


def test_an_answer_source_must_exist(tmp_path: Path) -> None:
    text = CSV + "    mapping: {answer_id: a, thumb: b, occurred_at: c}\n    answers: elsewhere\n"
    assert "no source is called elsewhere" in fails(tmp_path, text)


def test_variables_are_replaced_and_missing_ones_named(tmp_path: Path) -> None:
    text = "sources:\n  votes:\n    kind: sql\n    url: postgresql://app:${DB_PASSWORD}@${DB_HOST:-db.local}/x\n"
    text += "    table: feedback\n    preset: query-response\n"
    assert "source votes: url: the environment variable DB_PASSWORD is not set" in fails(tmp_path, text)
    source = written(tmp_path, text, {"DB_PASSWORD": "s3cret"}).entries[0]
    assert source.url == "postgresql://app:s3cret@db.local/x"
    assert "s3cret" not in repr(source)


def test_yes_and_on_are_words_and_1_is_not_true(tmp_path: Path) -> None:
    text = CSV + "    mapping: {thumb: vote, output: a, occurred_at: t}\n"
    text += "    values: {thumb: {yes: true, no: false, 1: true, true: true, on: null}}\n"
    values = written(tmp_path, text).entries[0].values["thumb"]
    assert values == {"yes": True, "no": False, "1": True, "true": True, "on": None}


def test_a_source_overrides_its_preset_key_by_key_and_null_takes_a_field_out(tmp_path: Path) -> None:
    text = (
        CSV
        + "    preset: query-response\n    mapping: {metadata: null, prompt: asked}\n    constants: {project: shop}\n"
    )
    source = written(tmp_path, text).entries[0]
    assert "metadata" not in source.mapping
    assert source.mapping["prompt"].column == "asked"
    assert source.mapping["output"].column == "response"
    assert source.constants == {"project": "shop"}
    assert "project" not in source.mapping


def test_an_unknown_source_name_lists_those_there_are(tmp_path: Path) -> None:
    sources = written(tmp_path, CSV + "    preset: query-response\n")
    with pytest.raises(SourcesError, match="no source is called thumbs; there are: votes"):
        sources.chosen(("thumbs",))


def test_every_preset_and_the_example_can_be_read(tmp_path: Path) -> None:
    for name in preset_names():
        spread = "    spread: {start: 2026-09-07}\n" if name.startswith(("pairwise", "argilla")) else ""
        assert written(tmp_path, CSV + f"    preset: {name}\n" + spread).entries[0].mapping
    example = Path(__file__).resolve().parents[2] / "examples" / "sources.yaml"
    assert len(load_sources(example, {})) >= 4


def test_the_documentation_names_every_field_and_preset() -> None:
    from feedback_pipeline.ingest.fields import FIELDS

    text = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text()
    assert [name for name in (*FIELDS, *preset_names()) if f"`{name}`" not in text] == []
