"""Dagster's web server behind a guard.

`python -m jobs.webserver dev …` is `dagster dev`, and `python -m jobs.webserver serve …` is `dagster-webserver`.

The UI has no login and takes a mutation in the query of a GET: without the guard, any web page that a developer looks
at could wipe their assets. The guard answers only under names that are this machine's (or listed in FEEDBACK_UI_HOSTS),
so that no foreign name can be pointed here; refuses what pages of other origins ask; and lets nobody frame the UI.
"""

import functools
import sys
from collections.abc import Callable, Collection
from importlib import import_module
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedback_pipeline.settings import Settings

NO_FRAMES = [(b"x-frame-options", b"DENY"), (b"content-security-policy", b"frame-ancestors 'none'")]
_LOOKS = frozenset({"GET", "HEAD"})


class Guard:
    """Passes on what the UI's own pages ask."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        """`hosts` are names under which the UI is served besides those of this machine."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        problem = self.problem(scope)
        if problem is None:
            await self._app(scope, receive, _unframed(send) if scope["type"] == "http" else send)
        elif scope["type"] == "http":
            await PlainTextResponse(f"{problem}\n", 403)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": problem})

    def problem(self, scope: Scope) -> str | None:
        """Why a request is refused; None where it is not."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._served(urlsplit(f"//{host}").hostname or ""):
            return "this host is not served here; list it in FEEDBACK_UI_HOSTS"
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "pages of other origins may not ask"
        method, path = scope.get("method", "GET"), scope["path"].rstrip("/")
        asks = scope["type"] == "websocket" or method not in _LOOKS or path.endswith("/graphql")
        if headers.get(b"sec-fetch-site", "none") not in {"same-origin", "none"} and asks:
            return "pages of other sites may not ask"
        if method in _LOOKS and scope["type"] == "http" and path.endswith("/graphql") and scope["query_string"]:
            return "send GraphQL by POST"
        return None

    def _served(self, name: str) -> bool:
        if name.lower() in self._hosts or name.lower() == "localhost":
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


def _unframed(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [header for header in message.get("headers", []) if header[0].lower() != b"x-frame-options"]
            message = {**message, "headers": [*kept, *NO_FRAMES]}
        await send(message)

    return answer


def guarded(make: Callable[..., ASGIApp], hosts: Collection[str]) -> Callable[..., ASGIApp]:
    """A maker of applications whose applications are guarded."""

    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> ASGIApp:
        return Guard(make(*args, **kwargs), hosts)

    return made


def _serve() -> None:
    # by name: what it wraps is no part of the package's interface, and tests/jobs/test_dev.py looks at what comes of it
    cli: Any = import_module("dagster_webserver.cli")
    make = cli.create_app_from_workspace_process_context
    cli.create_app_from_workspace_process_context = guarded(make, Settings.from_environment().ui_hosts)
    cli.main()


def _dev() -> None:
    """`dagster dev`, which starts the web server as a module: as this one."""
    dev: Any = import_module("dagster._cli.dev")
    start = dev.open_ipc_subprocess

    def start_guarded(parts: list[str], **options: Any) -> Any:
        at = parts.index("-m") + 1 if "-m" in parts else 0
        if at and parts[at] == "dagster_webserver":
            parts = [*parts[:at], __spec__.name if __spec__ else "jobs.webserver", "serve", *parts[at + 1 :]]
        return start(parts, **options)

    dev.open_ipc_subprocess = start_guarded
    dev.dev_command.main(args=sys.argv[1:], prog_name="dagster dev")


if __name__ == "__main__":
    {"serve": _serve, "dev": _dev}[sys.argv.pop(1)]()
