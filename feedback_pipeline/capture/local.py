"""This machine's store as a place to send votes to: for verbs in notebooks and scripts, without a service."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from feedback_client import DeliveryError, NoServiceError

from feedback_pipeline.capture import routes_votes
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.routes_batches import file_batch
from feedback_pipeline.capture.routes_interactions import file_answers
from feedback_pipeline.capture.service import Service
from feedback_pipeline.cleaning.tags import look_alikes, normalised_tags
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings

DEFAULT_TENANT = "default"
T = TypeVar("T")


class LocalStore:
    """Files votes and answers as the API does, in a thread of this process. Closed when the process ends."""

    def __init__(self, service: Service, tenant: str = DEFAULT_TENANT) -> None:
        self._service = service
        self._principal = Principal(tenant, frozenset({"write", "read"}))
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="feedback-store", daemon=True).start()

    @classmethod
    def open(cls, settings: Settings, tenant: str = DEFAULT_TENANT) -> "LocalStore":
        """The store of the settings, started where it is embedded.

        Raises:
            NoServiceError: there is none on this machine.
            DatabaseError: it cannot be opened.
        """
        if settings.database_url is None and not (settings.home / "postgres").exists():
            raise NoServiceError(
                "nothing says where feedback goes: set FEEDBACK_API_URL and FEEDBACK_API_KEY for a service, or make a "
                f"store on this machine with `feedback init` (there is none in {settings.home})"
            )
        pipeline = Pipeline(settings)
        return cls(Service.open(settings, pipeline.database.address(), pipeline.pseudonymiser), tenant)

    def send(self, vote: dict[str, Any], idempotency_key: str | None = None) -> str | None:
        """Files a vote; None if the person refused collection.

        Raises:
            DeliveryError: it was refused, or the store is away.
        """
        (result,) = self.send_many([vote], idempotency_key)
        if "problem" in result:
            raise _refused(result["problem"])
        return None if result["id"] is None else str(result["id"])

    def send_many(self, votes: Sequence[dict[str, Any]], idempotency_key: str | None = None) -> list[dict[str, Any]]:
        """Files votes; one result each, in order. Raises as `send` where the store is away."""
        found = self._run(file_batch(self._service, self._principal, list(votes), idempotency_key))
        return list(found)

    def log_now(self, answer: dict[str, Any]) -> str:
        """Keeps an answer; returns its id. Raises as `send`."""
        (result,) = self._run(file_answers(self._service, self._principal, [answer]))
        if "problem" in result:
            raise _refused(result["problem"])
        return str(result["interaction_id"])

    def log(self, answer: dict[str, Any]) -> bool:
        """Keeps an answer in the background."""
        return self.log_later(answer, lambda item: item)

    def log_later(self, call: dict[str, Any], read: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
        """Keeps an answer that is read off a call in the background."""

        async def file() -> None:
            answer = await asyncio.to_thread(read, call)
            if answer is not None:
                await file_answers(self._service, self._principal, [answer])

        asyncio.run_coroutine_threadsafe(file(), self._loop)
        return True

    def look_alikes(self, tags: Sequence[str]) -> dict[str, list[str]]:
        """The tags in use that some tags look like. Raises as `send`."""
        known = [row["name"] for row in self._run(self._service.store.fetch(self._principal.tenant, "read_tags"))]
        return look_alikes(normalised_tags(tags), known)

    def get(self, feedback_id: str, *, history: bool = False) -> dict[str, Any]:
        """One vote as it stands. Raises as `send`."""
        found: dict[str, Any] = self._run(
            routes_votes.read_one(self._service, self._principal, feedback_id, history=history)
        )
        return found

    def close(self) -> None:
        """Closes the connections."""
        self._run(self._service.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        pending: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return pending.result()
        except ProblemError as problem:
            raise _refused(problem.document()) from None


def open_store() -> LocalStore:
    """The store that the environment describes."""
    return LocalStore.open(Settings.from_environment())


def _refused(problem: dict[str, Any]) -> DeliveryError:
    errors = tuple((str(error["field"]), str(error["reason"])) for error in problem.get("errors") or ())
    return DeliveryError(int(problem["status"]), str(problem["code"]), str(problem["detail"]), errors)
