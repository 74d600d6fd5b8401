"""Decisions in the application's own process: the service's experiments and prompts, kept fresh and on disk.

experiments = Experiments("http://127.0.0.1:8787", key, folder="/var/lib/app/feedback")
found = experiments.decide("tone", user_id="ada", attributes={"plan": "pro"})
prompt = experiments.prompt("support")                     # what was promoted
experiments.exposed(found, request_id="r-1", user_id="ada")   # the arm was used for this answer

A decision takes microseconds and no request. Where the service is away the last configuration decides, also after a
restart; without any the default arm that the caller names is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from feedback_client.address import Address
from feedback_client.assignment import NO_ARM, Decision, Experiment, Held, decide, tell_once
from feedback_client.configuration import ConfigurationError, experiment_from, read_configuration, write_configuration
from feedback_client.delivery import Delivery
from feedback_client.errors import FeedbackError
from feedback_client.spool import Spool

EXPOSURES = "/v1/exposures"
SHADOW_RUNS = "/v1/shadow-runs"
ASKS = "/v1/asks"
MAX_HELD = 100_000
"""Arms remembered in memory, so that a person keeps one over other weights."""


@dataclass(frozen=True)
class PromptText:
    """A prompt as the service has it.

    Attributes:
        name: of the prompt.
        version: to be logged as `prompt_version` of the answers.
        text: the template.
    """

    name: str
    version: str
    text: str


class Experiments:
    """The experiments and prompts of one service. Safe to use from many threads; only `prompt` may raise."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        folder: Path | str | None = None,
        refresh_seconds: float = 30.0,
        timeout: float = 2.0,
    ) -> None:
        """Args:
        url: the service's address.
        key: an API key with the scopes `read` and `write`.
        folder: where the last configuration, prompts and undelivered exposures are kept, a folder for each key's team;
            nowhere if none.
        refresh_seconds: how often it is asked for anew, in the background.
        timeout: seconds for one request.
        """
        self._address = Address(url, key, timeout)
        self._folder = None if folder is None else Path(folder)
        self._known: dict[str, Experiment] = {}
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()
        self._prompts: dict[tuple[str, str], tuple[float, PromptText]] = {}
        self._refresh = refresh_seconds
        self._read_at = float("-inf")
        self._reading = threading.Lock()
        spool = None if self._folder is None else Spool(self._folder / "spool", self._address.owner)
        self._delivery = Delivery(self._address, spool)
        if self._folder is not None:
            self._known = {one.name: one for one in read_configuration(self._folder / "experiments.json")}
        if self._known:
            self._freshen()
        else:
            self._read()

    def decide(
        self, name: str, user_id: str | int | None, attributes: Mapping[str, Any] | None = None, default: str = NO_ARM
    ) -> Decision:
        """The arm of a person (or session or conversation) in an experiment; never raises and asks nobody."""
        try:
            self._freshen()
            found = self._known.get(name)
            if found is None:
                tell_once(f"experiment {name} is not known: everybody gets {default}")
                return Decision(default, "unknown_experiment" if self._known else "unavailable", experiment=name)
            unit = str(user_id)
            decision = decide(found, user_id, attributes, self._held.get((name, unit)))
            if decision.reason == "assigned" and decision.propensity is not None:
                self._held[name, unit] = Held(decision.variant, decision.propensity, decision.leaf)
                if len(self._held) > MAX_HELD:
                    self._held.popitem(last=False)
            return decision
        except Exception as error:  # noqa: BLE001 - a decision must not break an application
            tell_once(f"experiment {name} could not be decided ({type(error).__name__})")
            return Decision(default, "unavailable", experiment=name)

    def route_to_variant(
        self, user_id: str | int | None, experiment: str, attributes: Mapping[str, Any] | None = None,
        default: str = NO_ARM,
    ) -> str:  # fmt: skip
        """The arm's name alone."""
        return self.decide(experiment, user_id, attributes, default).variant

    def exposed(
        self, decision: Decision, request_id: str, user_id: str | int | None = None, session_id: str | None = None,
        conversation_id: str | None = None,
    ) -> bool:  # fmt: skip
        """Files in the background that an arm was used for an answer; only of those who take part. Never raises."""
        if not decision.takes_part:
            return False
        item: dict[str, Any] = {
            "experiment": decision.experiment, "variant": decision.variant, "request_id": request_id,
            "version": decision.version, "propensity": decision.propensity, "leaf": decision.leaf,
            "occurred_at": datetime.now(timezone.utc).isoformat(), "session_id": session_id,
            "user_id": None if user_id is None else str(user_id), "conversation_id": conversation_id,
        }  # fmt: skip
        return self._delivery.put(EXPOSURES, {name: value for name, value in item.items() if value is not None})

    def shadow_run(self, run: dict[str, Any]) -> bool:
        """Files a candidate's answer in the background: the `sink` of `shadow`. Never raises."""
        return self._delivery.put(SHADOW_RUNS, {name: value for name, value in run.items() if value is not None})

    def ask(self, request_id: str, session_id: str) -> bool:
        """Whether to ask a person about an answer: by the service's share, once a session at most. False where it
        cannot be reached."""
        try:
            answer = self._address.request("POST", ASKS, {"request_id": request_id, "session_id": session_id})
        except FeedbackError:
            return False
        return bool(answer["ask"])

    def prompt(self, name: str, label: str = "production", default: str | None = None) -> PromptText:
        """A prompt by label, at most `refresh_seconds` old; the last one known where the service is away.

        Raises:
            FeedbackError: the service is away, nothing was kept, and no `default` text was given.
        """
        at, known = self._prompts.get((name, label), (float("-inf"), None))
        if known is not None and time.monotonic() - at < self._refresh:
            return known
        try:
            answer = self._address.request("GET", f"/v1/prompts/{quote(name, safe='')}?label={quote(label, safe='')}")
            found = PromptText(name, str(answer["version"]), str(answer["text"]))
        except (FeedbackError, KeyError, TypeError):
            kept = known or self._kept_prompt(name, label)
            if kept is None and default is None:
                raise
            found = kept or PromptText(name, "default", default or "")
        else:
            self._keep_prompt(found, label)
        self._prompts[name, label] = (time.monotonic(), found)
        return found

    def flush(self, seconds: float = 10.0) -> bool:
        """Waits for the background; False if it took longer."""
        return self._delivery.flush(seconds)

    def close(self, seconds: float = 10.0) -> None:
        """Delivers or spools what waits."""
        self._delivery.close(seconds)

    def _freshen(self) -> None:
        """Has the configuration read again in the background where it is old."""
        if time.monotonic() - self._read_at > self._refresh and self._reading.acquire(blocking=False):
            self._read_at = time.monotonic()
            self._reading.release()
            threading.Thread(target=self._read, name="feedback-experiments", daemon=True).start()

    def _read(self) -> None:
        with self._reading:
            self._read_at = time.monotonic()
            try:
                body = self._address.request("GET", "/v1/experiments/configuration")
                found = [experiment_from(one) for one in body["experiments"]]
            except (FeedbackError, ConfigurationError, KeyError, TypeError) as error:
                tell_once(f"experiments could not be read ({type(error).__name__}): the last known ones decide")
                return
            self._known = {one.name: one for one in found}
            if self._folder is not None:
                with contextlib.suppress(OSError):
                    write_configuration(self._folder / "experiments.json", found)

    def _path(self, name: str, label: str) -> Path | None:
        return None if self._folder is None else self._folder / "prompts" / f"{quote(name, '')}@{quote(label, '')}.json"

    def _keep_prompt(self, found: PromptText, label: str) -> None:
        path = self._path(found.name, label)
        if path is None:
            return
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
            draft.write_text(json.dumps({"version": found.version, "text": found.text}))
            draft.replace(path)

    def _kept_prompt(self, name: str, label: str) -> PromptText | None:
        path = self._path(name, label)
        if path is None:
            return None
        try:
            held = json.loads(path.read_text())
            return PromptText(name, str(held["version"]), str(held["text"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
