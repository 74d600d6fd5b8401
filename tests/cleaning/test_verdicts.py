"""What each signal means: the table in docs/verdicts.md, row by row."""

import polars as pl
import pytest

from feedback_pipeline.cleaning.verdicts import VerdictPolicy, add_verdicts


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
