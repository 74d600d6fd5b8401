"""Tools that give their feedback over HTTP: Langfuse, Phoenix, Label Studio, Open WebUI; a row a vote, oldest first.

What comes back are rows for the tool's preset (`presets/`): what a tool keeps in several places (a score, its trace,
the generation it is about) stands in one. Only what a vote needs is asked for. Answers are data of strangers.
"""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import orjson

from feedback_pipeline.ingest.readers.chunks import Chunk, UnreadableError, Wanted
from feedback_pipeline.ingest.readers.jsonl import BLOCK, parse_lines

PAGE = 100
WINDOW = timedelta(days=1)
TRIES, MAX_WAIT = 5, 60.0
MAX_RESPONSE = 64 * 1024 * 1024
"""Bytes of one answer of a tool."""
_REMEMBERED = 2_000
_JWT_DOTS = 2
_STARS = (2.0, 3.0, 4.0, 5.0)

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Place:
    """Where a tool is and what of it is meant.

    Attributes:
        url: its address.
        key: its API key (Langfuse: the public and the secret one, `pk:sk`).
        project: Label Studio's project, or Phoenix's (all by default).
        since: votes from then on; earlier ones are left out where the tool can be asked so.
        until: votes before then.
    """

    url: str
    key: str
    project: str | None
    since: datetime
    until: datetime


def read_tool(tool: str, place: Place, wanted: Wanted) -> Iterator[Chunk]:
    """The rows of a tool's votes, as lines of JSON are read.

    Raises:
        UnreadableError: it cannot be reached, refuses the key, or answers what it should not.
    """
    lines: list[bytes] = []
    first, size = 1, 0
    with httpx.Client(
        base_url=place.url.rstrip("/"), headers=_headers(tool, place.key), timeout=60, follow_redirects=True,
        auth=_auth(tool, place),
    ) as client:  # fmt: skip
        for row in TOOLS[tool](_Asking(client), place):
            lines.append(orjson.dumps(row))
            size += len(lines[-1])
            if size > BLOCK or len(lines) >= PAGE * 50:
                yield parse_lines(b"\n".join(lines) + b"\n", first, wanted)
                first, lines, size = first + len(lines), [], 0
    if lines:
        yield parse_lines(b"\n".join(lines) + b"\n", first, wanted)


def _headers(tool: str, key: str) -> dict[str, str]:
    if not key or tool == "langfuse" or _is_renewed(tool, key):
        return {}
    return {"Authorization": f"{'Token' if tool.startswith('label-studio') else 'Bearer'} {key}"}


def _auth(tool: str, place: Place) -> httpx.Auth | None:
    if tool == "langfuse":
        public, _, secret = place.key.partition(":")
        return httpx.BasicAuth(public, secret)
    return _Renewed(place) if _is_renewed(tool, place.key) else None


def _is_renewed(tool: str, key: str) -> bool:
    """Whether a key is one of Label Studio's personal access tokens, which its newer installations give."""
    return tool.startswith("label-studio") and key.count(".") == _JWT_DOTS


class _Renewed(httpx.Auth):
    """A token that gives short-lived ones: the first is asked for before the first request, the next when one ends."""

    requires_response_body = True

    def __init__(self, place: Place) -> None:
        self._address, self._key = f"{place.url.rstrip('/')}/api/token/refresh/", place.key
        self._given: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for _ in range(2):
            if self._given is None:
                answer = yield httpx.Request("POST", self._address, json={"refresh": self._key})
                if answer.status_code != httpx.codes.OK:
                    return
                self._given = str(answer.json()["access"])
            request.headers["Authorization"] = f"Bearer {self._given}"
            answer = yield request
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                return
            self._given = None


class _Asking:
    """Requests that are tried again when a tool is busy or away for a moment."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._host = urlsplit(str(client.base_url)).netloc

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of an answer.

        Raises:
            UnreadableError: there is none.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                answer = self._client.get(path, params=given)
            except httpx.HTTPError as error:
                if last:
                    raise UnreadableError(
                        "api_error", f"{self._host} cannot be reached ({type(error).__name__})"
                    ) from None
                time.sleep(min(2.0**attempt / 8, MAX_WAIT))
                continue
            if answer.status_code in (429, 500, 502, 503, 504) and not last:
                time.sleep(_wait(answer, attempt))
                continue
            return self._read(answer, path)
        raise AssertionError("the last try returns or raises")

    def _read(self, answer: httpx.Response, path: str) -> Any:
        if answer.status_code in (401, 403):
            raise UnreadableError("api_error", f"{self._host} refuses the key ({answer.status_code})")
        if answer.status_code != httpx.codes.OK:
            raise UnreadableError("api_error", f"{self._host}{path} answers {answer.status_code}")
        if len(answer.content) > MAX_RESPONSE:
            raise UnreadableError("api_error", f"{self._host}{path} answers more than {MAX_RESPONSE >> 20} MB")
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            raise UnreadableError(
                "api_error", f"{self._host}{path} answers no JSON: is this the tool's address?"
            ) from None


def _wait(answer: httpx.Response, attempt: int) -> float:
    said = answer.headers.get("retry-after", "")
    return min(float(said), MAX_WAIT) if said.replace(".", "", 1).isdecimal() else min(2.0**attempt / 8, MAX_WAIT)


def _items(answer: Any, *names: str) -> list[dict[str, Any]]:
    """The objects of an answer: itself, or under one of some names."""
    held = answer
    if isinstance(answer, dict):
        held = next((answer[name] for name in names if name in answer), [])
    return [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []


def _windows(place: Place) -> Iterator[tuple[datetime, datetime]]:
    """Days from the first to the last, so that an import that ends early has everything before a day."""
    start = place.since
    while start < place.until:
        yield start, min(start + WINDOW, place.until)
        start += WINDOW


def _langfuse(asking: _Asking, place: Place) -> Rows:
    traces: dict[str, dict[str, Any]] = {}
    for start, end in _windows(place):
        scores: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = asking.get(
                "/api/public/v2/scores", page=page, limit=PAGE, fromTimestamp=_iso(start), toTimestamp=_iso(end)
            )
            found = _items(answer, "data")
            scores += found
            meta = answer.get("meta") if isinstance(answer, dict) else None
            if not found or page >= int((meta or {}).get("totalPages") or 0):
                break
            page += 1
        for score in sorted(scores, key=lambda one: str(one.get("timestamp"))):
            yield {**score, **_score_value(score), **_about(asking, score, traces)}


def _score_value(score: dict[str, Any]) -> dict[str, Any]:
    """What a score says: a word or 0–1 as a thumb, 2–5 as stars, a correction as a text."""
    kind, value, text = score.get("dataType"), score.get("value"), score.get("stringValue")
    if kind == "CORRECTION":
        return {"corrected": text if isinstance(text, str) else value}
    if kind in ("CATEGORICAL", "BOOLEAN") and isinstance(text, str):
        return {"said": text}
    if kind == "TEXT":
        return {"said": None, "comment": text or score.get("comment")}
    return {"stars": value} if value in _STARS else {"said": value}


def _about(asking: _Asking, score: dict[str, Any], traces: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The trace of a score and the generation it is about: the one it names, else the trace's last."""
    identity = score.get("traceId")
    if not isinstance(identity, str):
        return {}
    if identity not in traces:
        if len(traces) >= _REMEMBERED:
            traces.clear()
        try:
            traces[identity] = asking.get(f"/api/public/traces/{quote(identity, safe='')}")
        except UnreadableError as error:
            if "answers 404" not in str(error):
                raise
            traces[identity] = {}  # deleted there: the score stands alone
    trace = traces[identity]
    observations = _items(trace, "observations")
    named = next((one for one in observations if one.get("id") == score.get("observationId")), None)
    generations = [one for one in observations if one.get("type") == "GENERATION" and one.get("output") is not None]
    generations.sort(key=lambda one: str(one.get("endTime") or one.get("startTime")))
    chosen = named or (generations[-1] if generations else None)
    kept = {name: trace.get(name) for name in ("id", "timestamp", "userId", "sessionId", "input", "output", "tags")}
    return {"trace": kept, "generation": chosen, "messages": _messages((chosen or {}).get("input"))}


def _messages(given: Any) -> list[Any] | None:
    """The messages of a generation's input, where it is a conversation."""
    held = given.get("messages") if isinstance(given, dict) else given
    conversation = isinstance(held, list) and bool(held) and all(isinstance(m, dict) and "role" in m for m in held)
    return held if conversation else None


def _phoenix(asking: _Asking, place: Place) -> Rows:
    projects = [place.project] if place.project else [
        str(one.get("name")) for one in _items(asking.get("/v1/projects", limit=PAGE), "data")
    ]  # fmt: skip
    for project in projects:
        path, cursor = f"/v1/projects/{quote(project, safe='')}", None
        while True:
            answer = asking.get(
                f"{path}/spans", limit=PAGE, cursor=cursor, start_time=_iso(place.since), end_time=_iso(place.until)
            )
            spans = {str((one.get("context") or {}).get("span_id")): one for one in _items(answer, "data")}
            if spans:
                yield from _phoenix_annotations(asking, path, project, spans)
            cursor = answer.get("next_cursor") if isinstance(answer, dict) else None
            if not cursor:
                break


def _phoenix_annotations(asking: _Asking, path: str, project: str, spans: dict[str, dict[str, Any]]) -> Rows:
    cursor = None
    while True:
        answer = asking.get(f"{path}/span_annotations", span_ids=list(spans), limit=1000, cursor=cursor)
        for one in sorted(_items(answer, "data"), key=lambda one: str(one.get("updated_at"))):
            span = spans.get(str(one.get("span_id")))
            if span is None or one.get("annotator_kind") != "HUMAN":
                continue
            result = one.get("result") if isinstance(one.get("result"), dict) else {}
            yield {
                **{name: one.get(name) for name in ("id", "name", "identifier", "updated_at", "span_id")},
                **{name: (result or {}).get(name) for name in ("label", "score", "explanation")},
                "username": one.get("user_id"), "attributes": _unflattened(span.get("attributes") or {}),
                "end_time": span.get("end_time"), "project": project,
            }  # fmt: skip
        cursor = answer.get("next_cursor") if isinstance(answer, dict) else None
        if not cursor:
            return


def _unflattened(attributes: dict[str, Any]) -> dict[str, Any]:
    """`llm.input_messages.0.message.role` as objects and lists inside each other."""
    tree: dict[str, Any] = {}
    for name, value in attributes.items():
        here = tree
        *above, last = name.split(".")
        for part in above:
            inner = here.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            here = inner
        else:
            here[last] = value
    return {name: _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(held) for name, held in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [held for _, held in sorted(inner.items(), key=lambda one: int(one[0]))]
    return inner


def _label_studio(asking: _Asking, place: Place) -> Rows:
    projects = [place.project] if place.project else [
        str(one.get("id")) for one in _items(asking.get("/api/projects", page_size=PAGE), "results")
    ]  # fmt: skip
    for project in projects:
        for task in _items(asking.get(f"/api/projects/{quote(project, safe='')}/export", exportType="JSON")):
            changed = _moment(task.get("updated_at"))
            if changed is None or changed >= place.since:
                yield task


def _open_webui(asking: _Asking, place: Place) -> Rows:
    rows = _items(asking.get("/api/v1/evaluations/feedbacks/all/export"))
    for row in sorted(rows, key=lambda one: one.get("updated_at") or 0):
        if datetime.fromtimestamp(row.get("updated_at") or 0, UTC) >= place.since:
            yield row


TOOLS: dict[str, Callable[[_Asking, Place], Rows]] = {
    "langfuse": _langfuse,
    "phoenix": _phoenix,
    "label-studio": _label_studio,
    "label-studio-pairs": _label_studio,
    "open-webui": _open_webui,
}
"""Preset → what asks its tool."""


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
