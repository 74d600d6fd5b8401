"""A plain form and a picture vote: no script, no header of ours; and nobody else's page does."""

from typing import Any

import httpx
import pytest

from tests.capture.conftest import Running

PAGE = "https://app.example"


@pytest.fixture
def token(api: httpx.Client) -> str:
    wanted = {"content_type": "qa_answer", "content_id": "42", "origin": PAGE, "user_id": "ada"}
    return str(api.post("/v1/tokens", json=wanted).json()["token"])


def form(service: Running, origin: str = PAGE, **fields: str) -> httpx.Response:
    headers = {"Origin": origin, "Referer": f"{origin}/answers/42?x=1"}
    return httpx.post(f"{service.url}/v1/feedback/form", data=fields, headers=headers)


def listed(api: httpx.Client) -> list[dict[str, Any]]:
    return list(api.get("/v1/feedback").json()["items"])


def test_a_plain_form_votes_and_leads_back(service: Running, api: httpx.Client, token: str) -> None:
    answer = form(service, token=token, rating="down", comment="<b>wrong</b>")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}/answers/42?x=1")
    (vote,) = listed(api)
    assert (vote["thumb"], vote["comment"], vote["content_id"]) == (False, "<b>wrong</b>", "42")
    assert form(service, token=token, rating="up").status_code == 303
    (vote,) = listed(api)
    assert (vote["thumb"], vote["comment"]) == (True, "<b>wrong</b>"), "a second click changes the first"


def test_a_picture_votes(service: Running, api: httpx.Client, token: str) -> None:
    asked = {"token": token, "rating": "up"}
    answer = httpx.get(f"{service.url}/v1/feedback/pixel", params=asked, headers={"Referer": f"{PAGE}/"})
    assert (answer.status_code, answer.headers["content-type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")
    assert answer.headers["cache-control"] == "no-store"
    assert [vote["thumb"] for vote in listed(api)] == [True]


@pytest.mark.parametrize(
    ("change", "status"),
    [({"rating": "maybe"}, 422), ({"token": "fbt_forged"}, 401), ({"token": ""}, 401), ({"rating": ""}, 422)],
)
def test_what_is_wrong_is_said(
    service: Running, api: httpx.Client, token: str, change: dict[str, str], status: int
) -> None:
    assert form(service, **({"token": token, "rating": "up"} | change)).status_code == status
    assert listed(api) == []


def test_a_page_of_another_origin_cannot_vote_with_a_copied_token(
    service: Running, api: httpx.Client, token: str
) -> None:
    assert form(service, "https://evil.example", token=token, rating="up").status_code == 403
    asked = {"token": token, "rating": "up"}
    for headers in ({"Referer": "https://evil.example/"}, {"Referer": f"{PAGE}.evil.example/"}, {}):
        answer = httpx.get(f"{service.url}/v1/feedback/pixel", params=asked, headers=headers)
        assert answer.status_code == 403
    assert listed(api) == []


def test_it_leads_to_no_other_page(service: Running, token: str) -> None:
    headers = {"Origin": PAGE, "Referer": f"{PAGE}.evil.example/"}
    fields = {"token": token, "rating": "up"}
    answer = httpx.post(f"{service.url}/v1/feedback/form", data=fields, headers=headers)
    assert (answer.status_code, answer.text) == (200, "Thank you.\n")
