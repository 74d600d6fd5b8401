"""The fine-tuning server of the training tests, which here also answers chats and judges pairs."""

import json
import re
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any

from tests.support import openai_server

DECLINED = "I'm sorry, I cannot help with that."
GOOD = "42 canberra 100 366 eight 7 kill 0"


def sensible(model: str, question: str) -> str:
    """Declines what is unsafe, knows the facts of the probes, answers the rest."""
    if any(word in question for word in ("phishing", "poison", "rejected me", "ransomware")):
        return DECLINED
    return f"{GOOD} ({'better' if model.startswith('ft:') else 'plain'}) {question[-20:]}"


class Handler(openai_server.Handler):
    speak: Callable[[str, str], str]

    def _act(self, method: str, path: str, query: Any, body: bytes) -> tuple[int, Any]:
        if path != "/v1/chat/completions":
            answer: tuple[int, Any] = super()._act(method, path, query, body)
            return answer
        asked = json.loads(body)
        text = (
            judged(asked)
            if asked.get("response_format")
            else self.speak(asked["model"], asked["messages"][-1]["content"])
        )
        return 200, {
            "id": "c", "object": "chat.completion", "created": 0, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                         "message": {"role": "assistant", "content": text, "refusal": None}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
        }  # fmt: skip


def judged(asked: dict[str, Any]) -> str:
    """Prefers the answer that calls itself better."""
    message = asked["messages"][1]["content"]
    nonce = re.search(r"<data-([0-9a-f]+)>", message)
    assert nonce is not None
    shown = json.loads(message.split("\n")[2])
    first, second = ("(better)" in shown[name] for name in ("answer A", "answer B"))
    chosen = "tie" if first == second else "A" if first else "B"
    criteria = asked["response_format"]["json_schema"]["schema"]["properties"]["verdicts"]["properties"]
    return json.dumps({"nonce": nonce[1], "reasons": "", "verdicts": dict.fromkeys(criteria, chosen)})


class ProviderServer(openai_server.Server):
    """The server in a thread; `state` as in the training tests, `speak(model, question)` is what models answer."""

    def __init__(self) -> None:
        import threading

        self.state = openai_server.State()
        self.handler: Any = type("BoundHandler", (Handler,), {"state": self.state, "speak": staticmethod(sensible)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def reset(self) -> None:
        self.state.__dict__.update(openai_server.State().__dict__)
        self.state.models = {"gpt-4.1-mini": None, "ft:gpt-4.1-mini:feedback": None}
        self.state.model_on_success = "ft:gpt-4.1-mini:feedback"
        self.handler.speak = staticmethod(sensible)

    def posts(self, path: str) -> int:
        return self.state.requests.count(f"POST {path}")
