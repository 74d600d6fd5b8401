"""The console as a person uses it: what they read, how they find it, whose it is."""

import re
from typing import Any

import httpx
import pytest

from feedback_pipeline.console import wording

MESSAGES = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Where is my parcel?"},
    {"role": "assistant", "tool_calls": [{"function": {"name": "track", "arguments": '{"id": 7}'}}]},
    {"role": "tool", "content": "in Lyon"},
]


@pytest.fixture
def visitor(service: Any) -> Any:
    with httpx.Client(base_url=service.url, follow_redirects=True) as client:
        client.post("/console/login", data={"key": service.key})
        yield client


def words(page: httpx.Response) -> str:
    """What a page says, without its tags."""
    assert page.status_code == 200, page.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text))


def log(api: httpx.Client, **answer: Any) -> str:
    made = api.post("/v1/interactions", json={"prompt": "Hello?", "output": "Hello!"} | answer)
    assert made.status_code == 202, made.text
    return str(made.json()["interaction_ids"][0])


def test_a_list_says_who_said_what_of_which_answer(api: httpx.Client, visitor: httpx.Client) -> None:
    log(api, prompt="Where is my parcel?", output="\n\nIn Lyon.\nIt left on Monday.", request_id="r1", model="m-1")
    vote = {
        "kind": "explicit",
        "request_id": "r1",
        "thumb": False,
        "comment": "No, in Nice.",
        "user_id": "ada",
        "reasons": ["wrong"],
    }
    assert api.post("/v1/feedback", json=vote).status_code == 201
    page = words(visitor.get("/console"))
    for shown in ("Thumb down, with a comment", "wrong", "No, in Nice.", "Where is my parcel?", "In Lyon.", "m-1"):
        assert shown in page
    assert "It left on Monday" not in page, "the first line tells answers apart"
    assert "explicit" not in page
    assert "1–1 of 1 votes" in page
    person = re.search(r'href="(/console\?voter=[^"]+)"', visitor.get("/console").text)
    assert person is not None
    assert "1–1 of 1 votes" in words(visitor.get(person[1].replace("&amp;", "&")))


def test_a_list_has_a_total_and_pages(api: httpx.Client, visitor: httpx.Client) -> None:
    votes = [{"query": f"q{n}", "response": f"r{n}", "rating": 1, "user_id": f"u{n}"} for n in range(120)]
    assert api.post("/v1/feedback/batch", json={"items": votes}).status_code < 300
    assert "1–50 of 120 votes" in words(visitor.get("/console"))
    second = visitor.get("/console?page=2")
    assert "51–100 of 120 votes" in words(second)
    assert 'rel="prev"' in second.text
    assert 'rel="next"' in second.text
    third = visitor.get("/console?page=3")
    assert "101–120 of 120 votes" in words(third)
    assert 'rel="next"' not in third.text
    assert "must be a number" in words(visitor.get("/console?page=-1"))


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("parcel", {"1", "2"}),
        ("parcel -lyon", {"2"}),
        ('"left on"', {"1"}),
        ("rude or nice", {"1", "3"}),
        ("' & |", set()),
    ],
)
def test_words_are_searched_in_prompts_answers_and_comments(
    api: httpx.Client, visitor: httpx.Client, search: str, found: set[str]
) -> None:
    texts = (
        ("Where is my parcel?", "In Lyon, it left on Monday.", "nice"),
        ("A parcel", "Soon.", None),
        ("x", "y", "so rude"),
    )
    for number, (prompt, output, comment) in enumerate(texts, 1):
        vote = {"query": prompt, "response": output, "rating": 1, "model": f"model-{number}"}
        api.post("/v1/feedback", json=vote | ({"comment": comment} if comment else {}))
    listed = visitor.get("/console", params={"search": search}).text
    listed = listed[listed.index('id="listed"') :]
    assert set(re.findall(r"model-(\d)", listed)) == found
    by_api = api.get("/v1/feedback", params={"search": search}).json()["items"]
    assert {item["model"].removeprefix("model-") for item in by_api} == found


def test_filters_offer_what_is_in_use(api: httpx.Client, visitor: httpx.Client) -> None:
    api.post("/v1/feedback", json={"query": "q", "response": "r", "rating": 1, "model": "m-1", "intent": "code"})
    page = visitor.get("/console").text
    assert '<datalist id="values-model"><option value="m-1">' in page
    assert '<datalist id="values-intent"><option value="code">' in page


def test_answers_without_votes_are_there(api: httpx.Client, visitor: httpx.Client) -> None:
    assert "Nothing was logged yet" in words(visitor.get("/console/answers"))
    assert "log_openai" in words(visitor.get("/console/answers"))
    log(api, prompt="asked", output="answered", request_id="r1", latency_ms=1234, cost_usd=0.00042)
    log(api, prompt="silent", output="unheard")
    api.post("/v1/feedback", json={"kind": "explicit", "request_id": "r1", "thumb": True})
    page = words(visitor.get("/console/answers"))
    for shown in ("1–2 of 2 answers", "1 up, 0 down", "unheard", "1.2 s", "$0.00042"):
        assert shown in page
    assert "unheard" in words(visitor.get("/console/answers?voted=false"))
    assert "answered" not in words(visitor.get("/console/answers?voted=false"))
    assert "answered" in words(visitor.get("/console/answers?search=asked"))


def test_an_item_shows_what_led_to_it(api: httpx.Client, visitor: httpx.Client) -> None:
    identity = log(
        api, messages=MESSAGES, output="In Lyon.", request_id="r1", conversation_id="c-1", tools_called=["track"],
        cost_usd=0.25, latency_ms=350, content_snapshot={"card": "In Lyon."},
    )  # fmt: skip
    vote = api.post(
        "/v1/feedback", json={"kind": "explicit", "request_id": "r1", "thumb": True, "user_id": "ada"}
    ).json()["id"]
    api.put(f"/v1/feedback/{vote}", json={"thumb": False})
    text = visitor.get(f"/console/feedback/{vote}").text
    page = words(visitor.get(f"/console/feedback/{vote}"))
    for shown in (
        "Thumb down",
        "Thumb up",
        "Be kind.",
        "track({&#34;id&#34;: 7})",
        "in Lyon",
        "$0.25",
        "350 ms",
        "track",
    ):
        assert shown in page, shown
    assert "<details><summary>What was shown (snapshot)" in text, "the snapshot is folded"
    assert f"/console/answers/{identity}" in text
    assert "Nobody voted" not in words(visitor.get(f"/console/answers/{identity}"))


def test_a_conversation_shows_its_turns_and_votes(api: httpx.Client, visitor: httpx.Client) -> None:
    for turn, prompt in enumerate(("Where?", "When?")):
        log(api, prompt=prompt, output=f"answer {turn}", conversation_id="c/ä 1", turn=turn, request_id=f"t{turn}")
    api.post("/v1/feedback", json={"kind": "explicit", "request_id": "t1", "thumb": False, "comment": "late"})
    whole = {"subject": {"kind": "conversation", "id": "c/ä 1"}, "kind": "explicit", "thumb": True}
    assert api.post("/v1/feedback", json=whole).status_code == 201
    page = words(visitor.get("/console/conversation", params={"id": "c/ä 1"}))
    assert page.index("Where?") < page.index("answer 0") < page.index("When?") < page.index("late")
    assert "Of the conversation as a whole" in page
    assert "Thumb up, on the conversation" in page
    assert visitor.get("/console/conversation?id=other").status_code == 404


def test_prompt_versions_stand_beside_their_votes(api: httpx.Client, visitor: httpx.Client) -> None:
    assert "named a prompt version" in words(visitor.get("/console/prompts"))
    for number in range(4):
        log(api, output=f"o{number}", prompt_version="2.0", request_id=f"r{number}")
    for number in range(3):
        api.post(
            "/v1/feedback",
            json={"kind": "explicit", "request_id": f"r{number}", "thumb": number > 0, "user_id": f"u{number}"},
        )
    page = words(visitor.get("/console/prompts"))
    assert re.search(r"2\.0 4 3 3 67 %", page), page
    assert "1–3 of 3 votes" in words(visitor.get("/console?prompt_version=2.0"))


def test_a_refused_key_says_why(service: Any) -> None:
    with httpx.Client(base_url=service.url, follow_redirects=True) as client:
        unknown = client.post("/console/login", data={"key": "fbk_unknown"})
        assert (unknown.status_code, "unknown, has expired or was revoked" in unknown.text) == (401, True)
        writer = client.post("/console/login", data={"key": service.new_key(None, "write")})
        assert (writer.status_code, "lacks the scope read: it has write" in writer.text) == (403, True)
        assert client.post("/console/login", data={"key": " "}).status_code == 401


def test_teams_are_named_and_can_be_switched(service: Any) -> None:
    other = service.tenant + "-other"
    with httpx.Client(base_url=service.url, follow_redirects=True) as client:
        first = client.post("/console/login", data={"key": f"{service.key},{service.new_key(other)}"})
        assert f"<option selected>{service.tenant}" in first.text.replace("  ", " ")
        switched = client.post("/console/team", data={"team": other})
        assert f"<option selected>{other}" in switched.text.replace("  ", " ")
        assert f"Team {other} has none" in words(switched)
        stranger = client.post("/console/team", data={"team": "default"})
        assert f"<option selected>{other}" in stranger.text, "no team without its key"
        client.post("/console/logout")
        assert "Open the console" in client.get("/console").text
        assert "Open the console" in client.get("/console/answers").text


def test_exports_can_be_made_and_fetched(service: Any, api: httpx.Client, visitor: httpx.Client) -> None:
    api.post("/v1/feedback", json={"query": "q", "response": "r", "rating": 1})
    form = re.search(r'name="form" value="([^"]+)"', visitor.get("/console/exports").text)
    assert form is not None
    made = visitor.post("/console/exports", data={"form": form[1]})
    link = re.search(r'href="(/console/exports/[^"]+)"', made.text)
    assert link is not None
    file = visitor.get(link[1])
    assert file.headers["content-disposition"].startswith("attachment")
    assert '"content":"r"' in file.text
    assert service.rows("SELECT count(*) FROM export_file WHERE tenant = %s AND place IS NULL") == [(1,)], "noted"
    with httpx.Client(base_url=service.url, follow_redirects=True) as reader:
        reader.post("/console/login", data={"key": service.new_key(None, "read")})
        assert reader.get(link[1]).status_code == 403
        assert 'href="/console/exports/' not in reader.get("/console/exports").text
    with httpx.Client(base_url=service.url, follow_redirects=True) as rival:
        rival.post("/console/login", data={"key": service.new_key(service.tenant + "-rivals")})
        assert rival.get(link[1]).status_code == 404


def test_another_teams_answers_and_conversations_are_not_there(
    service: Any, api: httpx.Client, visitor: httpx.Client
) -> None:
    identity = log(api, output="secret", conversation_id="c-1")
    with httpx.Client(base_url=service.url, follow_redirects=True) as rival:
        rival.post("/console/login", data={"key": service.new_key(service.tenant + "-rivals")})
        assert rival.get(f"/console/answers/{identity}").status_code == 404
        assert rival.get("/console/conversation?id=c-1").status_code == 404
        assert "secret" not in rival.get("/console/answers").text


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"kind": "explicit", "thumb": True, "stars": 4, "comment": "x"}, "Thumb up, 4 of 5 stars, with a comment"),
        ({"kind": "correction", "thumb": None, "stars": None}, "Corrected the answer"),
        ({"kind": "implicit", "thumb": None, "stars": None, "value": {"signal": "copy"}}, "Copied the answer"),
        ({"kind": "implicit", "thumb": None, "stars": None, "value": {"signal": "dwell_time"}}, "Dwell time"),
        ({"kind": "outcome", "thumb": None, "stars": None, "value": {"task_succeeded": False}}, "Task succeeded: no"),
        ({"kind": "preference", "thumb": None, "stars": None, "preference": "tie"}, "Found both answers equal"),
        ({"kind": "comment", "thumb": None, "stars": None, "content_type": "general"}, "General feedback"),
        ({"kind": "explicit", "thumb": None, "stars": 2, "subject": {"kind": "step"}}, "2 of 5 stars, on the step"),
    ],
)  # fmt: skip
def test_a_vote_is_said_in_words(event: dict[str, Any], says: str) -> None:
    assert wording.said(event) == says


def test_numbers_have_decimals_that_say_something() -> None:
    assert [wording.percent(value) for value in (None, 0, 3.333, 33.333, 99.5, 100)] == [
        "–", "0 %", "3.3 %", "33 %", "99.5 %", "100 %",
    ]  # fmt: skip
    assert wording.interval([23.4, 41.2]) == "23–41 %"
    assert [wording.dollars(value) for value in (0, 0.000033, 0.004, 12.5)] == [
        "$0.00",
        "$0.000033",
        "$0.0040",
        "$12.50",
    ]
    assert [wording.seconds(value) for value in (None, 569.4, 2300)] == ["", "569 ms", "2.3 s"]
