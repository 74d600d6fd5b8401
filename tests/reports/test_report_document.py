"""The JSON twin: published schema, old field names, round trip."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

import feedback_pipeline.reports as reports
from feedback_pipeline.reports.document import json_schema, read_json, render_json
from tests.support.report_samples import full_report, silent_report

SCHEMA = json.loads((Path(reports.__file__).parent / "schema.json").read_text(encoding="utf-8"))


def test_the_published_schema_is_that_of_the_code():
    # write json_schema() to schema.json (indent 2) after changing a section, and raise schema_version if readers break
    assert json_schema() == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("content", [full_report, silent_report])
def test_documents_fit_the_published_schema(content):
    jsonschema.validate(json.loads(render_json(content())), SCHEMA, jsonschema.Draft202012Validator)


def test_the_schema_refuses_what_is_not_a_report():
    document = json.loads(render_json(full_report()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"surprise": 1}, SCHEMA)
    del document["success_rate"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_every_field_of_the_schema_says_what_it_means_or_has_a_telling_name():
    described = [d for d in SCHEMA["$defs"].values() if d.get("description")]
    assert len(described) == len(SCHEMA["$defs"])


def test_the_fields_clients_know():  # C3
    document = json.loads(render_json(full_report()))
    assert document["period"] == "2026-W47"
    assert (document["start_date"], document["end_date"]) == ("2026-11-16", "2026-11-22")
    assert document["total_prompts"] == 7308
    assert document["avg_rating"] == 3.91
    assert document["success_rate"] == 0.752
    # approval went from 79.3 % to 74.1 %: in points, as the page and every command say it
    assert document["improvement_vs_previous"] == pytest.approx(-5.2, abs=0.001)
    assert document["top_performers"] == ["intent chat: 83.0%", "action type summarise: 76.3%"]
    assert document["problem_areas"][0].startswith("prompt version v12 · intent code: 47.0% of 605 votes")
    assert document["action_items"][0] == "Roll prompt version v12 back for intent code"


def test_without_votes_the_numbers_are_null_and_the_lists_empty():
    document = json.loads(render_json(silent_report()))
    assert document["total_prompts"] == 0
    assert document["avg_rating"] is document["success_rate"] is document["improvement_vs_previous"] is None
    assert document["top_performers"] == document["problem_areas"] == document["action_items"] == []
    assert document["content"]["verdict"] == {"cannot_say": "nobody voted this week"}


def test_an_earlier_approval_of_zero_is_a_change_of_as_many_points():
    content = full_report()
    nothing = replace(content.verdict.previous, value=0.0, low=0.0)
    document = json.loads(render_json(replace(content, verdict=replace(content.verdict, previous=nothing))))
    assert document["improvement_vs_previous"] == pytest.approx(74.1)


@pytest.mark.parametrize("content", [full_report, silent_report])
def test_a_document_reads_back_as_it_was(content):
    data = render_json(content())
    read = read_json(data)
    assert read.content == content()
    assert render_json(read.content) == data


def test_what_is_no_document_is_refused():
    with pytest.raises(ValidationError):
        read_json(b'{"period": "2026-W47"}')


def test_canonical_bytes():
    def in_order(pairs):
        assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
        return dict(pairs)

    data = render_json(full_report())
    json.loads(data, object_pairs_hook=in_order)
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    assert b'": ' not in data
