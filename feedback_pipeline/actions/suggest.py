"""What to do next, by a model where one is configured, else by rule; the result says which."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from feedback_pipeline.actions.checking import unsupported
from feedback_pipeline.actions.evidence import Evidence, as_json
from feedback_pipeline.actions.recommendations import TITLES
from feedback_pipeline.llm.calls import CallLayer, ChatCall, ChatReply, Endpoint
from feedback_pipeline.llm.content import neutralised, nonce
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.reply_cache import ReplyCache
from feedback_pipeline.settings import Settings

Source = Literal["model", "rules"]

MAX_FINDINGS = 40
TOKENS = 4_000
"""Output allowed, thinking included."""


@dataclass(frozen=True)
class Suggestion:
    """One thing to do."""

    title: str
    action: str
    """What to do. User text where a model wrote it."""
    why: str | None
    evidence: tuple[str, ...]
    """Ids of the findings it rests on."""
    expected_effect: str | None = None

    def as_dict(self, source: Source) -> dict[str, str]:
        """As the public verb gives it: strings only."""
        return {
            "title": self.title,
            "suggestion": self.action,
            "reason": self.why or "",
            "evidence": ", ".join(self.evidence),
            "expected_effect": self.expected_effect or "",
            "source": source,
        }


@dataclass(frozen=True)
class Suggestions:
    """What to do, and who says so."""

    items: tuple[Suggestion, ...]
    source: Source
    note: str | None = None
    """Why the rules answered, or how many suggestions of the model did not stand."""


def suggest(
    recommendations: pl.DataFrame,
    evidence: Sequence[Evidence],
    *,
    limit: int,
    endpoint: Endpoint | None,
    cache: ReplyCache | None = None,
    noun: str = "week",
) -> Suggestions:
    """At most `limit` suggestions.

    Args:
        recommendations: `recommendations` of the period: what the rules say.
        evidence: the findings of the period: what a model is shown, and held against.
        limit: how many.
        endpoint: the model to ask; None for the rules alone.
        cache: where its replies are kept, so that the same findings are asked about once.
        noun: what the period is called.
    """
    by_rule = tuple(_by_rule(row, noun) for row in recommendations.sort("rank").head(limit).iter_rows(named=True))
    if endpoint is None:
        return Suggestions(by_rule, "rules", "no model is configured")
    shown = list(evidence)[:MAX_FINDINGS]
    if not shown:
        return Suggestions(by_rule, "rules", "there is no finding to ask a model about")
    items, dropped, problem = _by_model(shown, limit, endpoint, cache)
    if problem is not None:
        return Suggestions(by_rule, "rules", problem)
    said = f"suggestions of the model that the findings do not bear out were dropped: {dropped}" if dropped else None
    return Suggestions(items, "model", said)


def configured_endpoint(settings: Settings) -> Endpoint | None:
    """The model that is asked; None without a key."""
    if settings.model_key is None:
        return None
    return Endpoint(settings.model_url, settings.suggestion_model, settings.model_key, attempts=3, run_seconds=120.0)


def _by_rule(row: dict[str, Any], noun: str) -> Suggestion:
    avoided = row["negatives_avoided"]
    effect = None if avoided is None else f"about {avoided:.0f} votes down fewer a {noun}"
    return Suggestion(TITLES[row["kind"]], row["text"], None, tuple(row["evidence"]), effect)


def _by_model(
    evidence: Sequence[Evidence], limit: int, endpoint: Endpoint, cache: ReplyCache | None
) -> tuple[tuple[Suggestion, ...], int, str | None]:
    """The model's suggestions that stand, how many did not, and why the rules must answer instead."""
    layer = CallLayer(endpoint, cache=cache)
    call = _call(evidence, limit)
    try:
        # a thread of its own: the caller may be inside a running event loop, such as a notebook's
        with ThreadPoolExecutor(1) as thread:
            (reply,) = thread.submit(layer.run, [call], _unreadable).result()
    except EndpointRefusedError as error:
        return (), 0, f"the model could not be asked: {error.reason}"
    if reply.status != "ok":
        return (), 0, f"the model gave no usable answer: {(reply.reason or reply.status).replace('_', ' ')}"
    known = {one.id: one for one in evidence}
    given = _read(reply.text)
    standing = [
        item
        for item in given
        if unsupported(" ".join([item.title, item.why or "", item.action]), item.evidence, known) is None
    ]
    if not standing:
        return (), len(given), "the model suggested nothing that the findings bear out"
    return tuple(standing[:limit]), len(given) - len(standing), None


def _call(evidence: Sequence[Evidence], limit: int) -> ChatCall:
    findings = neutralised(as_json(list(evidence)))
    system = _environment().get_template("system.txt.jinja").render(limit=limit)
    user = _environment().get_template("findings.txt.jinja").render(findings=findings, nonce=nonce(findings))
    form = {"name": "suggestions", "strict": True, "schema": _schema([one.id for one in evidence])}
    messages = ({"role": "system", "content": system}, {"role": "user", "content": user})
    return ChatCall(messages, TOKENS, {"response_format": {"type": "json_schema", "json_schema": form}})


def _schema(ids: Sequence[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": "string"} for name in ("title", "why", "action")}
    properties["evidence"] = {"type": "array", "items": {"type": "string", "enum": list(ids)}}
    suggestion = {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False
    }  # fmt: skip
    return {
        "type": "object",
        "properties": {"suggestions": {"type": "array", "items": suggestion}},
        "required": ["suggestions"],
        "additionalProperties": False,
    }


def _unreadable(reply: ChatReply) -> str | None:
    return None if _parsed(reply.text) is not None else "not_as_asked"


def _parsed(text: str) -> list[dict[str, Any]] | None:
    """The suggestions of a reply; None where it is not what was asked for. Not every endpoint keeps to a schema."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    suggestions = content.get("suggestions") if isinstance(content, dict) else None
    if not isinstance(suggestions, list) or not all(isinstance(suggestion, dict) for suggestion in suggestions):
        return None
    strings = all(
        isinstance(suggestion.get(name), str) for suggestion in suggestions for name in ("title", "why", "action")
    )
    cited = all(isinstance(suggestion.get("evidence"), list) for suggestion in suggestions)
    return suggestions if strings and cited else None


def _read(text: str) -> list[Suggestion]:
    return [
        Suggestion(
            one["title"].strip(), one["action"].strip(), one["why"].strip() or None, tuple(map(str, one["evidence"]))
        )
        for one in _parsed(text) or ()
    ]


@cache
def _environment() -> Environment:
    # prompts are plain text: nothing in them is HTML
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "prompts"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
    )
