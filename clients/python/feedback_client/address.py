"""Requests to the service: one at a time, or patiently until it is taken."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from typing import Any

import httpx

from feedback_client.draws import DRAW
from feedback_client.errors import DeliveryError, refused
from feedback_client.tokens import handle

ATTEMPTS = 4
FIRST_WAIT = 0.2
MAX_WAIT = 10.0


class Address:
    """Where the service is, and the key to it; safe to use from many threads."""

    def __init__(self, url: str, key: str, timeout: float = 5.0) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self.timeout = timeout
        self._client: httpx.Client | None = None
        self._process = os.getpid()
        self._opening = threading.Lock()

    @property
    def owner(self) -> str:
        """A name of the key that does not tell it: what is kept on disk for one team is never another's."""
        return handle(hashlib.sha256(self.key.encode()).digest()).hex()

    def request(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """One request and its JSON answer.

        Raises:
            DeliveryError: the service was not reached, or refused.
        """
        try:
            answer = self._opened().request(method, path, content=_content(body), headers=_headers(self.key, key))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(0, type(error).__name__) from error
        return _read(answer)

    def patiently(self, method: str, path: str, body: Any, key: str, stopping: threading.Event | None = None) -> Any:
        """The same request until it is taken, with growing waits of random length, under one idempotency key.

        Raises:
            DeliveryError: refused, or still not taken after four attempts.
        """
        attempt = 0
        while True:
            try:
                return self.request(method, path, body, key)
            except DeliveryError as error:
                attempt += 1
                if attempt == ATTEMPTS or not error.worth_repeating or (stopping is not None and stopping.is_set()):
                    raise
            if stopping is None:
                time.sleep(_wait(attempt))
            else:
                stopping.wait(_wait(attempt))

    def close(self) -> None:
        """Closes the connections; the next request opens new ones."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _opened(self) -> httpx.Client:
        with self._opening:
            if self._client is None or self._process != os.getpid():  # connections are not shared with forked workers
                self._process = os.getpid()
                self._client = httpx.Client(base_url=self.url, timeout=self.timeout, trust_env=False)
            return self._client


class AsyncAddress:
    """The same for asyncio; belongs to one event loop."""

    def __init__(self, url: str, key: str, timeout: float = 5.0) -> None:
        self.key = key
        self._client = httpx.AsyncClient(base_url=url.rstrip("/"), timeout=timeout, trust_env=False)

    async def request(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """See `Address.request`."""
        try:
            answer = await self._client.request(method, path, content=_content(body), headers=_headers(self.key, key))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(0, type(error).__name__) from error
        return _read(answer)

    async def patiently(self, method: str, path: str, body: Any, key: str) -> Any:
        """See `Address.patiently`."""
        attempt = 0
        while True:
            try:
                return await self.request(method, path, body, key)
            except DeliveryError as error:
                attempt += 1
                if attempt == ATTEMPTS or not error.worth_repeating:
                    raise
            await asyncio.sleep(_wait(attempt))

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def _wait(attempt: int) -> float:
    return DRAW.uniform(0, min(MAX_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))


def _content(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body, allow_nan=False).encode()


def _headers(key: str, idempotency_key: str | None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return headers if idempotency_key is None else {**headers, "Idempotency-Key": idempotency_key}


def _read(answer: httpx.Response) -> Any:
    if answer.status_code >= 400:
        raise refused(answer.status_code, answer.content)
    return answer.json() if answer.content else None
