"""Serves models of folders as chat completions over loopback: `python serve.py`, in the trainer's environment.

Prints its address. A model is named by its folder; answers are greedy. A model called `judge` is a stand-in for a paid
one, as it speaks our protocol of pairs: it prefers the answer that says what people of the tiny world like to hear.
"""

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from tiny_world import VERBS
from transformers import AutoModelForCausalLM, AutoTokenizer

LOADED: dict[str, Any] = {}
ONE = threading.Lock()


def answer(model: str, messages: list[dict[str, str]]) -> str:
    with ONE, torch.inference_mode():
        if model not in LOADED:
            LOADED[model] = (AutoModelForCausalLM.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model))
        network, tokenizer = LOADED[model]
        asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        tokens = tokenizer(asked, return_tensors="pt", add_special_tokens=False)
        said = network.generate(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"],
                                max_new_tokens=40, do_sample=False, pad_token_id=tokenizer.pad_token_id)  # fmt: skip
        return str(tokenizer.decode(said[0][tokens["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def judged(asked: dict[str, Any]) -> str:
    message = asked["messages"][1]["content"]
    nonce = re.search(r"<data-([0-9a-f]+)>", message)
    assert nonce is not None
    shown = json.loads(message.split("\n")[2])
    liked = []
    for name in ("answer A", "answer B"):
        verb = next((verb for verb in VERBS if f"how to {verb} " in json.dumps(shown)), None)
        liked.append(verb is not None and VERBS[verb] in shown[name])
    verdict = "tie" if liked[0] == liked[1] else "A" if liked[0] else "B"
    criteria = asked["response_format"]["json_schema"]["schema"]["properties"]["verdicts"]["properties"]
    return json.dumps({"nonce": nonce[1], "reasons": "", "verdicts": dict.fromkeys(criteria, verdict)})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = judged(asked) if asked["model"] == "judge" else answer(asked["model"], asked["messages"])
        content = json.dumps({
            "id": "c", "object": "chat.completion", "created": 0, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                         "message": {"role": "assistant", "content": text, "refusal": None}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
        }).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    torch.set_num_threads(2)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()
