"""What each signal means: the table in docs/verdicts.md, row by row."""

import re
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.cleaning.verdicts import PolicyError, VerdictPolicy, add_verdicts, read_policy
from feedback_pipeline.tables.vocabulary import KINDS


def judged(policy: VerdictPolicy | None = None, **event: object) -> dict[str, object]:
    columns = {"kind": pl.String, "thumb": pl.Boolean, "stars": pl.Int16, "value": pl.String}
    frame = pl.DataFrame([{name: event.get(name) for name in columns}], schema=columns)
    return add_verdicts(frame, policy or VerdictPolicy()).row(0, named=True)


@pytest.mark.parametrize(
    ("event", "verdict", "success"),
    [
        ({"kind": "explicit", "thumb": True}, "up", True),
        ({"kind": "explicit", "thumb": False}, "down", False),
        ({"kind": "explicit", "stars": 1}, "down", False),
        ({"kind": "explicit", "stars": 2}, "down", False),
        ({"kind": "explicit", "stars": 3}, "neutral", False),
        ({"kind": "explicit", "stars": 4}, "up", True),
        ({"kind": "explicit", "stars": 5}, "up", True),
        ({"kind": "explicit", "thumb": True, "stars": 1}, "up", True),
        ({"kind": "outcome", "value": '{"task_succeeded": true}'}, "up", True),
        ({"kind": "outcome", "value": '{"task_succeeded": false}'}, "down", False),
        ({"kind": "outcome", "value": '{"something": 1}'}, None, None),
        ({"kind": "outcome", "value": "not json"}, None, None),
        ({"kind": "implicit", "value": '{"signal": "copy"}'}, "up", None),
        ({"kind": "implicit", "value": '{"signal": "retry"}'}, "down", None),
        ({"kind": "implicit", "value": '{"signal": "blink"}'}, None, None),
        ({"kind": "correction"}, "down", None),
        ({"kind": "preference"}, None, None),
        ({"kind": "comment"}, None, None),
    ],
)
def test_signals_and_their_verdicts(event: dict[str, object], verdict: str | None, success: bool | None) -> None:
    found = judged(**event)
    assert (found["verdict"], found["success"]) == (verdict, success)
    assert (found["strength"] is None) == (verdict is None)


def test_a_thumb_against_the_stars_is_flagged() -> None:
    assert judged(kind="explicit", thumb=True, stars=1)["disagrees"]
    assert judged(kind="explicit", thumb=False, stars=5)["disagrees"]
    assert not judged(kind="explicit", thumb=True, stars=5)["disagrees"]
    assert not judged(kind="explicit", stars=1)["disagrees"]


def test_the_mapping_is_configuration() -> None:
    policy = VerdictPolicy(implicit={"blink": ("up", 0.1)})
    assert judged(policy, kind="implicit", value='{"signal": "blink"}')["verdict"] == "up"
    assert judged(policy, kind="implicit", value='{"signal": "copy"}')["verdict"] is None


def documented() -> list[tuple[str, str, str, str, str]]:
    """The rows of the table in docs/verdicts.md."""
    text = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(rf"\| ({'|'.join(KINDS)}) ", line)]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]  # type: ignore[misc]


SIGNALS = {
    "thumb up": {"thumb": True},
    "thumb down": {"thumb": False},
    "`task_succeeded: true`": {"value": '{"task_succeeded": true}'},
    "`task_succeeded: false`": {"value": '{"task_succeeded": false}'},
    **{f"{number} star{'s' * (number > 1)}": {"stars": number} for number in range(1, 6)},
    **{f"`{name}`": {"value": f'{{"signal": "{name}"}}'} for name in VerdictPolicy().implicit},
    "any other": {"value": '{"signal": "blink"}'},
}


def test_the_documented_table_is_the_default_policy() -> None:
    rows = documented()
    # two thumbs, five stars, a correction, two outcomes, a preference, a comment, the signals and any other
    assert len(rows) == 13 + len(VerdictPolicy().implicit)
    for kind, signal, verdict, strength, success in rows:
        found = judged(kind=kind, **SIGNALS.get(signal, {}))
        assert found["verdict"] == (None if verdict == "none" else verdict), signal
        assert found["strength"] == (pytest.approx(float(strength)) if strength else None), signal
        assert found["success"] == ({"true": True, "false": False}[success] if success else None), signal


def test_the_documented_configuration_can_be_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    (tmp_path / "verdicts.toml").write_text(example.group(1), encoding="utf-8")
    policy = read_policy(tmp_path / "verdicts.toml")
    assert policy.stars[3] == ("down", 0.3)
    assert policy.stars[5] == ("up", 1.0)
    assert policy.implicit["share"] == ("up", 0.6)
    assert "abandon" not in policy.implicit
    assert policy.implicit["copy"] == ("up", 0.3)


def test_an_empty_configuration_is_the_default() -> None:
    assert VerdictPolicy.from_mapping({}) == VerdictPolicy()


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"thumbs": 1.0}, "thumbs"),
        ({"thumb_strength": 2}, "thumb_strength"),
        ({"thumb_strength": True}, "thumb_strength"),
        ({"success": ["maybe", 0.5]}, "success"),
        ({"failure": ["down"]}, "failure"),
        ({"correction": ["down", -0.1]}, "correction"),
        ({"stars": {"6": ["up", 1.0]}}, "stars.6"),
        ({"stars": [1, 2]}, "stars"),
        ({"implicit": {"copy": True}}, "implicit.copy"),
        ({"implicit": {"copy": ["up", "much"]}}, "implicit.copy"),
    ],
)
def test_a_wrong_configuration_names_the_key(given: dict[str, object], names: str) -> None:
    with pytest.raises(PolicyError, match=names):
        VerdictPolicy.from_mapping(given)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "verdicts.toml").write_text("stars = [", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"verdicts\.toml"):
        read_policy(tmp_path / "verdicts.toml")
