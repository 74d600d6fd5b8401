"""The client for Python applications: votes and logged answers, sent now or in the background.

with FeedbackClient("http://127.0.0.1:8787", key) as feedback:
    feedback.send({"message_id": "m-1", "feedback": "up", "user_id": "ada"})      # now; gives the vote's id
    feedback.submit({"feedback_type": "implicit", ...})                            # in the background
    feedback.log({"request_id": "r-1", "messages": [...], "output": "..."})        # in the background
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Callable
from uuid import uuid4

from feedback_client.address import Address, AsyncAddress
from feedback_client.delivery import Delivery
from feedback_client.redaction import installed_redaction
from feedback_client.spool import Spool
from feedback_client.tokens import local_token

BATCH = "/v1/feedback/batch"
INTERACTIONS = "/v1/interactions"
STATE = "/v1/feedback/state"
Redaction = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes of an answer one without personal data."""


class FeedbackClient:
    """Talks to one service with one key. Safe to use from many threads."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        spool: Path | str | None = None,
        timeout: float = 5.0,
        flush_seconds: float = 0.2,
        redact: bool | Redaction = True,
    ) -> None:
        """Args:
        url: the service's address.
        key: an API key with the scope `write`; `read` to read.
        spool: a folder for what cannot be delivered; clients with other keys may keep theirs in it too.
        timeout: seconds for one request.
        flush_seconds: how long the background gathers what it sends.
        redact: a function that removes personal data from an answer before it leaves here. True: the service's own
            rules where feedback_pipeline is installed; elsewhere the service applies them when the answer arrives.
            False: only there.
        """
        self._address = Address(url, key, timeout)
        kept = None if spool is None else Spool(Path(spool), self._address.owner)
        self._redact = redact
        self._delivery = Delivery(self._address, kept, flush_seconds, {INTERACTIONS: self._redacted})

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

    def mint_token(
        self, content_type: str, content_id: str, origin: str, user_id: str | None = None, seconds: int = 3600
    ) -> str:
        """A token for the component on a page of `origin`, made here: no request is sent, so that a page is served
        whether or not the service runs.

        Raises:
            ValueError: a name is missing, or the time is not between 10 seconds and a day.
        """
        return local_token(self._address.key, content_type, content_id, origin, user_id, seconds)

    def state(
        self, content_type: str, content_id: str, user_id: str | None = None, session_id: str | None = None,
        snapshot: Any = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """What a person voted on content; with `snapshot`, on it as it is shown now. Raises DeliveryError as `get`."""
        wanted = _state(content_type, content_id, user_id, session_id, snapshot)
        return list(self._address.request("POST", STATE, wanted)["items"])

    def log_now(self, answer: dict[str, Any]) -> str:
        """Keeps an answer and waits until it is durable; returns its id.

        Raises:
            DeliveryError: as `send`.
        """
        found = self._address.patiently("POST", INTERACTIONS, self._redacted_alone(answer), uuid4().hex)
        return str(found["interaction_ids"][0])

    def look_alikes(self, tags: Sequence[str]) -> dict[str, list[str]]:
        """The tags in use that look like some of these, as normalised. Raises DeliveryError as `get`."""
        found: dict[str, list[str]] = self._address.request("GET", "/v1/tags")["look_alikes"]
        words = {"".join(filter(str.isalnum, tag.lower())) for tag in tags}
        return {tag: alike for tag, alike in found.items() if "".join(filter(str.isalnum, tag)) in words}

    def submit(self, vote: dict[str, Any]) -> bool:
        """Files a vote in the background; never raises. False if the queue is full."""
        return self._delivery.put(BATCH, {"idempotency_key": uuid4().hex, **vote})

    def log(self, answer: dict[str, Any]) -> bool:
        """Keeps an answer in the background, redacted here; never raises. False if the queue is full."""
        return self._delivery.put(INTERACTIONS, answer, self._redacted_by_function)

    def log_later(self, call: dict[str, Any], read: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
        """Keeps an answer that is read off a call in the background; never raises. False if the queue is full."""

        def prepared(item: dict[str, Any]) -> dict[str, Any] | None:
            answer = read(item)
            return None if answer is None else self._redacted_by_function(answer)

        return self._delivery.put(INTERACTIONS, call, prepared)

    def _redacted_by_function(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer without what the application's own function takes out."""
        return self._redact(answer) if callable(self._redact) else answer

    def _redacted(self, answers: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Answers without what the installed rules take out, unless something else was chosen."""
        rules = installed_redaction() if self._redact is True else None
        return answers if rules is None else rules(answers)

    def _redacted_alone(self, answer: dict[str, Any]) -> dict[str, Any]:
        return self._redacted([self._redacted_by_function(answer)])[0]

    def exposed(self, experiment: str, variant: str, request_id: str, user_id: str) -> bool:
        """Files in the background that a person's answer came from an arm; never raises. False if the queue is full."""
        item = {"experiment": experiment, "variant": variant, "request_id": request_id, "user_id": user_id}
        return self._delivery.put("/v1/exposures", item)

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
    def metrics(self) -> dict[str, int]:
        """What became of background items so far."""
        delivery = self._delivery
        return {"delivered": delivery.delivered, "refused": delivery.refused, "dropped": delivery.dropped}

    def flush(self, seconds: float = 10.0) -> bool:
        """Waits for the background; False if it took longer."""
        return self._delivery.flush(seconds)

    def close(self, seconds: float = 10.0) -> None:
        """Delivers or spools what waits."""
        self._delivery.close(seconds)
        self._address.close()

    def __enter__(self) -> FeedbackClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncFeedbackClient:
    """The same for asyncio, every verb of it: requests wait without a thread, the background is the same."""

    def __init__(self, url: str, key: str, **options: Any) -> None:
        """Takes the options of `FeedbackClient`, which is there as `background`."""
        self.background = FeedbackClient(url, key, **options)
        self._address = AsyncAddress(url, key, options.get("timeout", 5.0))

    async def send(self, vote: dict[str, Any], idempotency_key: str | None = None) -> str | None:
        """See `FeedbackClient.send`."""
        answer = await self._address.patiently("POST", "/v1/feedback", vote, idempotency_key or uuid4().hex)
        return None if answer["id"] is None else str(answer["id"])

    async def send_many(
        self, votes: Sequence[dict[str, Any]], idempotency_key: str | None = None
    ) -> list[dict[str, Any]]:
        """See `FeedbackClient.send_many`."""
        body = {"items": list(votes)}
        answer = await self._address.patiently("POST", BATCH, body, idempotency_key or uuid4().hex)
        return list(answer["results"])

    async def get(self, feedback_id: str, *, history: bool = False) -> dict[str, Any]:
        """See `FeedbackClient.get`."""
        path = f"/v1/feedback/{feedback_id}?history={str(history).lower()}"
        found: dict[str, Any] = await self._address.request("GET", path)
        return found

    async def change(self, feedback_id: str, **changes: Any) -> dict[str, Any]:
        """See `FeedbackClient.change`."""
        found: dict[str, Any] = await self._address.request("PUT", f"/v1/feedback/{feedback_id}", changes)
        return found

    async def withdraw(self, feedback_id: str) -> None:
        """See `FeedbackClient.withdraw`."""
        await self._address.request("DELETE", f"/v1/feedback/{feedback_id}")

    async def state(
        self, content_type: str, content_id: str, user_id: str | None = None, session_id: str | None = None,
        snapshot: Any = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """See `FeedbackClient.state`."""
        wanted = _state(content_type, content_id, user_id, session_id, snapshot)
        return list((await self._address.request("POST", STATE, wanted))["items"])

    async def log_now(self, answer: dict[str, Any]) -> str:
        """See `FeedbackClient.log_now`."""
        redacted = await asyncio.to_thread(self.background._redacted_alone, answer)
        found = await self._address.patiently("POST", INTERACTIONS, redacted, uuid4().hex)
        return str(found["interaction_ids"][0])

    def mint_token(
        self, content_type: str, content_id: str, origin: str, user_id: str | None = None, seconds: int = 3600
    ) -> str:
        """See `FeedbackClient.mint_token`."""
        return self.background.mint_token(content_type, content_id, origin, user_id, seconds)

    def submit(self, vote: dict[str, Any]) -> bool:
        """See `FeedbackClient.submit`."""
        return self.background.submit(vote)

    def log(self, answer: dict[str, Any]) -> bool:
        """See `FeedbackClient.log`."""
        return self.background.log(answer)

    def log_later(self, call: dict[str, Any], read: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
        """See `FeedbackClient.log_later`."""
        return self.background.log_later(call, read)

    def signal(self, request_id: str, name: str, user_id: str | None = None, **detail: Any) -> bool:
        """See `FeedbackClient.signal`."""
        return self.background.signal(request_id, name, user_id, **detail)

    def edited(self, request_id: str, shown: str, kept: str, user_id: str | None = None) -> bool:
        """See `FeedbackClient.edited`."""
        return self.background.edited(request_id, shown, kept, user_id)

    @property
    def metrics(self) -> dict[str, int]:
        """See `FeedbackClient.metrics`."""
        return self.background.metrics

    async def flush(self, seconds: float = 10.0) -> bool:
        """See `FeedbackClient.flush`."""
        return await asyncio.get_running_loop().run_in_executor(None, self.background.flush, seconds)

    async def close(self, seconds: float = 10.0) -> None:
        """See `FeedbackClient.close`."""
        await asyncio.get_running_loop().run_in_executor(None, self.background.close, seconds)
        await self._address.close()

    async def __aenter__(self) -> AsyncFeedbackClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _state(
    content_type: str, content_id: str, user_id: str | None, session_id: str | None, snapshot: Any
) -> dict[str, Any]:
    wanted = {
        "content_type": content_type, "content_id": content_id, "user_id": user_id, "session_id": session_id,
        "content_snapshot": snapshot,
    }  # fmt: skip
    return {name: value for name, value in wanted.items() if value is not None}


def edit_distance(shown: str, kept: str) -> float:
    """Share of a text that was changed: one minus the similarity of Ratcliff and Obershelp (1988)."""
    return 1.0 - SequenceMatcher(None, shown, kept, autojunk=False).ratio()
