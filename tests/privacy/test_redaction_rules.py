"""The rule table: each example is found, each counter-example is left alone, and the table holds together."""

import re
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stdnum import numdb

from feedback_pipeline.privacy import checks, detection
from feedback_pipeline.privacy.detection import pieces, suspects
from feedback_pipeline.privacy.folding import fold
from feedback_pipeline.privacy.gates import contains_any
from feedback_pipeline.privacy.json_text import as_unicode
from feedback_pipeline.privacy.redaction import redact_text
from feedback_pipeline.privacy.rules import (
    InvalidRuleError,
    Rule,
    default_rules,
    default_searches,
    gates,
    load_rules,
    openers,
    searches,
)
from tests.support.nasty_texts import nasty_texts

SURROUNDINGS = ("{}", "please see {} thanks", "({})", "before\n{}\nafter", "请看{}谢谢")
EXAMPLES = [(rule.name, rule.placeholder, text) for rule in default_rules() for text in rule.examples]
LIBRARY_CHECKED = [rule for rule in default_rules() if (rule.check or "").startswith("stdnum:")]
COUNTER_EXAMPLES = [(rule.name, text) for rule in default_rules() for text in rule.counter_examples]


def _within(text: str) -> list[str]:
    """The text in its surroundings; an ASCII boundary is a boundary beside Chinese too."""
    return [surrounding.replace("{}", text) for surrounding in SURROUNDINGS]


@pytest.mark.parametrize(("name", "placeholder", "text"), EXAMPLES)
def test_an_example_of_a_rule_is_masked_as_its_type_or_kept(name: str, placeholder: str | None, text: str) -> None:
    for surrounded in _within(text):
        redacted, counts = redact_text(surrounded)
        if placeholder is None:
            assert redacted == surrounded
        else:
            assert counts.get(placeholder), (surrounded, redacted)


@pytest.mark.parametrize(("name", "placeholder", "text"), EXAMPLES)
def test_what_a_rule_masks_passes_a_gate(name: str, placeholder: str | None, text: str) -> None:
    """Among many texts only those are searched that a gate lets through; a line may end before the value."""
    for surrounded in _within(text) if placeholder else ():
        for broken in {surrounded, surrounded.replace(" ", "\n"), surrounded.replace(": ", ":\n")}:
            undisguised = fold(pl.Series([broken]))
            if redact_text(broken)[1]:
                assert contains_any(undisguised, gates()).all(), broken


@pytest.mark.parametrize(("name", "text"), COUNTER_EXAMPLES)
def test_a_counter_example_of_a_rule_stays_as_it_is(name: str, text: str) -> None:
    for surrounded in _within(text):
        assert redact_text(surrounded) == (surrounded, {})


def test_every_masking_rule_has_an_example_and_a_counter_example() -> None:
    masking = [rule for rule in default_rules() if rule.placeholder]
    assert [rule.name for rule in masking if not rule.examples or not rule.counter_examples] == []
    assert [rule.name for rule in default_rules() if not rule.examples] == []


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(nasty_texts, min_size=1, max_size=8))
def test_the_gate_stops_nothing_that_a_rule_would_mask(texts: list[str]) -> None:
    """Each rule's `needs` is a promise made by hand: every text is searched here by every rule."""
    undisguised = fold(pl.Series([as_unicode(text) for text in texts]))
    frame = pl.DataFrame({"row": pl.int_range(len(texts), dtype=pl.UInt32, eager=True), "text": undisguised})
    frame = frame.with_columns(**dict.fromkeys(detection.GATES, True))
    with pytest.MonkeyPatch.context() as patched:
        everywhere = tuple(replace(search, sign=None, gates=(0,)) for search in default_searches())
        patched.setattr(detection, "default_searches", lambda: everywhere)
        patched.setattr(detection, "_matches", detection._matches.__wrapped__)
        found = pieces(frame)
    expected = pieces(suspects(undisguised))
    assert expected.equals(found)
    assert contains_any(undisguised.gather(found["row"].unique()), gates()).all()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(nasty_texts, min_size=1, max_size=8))
def test_an_opener_is_found_wherever_a_gate_is(texts: list[str]) -> None:
    column = pl.Series([as_unicode(text) for text in texts])
    assert not (contains_any(column, gates()) & ~contains_any(column, openers())).any()


def test_every_masking_rule_names_a_sign_it_needs() -> None:
    assert [rule.name for rule in default_rules() if (rule.placeholder is None) != (rule.needs is None)] == []


def test_account_lengths_are_those_of_the_iban_registry() -> None:
    """Oracle: the registry as python-stdnum ships it."""
    registry = numdb.get("iban")
    for country, length in checks._IBAN_LENGTHS.items():
        structure = registry.info(country)[0][1]["bban"]
        assert 4 + sum(map(int, re.findall(r"([0-9]+)!", structure))) == length, country


def test_patterns_have_no_groups_of_their_own() -> None:
    """The replacement counts groups: one for what stands before a value and one for the value, per rule."""
    for search in default_searches():
        groups = pl.Series([""]).str.extract_groups(search.pattern).struct.fields
        assert len(groups) == search.marked.count("${")


def test_an_unknown_field_names_the_rule(tmp_path) -> None:
    table = tmp_path / "rules.toml"
    table.write_text('[[rule]]\nname = "a"\npattern = "a"\nplaceholer = "A"\n')
    with pytest.raises(InvalidRuleError, match=r"rule a of rules\.toml"):
        load_rules(table)


def test_a_repeated_name_is_refused(tmp_path) -> None:
    table = tmp_path / "rules.toml"
    table.write_text('[[rule]]\nname = "a"\npattern = "a"\n[[rule]]\nname = "a"\npattern = "b"\n')
    with pytest.raises(InvalidRuleError, match="repeats the names a"):
        load_rules(table)


def test_an_unknown_check_names_the_rule(tmp_path) -> None:
    table = tmp_path / "rules.toml"
    table.write_text('[[rule]]\nname = "a"\npattern = "a"\ncheck = "moon_phase"\n')
    with pytest.raises(InvalidRuleError, match="rule a names the unknown check moon_phase"):
        searches(load_rules(table))


@pytest.mark.parametrize("rule", LIBRARY_CHECKED, ids=lambda rule: rule.name)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_national_number_is_judged_whatever_its_digits(rule: Rule, data: st.DataObject) -> None:
    """A check that raises would let one message stop the intake of everybody's."""
    value = data.draw(st.from_regex(re.compile(rule.pattern.replace(r"\b", ""), re.ASCII), fullmatch=True))
    check = checks.stdnum_check(str(rule.check).removeprefix("stdnum:"), rule.pattern)
    assert check(value) in (None, (0, len(value)))


def test_a_number_the_library_cannot_judge_is_masked() -> None:
    """python-stdnum 2.2 knows the first six digits of this one but not the county, and raises KeyError."""
    assert checks.stdnum_check("cn.ric", "[0-9]{18}")("123400966501234567") == (0, 18)
