"""Each kind of feedback has its section, and the headline is of what there is."""  # B.15, B.16

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline import generate_report

Rows = list[dict[str, Any]]


def at(n: int) -> dt.datetime:
    return dt.datetime(2026, 11, 9, 8, tzinfo=dt.UTC) + dt.timedelta(minutes=37 * n)


def about(n: int, people: int, **said: Any) -> dict[str, Any]:
    return {"request_id": f"r{n}", "user_id": f"u{n % people}", "timestamp": at(n), **said}


def preferences(count: int, share: float) -> Rows:
    draw = random.Random(3)
    rows = []
    for n in range(count):
        won = draw.random() < share
        rows.append(about(n, 40, preference="this" if won else "other", model="aurora", other_model="cirrus"))
    return rows


def report(rows: Rows, folder: Path) -> tuple[Any, str]:
    found = generate_report(rows, "weekly", folder / "report.html")
    return found, (folder / "report.html").read_text(encoding="utf-8")


def test_preferences_alone_give_a_ranking_with_intervals(tmp_path: Path) -> None:
    found, page = report(preferences(200, 0.8), tmp_path)
    assert found.headline == (
        "No votes up or down this week: 200 comparisons by 40 people; aurora is above the average and cirrus is below "
        "the average"
    )
    assert "Models by people&#39;s preferences" in page
    assert found.action_items == []
    assert "nobody voted this week; people gave 200 preferences" in page


def test_models_that_cannot_be_told_apart_are_said_to_be(tmp_path: Path) -> None:
    found, _ = report(preferences(30, 0.5), tmp_path)
    assert "the models cannot be told apart" in found.headline


def test_comments_alone_say_what_people_share(tmp_path: Path) -> None:
    said = ("the invoice total is wrong", "far too long for a chat answer")
    found, page = report([about(n, 30, comment=said[n % 3 == 0]) for n in range(90)], tmp_path)
    assert found.headline == "No votes this week: 90 comments by 30 people"
    # fragments that go on in each other are said once, as one
    assert '<th scope="row">invoice total is wrong</th>' in page
    fragments = ("invoice total", "total is wrong", "invoice", "wrong")
    assert not any(f'<th scope="row">{words}</th>' in page for words in fragments)


def test_words_of_few_people_are_not_shown(tmp_path: Path) -> None:
    rows = [about(n, 4, comment="my neighbour Gudrun complains") for n in range(40)]
    _, page = report(rows, tmp_path)
    assert "gudrun" not in page.lower()
    assert "No words that five people share" in page


def test_corrections_alone_are_no_disapproval(tmp_path: Path) -> None:
    rows = [
        about(
            n, 20, answer="You can cancel within 30 days by mail.", correction="You can cancel within 14 days by mail."
        )
        for n in range(40)
    ]
    found, page = report(rows, tmp_path)
    assert found.headline == "No votes this week: 40 answers were corrected"
    assert (found.success_rate, found.action_items) == (None, [])
    assert "half of them keep 88% of the answer&#39;s words or more" in page
    assert '<th scope="row">14</th>' in page
    assert '<th scope="row">30</th>' in page


def test_neutral_votes_are_votes(tmp_path: Path) -> None:
    found, page = report([about(n, 40, stars=3) for n in range(200)], tmp_path)
    assert found.headline == "No votes up or down this week: all 200 are neutral"
    assert "nobody voted" not in page


def test_one_person_sees_their_own_numbers_with_their_limit(tmp_path: Path) -> None:
    found, page = report([about(n, 1, thumbs_up=n % 4 > 0) for n in range(60)], tmp_path)
    assert found.success_rate == 0.75
    assert "These are votes of one person: the interval is about further votes of theirs" in page


def test_all_down_is_the_strongest_finding(tmp_path: Path) -> None:
    found, _ = report([about(n, 50, thumbs_up=False) for n in range(200)], tmp_path)
    assert found.action_items == ["Find and fix what fails"]


@pytest.mark.parametrize("winner", ["aurora", "model_a", "this", "A"])
def test_the_winner_may_be_named_by_place_or_model(tmp_path: Path, winner: str) -> None:
    rows = [about(n, 10, winner=winner, model_a="aurora", model_b="cirrus") for n in range(20)]
    assert "20 comparisons by 10 people" in report(rows, tmp_path)[0].headline
