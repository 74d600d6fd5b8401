"""Calls of the real LiteLLM, logged; run by its own interpreter. Prints what the application got."""

import asyncio
import json
import sys
import time

import litellm
from feedback_client import FeedbackClient, log_litellm

given = json.loads(sys.argv[1])
litellm.suppress_debug_info = True
feedback = FeedbackClient(given["url"], given["key"], flush_seconds=0.02, redact=False)
callback = log_litellm(feedback, prompt_version="v7")
assert log_litellm(feedback) is callback
assert litellm.callbacks.count(callback) == 1
known = {"model": "openai/gpt-4o", "api_base": f"{given['models']}/v1", "api_key": "x", "num_retries": 0}


def asked(case: str) -> dict:
    said = {"feedback": {"user_id": "ada", "request_id": f"call-{case}"}}
    return known | {"messages": [{"role": "user", "content": f"say {case}"}], "metadata": said}


async def later() -> list[str]:
    answer = await litellm.acompletion(**asked("async"))
    pieces = [chunk async for chunk in await litellm.acompletion(**asked("async-stream"), stream=True)]
    await asyncio.sleep(1)  # LiteLLM tells its callbacks in a task of its own
    return [answer.choices[0].message.content, "".join(piece.choices[0].delta.content or "" for piece in pieces)]


got = {
    "plain": litellm.completion(**asked("plain")).choices[0].message.content,
    "stream": "".join(
        chunk.choices[0].delta.content or "" for chunk in litellm.completion(**asked("stream"), stream=True)
    ),
    "later": asyncio.run(later()),
}
try:
    litellm.completion(**asked("fail"))
except litellm.exceptions.BadRequestError as error:
    got["failed"] = type(error).__name__
time.sleep(1)
feedback.close()
print(json.dumps(got | {"metrics": feedback.metrics}))
