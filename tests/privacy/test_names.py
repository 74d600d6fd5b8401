"""Names in what reports quote: replaced where a model finds them, and said to be missed where none is supplied."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.privacy.names import Entity, Names, NamesError, open_names
from feedback_pipeline.privacy.replaced import replaced

PEOPLE = {"Ada": "PERSON", "Ada Lovelace": "PERSON", "ADA": "PERSON", "Trieste": "LOCATION", "Monday": "DATE_TIME"}


def find(text: str) -> list[Entity]:
    """What a model would say: every word it knows wherever it stands, the longer ones last."""
    return [
        (start, start + len(name), kind)
        for name, kind in PEOPLE.items()
        for start in range(len(text))
        if text.startswith(name, start)
    ]


def test_names_are_replaced_and_numbered_within_a_text() -> None:
    said = pl.Series("text", ["Ada met Ada Lovelace in Trieste; ADA left on Monday", None, "", "nobody"])
    redacted = Names(find).redact(said)
    # the longest name wins; one name has one number however it is spelled; a date is no name
    assert redacted.to_list() == [
        "[PERSON_1] met [PERSON_2] in [PLACE_1]; [PERSON_1] left on Monday", None, "", "nobody",
    ]  # fmt: skip
    assert (redacted.name, redacted.dtype) == ("text", pl.String)


def test_placeholders_of_the_patterns_are_no_names() -> None:
    mistaken = Names(lambda text: [(0, 9, "PERSON"), (4, 20, "LOCATION")])
    assert mistaken.redact(pl.Series(["[EMAIL_1] wrote from there"])).to_list() == ["[EMAIL_1] wrote from there"]


@pytest.mark.parametrize("model", ["en_core_web_sm", "en:", ":x", ""])
def test_a_model_without_a_language_is_refused(model: str) -> None:
    with pytest.raises(NamesError, match="expected language:model"):
        open_names(model)


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is not None, reason="the extra is installed")
def test_without_the_extra_it_says_what_to_install() -> None:
    with pytest.raises(NamesError, match=r"feedback-pipeline\[names\]"):
        open_names("en:en_core_web_sm")


def test_with_presidio_and_a_model_of_ones_own(tmp_path: Path) -> None:
    pytest.importorskip("presidio_analyzer", reason="the extra `names` is not installed")
    spacy = pytest.importorskip("spacy")
    model = spacy.blank("en")
    ruler = model.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Ada Lovelace"}, {"label": "GPE", "pattern": "Trieste"}])
    model.to_disk(tmp_path / "model")
    names = open_names(f"en:{tmp_path / 'model'}")
    assert names.redact(pl.Series(["I am Ada Lovelace from Trieste, call 555-1234"])).to_list() == [
        "I am [PERSON_1] from [PLACE_1], call 555-1234"
    ]
    with pytest.raises(NamesError, match="there is no spaCy model"):
        open_names("en:no-such-model")


def test_what_was_replaced_is_counted_by_type() -> None:
    rows = pl.LazyFrame({"a": ["[EMAIL_1] and [EMAIL_2]", None, "[PHONE_1]"], "b": ["[URL_1]", "[x_1]", "[PERSON_1]"]})
    assert replaced(rows, ["a", "b"]) == {"EMAIL": 2, "PHONE": 1, "URL": 1}
    assert replaced(rows, []) == {}
