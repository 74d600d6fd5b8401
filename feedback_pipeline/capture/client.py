"""The client for Python applications: votes and logged answers, sent now or in the background.

with FeedbackClient("http://127.0.0.1:8787", key) as feedback:
    feedback.send({"message_id": "m-1", "feedback": "up", "user_id": "ada"})      # now; gives the vote's id
    feedback.submit({"feedback_type": "implicit", ...})                            # in the background
    feedback.log({"request_id": "r-1", "messages": [...], "output": "..."})        # in the background
"""

import asyncio
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from feedback_pipeline.capture.delivery import Address, Delivery
from feedback_pipeline.capture.spool import Spool

BATCH = "/v1/feedback/batch"
INTERACTIONS = "/v1/interactions"
_ANSWER_TEXTS = ("prompt", "output")


class FeedbackClient:
    """Talks to one service with one key. Safe to use from many threads."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        spool: Path | None = None,
        timeout: float = 5.0,
        flush_seconds: float = 0.2,
        redact: bool = True,
    ) -> None:
        """`spool` is a folder for what cannot be delivered; `redact` removes identifiers before they leave here."""
        self._address = Address(url.rstrip("/"), key, timeout)
        self._delivery = Delivery(self._address, None if spool is None else Spool(spool), flush_seconds)
        self._redact = redact

    def send(self, vote: dict[str, Any], idempotency_key: str | None = None) -> str | None:
        """Files a vote and waits until it is durable; None if the person refused collection.

        Raises:
            DeliveryError: the service refused it, or was not reached in four attempts.
        """
        answer = self._address.patiently("POST", "/v1/feedback", vote, idempotency_key or uuid4().hex)
        return None if answer["id"] is None else str(answer["id"])

    def send_many(self, votes: Sequence[dict[str, Any]], idempotency_key: str | None = None) -> list[dict[str, Any]]:
        """Files up to 5,000 votes; one result each, in order.

        Raises:
            DeliveryError: as `send`.
        """
        body = {"items": list(votes)}
        answer = self._address.patiently("POST", BATCH, body, idempotency_key or uuid4().hex)
        return list(answer["results"])

    def get(self, feedback_id: str, *, history: bool = False) -> dict[str, Any]:
        """One vote as it stands.

        Raises:
            DeliveryError: there is none (404), or the service was not reached.
        """
        found: dict[str, Any] = self._address.request(
            "GET", f"/v1/feedback/{feedback_id}?history={str(history).lower()}"
        )
        return found

    def change(self, feedback_id: str, **changes: Any) -> dict[str, Any]:
        """Changes a vote. Raises DeliveryError as `get`."""
        found: dict[str, Any] = self._address.request("PUT", f"/v1/feedback/{feedback_id}", changes)
        return found

    def withdraw(self, feedback_id: str) -> None:
        """Withdraws a vote. Raises DeliveryError as `get`."""
        self._address.request("DELETE", f"/v1/feedback/{feedback_id}")

    def mint_token(self, content_type: str, content_id: str, origin: str, user_id: str | None = None) -> str:
        """A token for the component on a page of `origin`. Raises DeliveryError as `get`."""
        wanted = {"content_type": content_type, "content_id": content_id, "origin": origin, "user_id": user_id}
        return str(self._address.request("POST", "/v1/tokens", wanted)["token"])

    def submit(self, vote: dict[str, Any]) -> bool:
        """Files a vote in the background; never raises. False if the queue is full."""
        return self._delivery.put(BATCH, {"idempotency_key": uuid4().hex, **vote})

    def log(self, answer: dict[str, Any]) -> bool:
        """Keeps an answer in the background, redacted here; never raises. False if the queue is full."""
        return self._delivery.put(INTERACTIONS, answer, redacted if self._redact else None)

    def signal(self, request_id: str, name: str, user_id: str | None = None, **detail: Any) -> bool:
        """Files an implicit signal in the background: `copy`, `regenerate`, `edit` or `abandon`."""
        return self.submit(
            {
                "feedback_type": "implicit",
                "feedback_value": {"signal": name, **detail},
                "request_id": request_id,
                "user_id": user_id,
            }
        )

    def edited(self, request_id: str, shown: str, kept: str, user_id: str | None = None) -> bool:
        """Files how much of an answer a person changed before using it: 0 nothing, 1 everything."""
        return self.signal(request_id, "edit", user_id, distance=round(edit_distance(shown, kept), 4))

    @property
    def figures(self) -> dict[str, int]:
        """What became of background items so far."""
        delivery = self._delivery
        return {"delivered": delivery.delivered, "refused": delivery.refused, "dropped": delivery.dropped}

    def flush(self, seconds: float = 10.0) -> bool:
        """Waits for the background; False if it took longer."""
        return self._delivery.flush(seconds)

    def close(self, seconds: float = 10.0) -> None:
        """Delivers or spools what waits."""
        self._delivery.close(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncFeedbackClient:
    """The same for asyncio: what waits, waits in a thread."""

    def __init__(self, url: str, key: str, **options: Any) -> None:
        """Takes the options of `FeedbackClient`, which is there as `background`."""
        self.background = FeedbackClient(url, key, **options)

    async def send(self, vote: dict[str, Any], idempotency_key: str | None = None) -> str | None:
        """See `FeedbackClient.send`."""
        return await asyncio.to_thread(self.background.send, vote, idempotency_key)

    async def send_many(
        self, votes: Sequence[dict[str, Any]], idempotency_key: str | None = None
    ) -> list[dict[str, Any]]:
        """See `FeedbackClient.send_many`."""
        return await asyncio.to_thread(self.background.send_many, votes, idempotency_key)

    async def get(self, feedback_id: str, *, history: bool = False) -> dict[str, Any]:
        """See `FeedbackClient.get`."""
        return await asyncio.to_thread(self.background.get, feedback_id, history=history)

    async def change(self, feedback_id: str, **changes: Any) -> dict[str, Any]:
        """See `FeedbackClient.change`."""
        return await asyncio.to_thread(lambda: self.background.change(feedback_id, **changes))

    async def withdraw(self, feedback_id: str) -> None:
        """See `FeedbackClient.withdraw`."""
        await asyncio.to_thread(self.background.withdraw, feedback_id)

    def submit(self, vote: dict[str, Any]) -> bool:
        """See `FeedbackClient.submit`."""
        return self.background.submit(vote)

    def log(self, answer: dict[str, Any]) -> bool:
        """See `FeedbackClient.log`."""
        return self.background.log(answer)

    async def close(self, seconds: float = 10.0) -> None:
        """See `FeedbackClient.close`."""
        await asyncio.to_thread(self.background.close, seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def redacted(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without structured identifiers in its texts and messages."""
    # imported here: the rules take a moment to load, and the caller's thread must not wait for them
    import json

    import polars as pl

    from feedback_pipeline.privacy.redaction import redact_json, redact_text

    found = dict(answer)
    for name in _ANSWER_TEXTS:
        if isinstance(found.get(name), str):
            found[name] = redact_text(found[name])[0]
    for name in ("messages", "metadata", "content_snapshot"):
        if found.get(name) is not None:
            text = redact_json(pl.Series([json.dumps(found[name])])).texts[0]
            found[name] = json.loads(text)
    return found


def edit_distance(shown: str, kept: str) -> float:
    """Share of a text that was changed: one minus the similarity of Ratcliff and Obershelp (1988)."""
    return 1.0 - SequenceMatcher(None, shown, kept, autojunk=False).ratio()


def capture_feedback(
    client: FeedbackClient,
    prompt: str,
    output: str,
    rating: int | None = None,
    thumbs_up: bool | None = None,
    tags: Sequence[str] = (),
    context: dict[str, Any] | None = None,
    notes: str | None = None,
    user_id: str | None = None,
) -> str | None:
    """Files a rating of a prompt's output (stars 1 to 5, a thumb, or both); returns its id.

    `context` may hold framework, model, confidence, techniques and execution_time (seconds). Raises as
    `FeedbackClient.send`.
    """
    about = dict(context or {})
    seconds = about.pop("execution_time", None)
    known: dict[str, Any] = {
        name: about.pop(name) for name in ("framework", "model", "confidence", "techniques") if name in about
    }
    answer: dict[str, Any] = {"prompt": prompt, "output": output, "tags": normalised_tags(tags), **known}
    if seconds is not None:
        answer["latency_ms"] = float(seconds) * 1000
    if about:
        answer["metadata"] = about
    vote: dict[str, Any] = {
        "kind": "explicit",
        "stars": rating,
        "thumb": thumbs_up,
        "comment": notes,
        "user_id": user_id,
        "answer": answer,
    }
    return client.send(vote)


def collect_explicit_feedback(
    client: FeedbackClient,
    request_id: str,
    rating: bool | int | str,
    comment: str | None = None,
    user_id: str | None = None,
) -> str | None:
    """Files a rating of a request: true, false, "up", "down", or 1 to 5 stars. Raises as `FeedbackClient.send`."""
    return client.send(
        {
            "feedback_type": "explicit",
            "feedback_value": {"rating": rating},
            "request_id": request_id,
            "comment": comment,
            "user_id": user_id,
        }
    )


def insert_feedback(
    client: FeedbackClient,
    conversation_id: str | None,
    turn_id: int | str | None,
    request_id: str | None,
    input_text: str | None,
    output_text: str | None,
    prompt_version: str | None,
    model: str | None,
    feedback_type: str,
    feedback_value: dict[str, Any],
) -> str | None:
    """Files a signal of any type with the turn it is about. Raises as `FeedbackClient.send`."""
    fields = {name: value for name, value in locals().items() if name != "client" and value is not None}
    return client.send(fields)


def normalised_tags(tags: Sequence[str]) -> list[str]:
    """Lower case, words joined by dashes, sorted, without repeats: `Data Quality` and `data_quality` are one tag."""
    return sorted({"-".join(tag.lower().replace("_", " ").replace("-", " ").split()) for tag in tags if tag.strip()})
