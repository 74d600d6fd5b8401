"""A model provider on the loopback address: the wire formats of OpenAI (chat, responses, completions) and Anthropic."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
MODEL = "gpt-4o-2024-08-06"
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"q": "x"}'}}


def provider() -> FastAPI:
    """What is asked decides what is answered: the last word of the last message is the case."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Any:
        asked = await request.json()
        case = str(asked["messages"][-1]["content"]).rpartition(" ")[2]
        if case == "fail":
            return JSONResponse({"error": {"message": "secret prompt quoted", "type": "x"}}, 400)
        if asked.get("stream"):
            return _events(_chat_chunks(case))
        return JSONResponse(_completion(case, asked.get("n") or 1))

    @app.post("/v1/completions")
    async def complete(request: Request) -> Any:
        return JSONResponse({
            "id": "c", "object": "text_completion", "created": 1, "model": MODEL, "usage": USAGE,
            "choices": [{"index": 0, "text": "hello", "finish_reason": "stop", "logprobs": None}],
        })  # fmt: skip

    @app.post("/v1/responses")
    async def respond(request: Request) -> Any:
        asked = await request.json()
        done = _response(asked)
        if not asked.get("stream"):
            return JSONResponse(done)
        begun = done | {"status": "in_progress", "output": [], "usage": None}
        item = done["output"][0]
        delta = {"item_id": item["id"], "output_index": 0, "content_index": 0, "logprobs": []}
        events = [
            {"type": "response.created", "response": begun},
            {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
            {"type": "response.content_part.added", **delta, "part": item["content"][0] | {"text": ""}},
            {"type": "response.output_text.delta", **delta, "delta": '{"city": '},
            {"type": "response.output_text.delta", **delta, "delta": '"Bonn"}'},
            {"type": "response.completed", "response": done},
        ]
        return _events([event | {"sequence_number": place} for place, event in enumerate(events)])

    @app.post("/v1/messages")
    async def message(request: Request) -> Any:
        asked = await request.json()
        usage = {"input_tokens": 1000, "output_tokens": 100}
        tool = {"type": "tool_use", "id": "t", "name": "look_up", "input": {}}
        whole = {
            "id": "m", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "tool_use",
            "stop_sequence": None, "usage": usage,
            "content": [{"type": "text", "text": "hello"}, tool | {"input": {"q": "x"}}],
        }  # fmt: skip
        if not asked.get("stream"):
            return JSONResponse(whole)
        arguments = {"type": "input_json_delta", "partial_json": '{"q": "x"}'}
        return _events([
            {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hel"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": tool},
            {"type": "content_block_delta", "index": 1, "delta": arguments},
            {"type": "content_block_stop", "index": 1},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ], named=True)  # fmt: skip

    return app


def _completion(case: str, choices: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "hello", "refusal": None}
    finish = "stop"
    if case == "refuse":
        message |= {"content": None, "refusal": "I cannot help"}
    elif case == "call":
        message |= {"content": None, "tool_calls": [CALL]}
        finish = "tool_calls"
    elif case == "json":
        message["content"] = '{"city": "Bonn"}'
    texts = [message if place == 0 else message | {"content": f"hello {place}"} for place in range(choices)]
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": MODEL, "usage": USAGE,
        "choices": [{"index": place, "finish_reason": finish, "message": text, "logprobs": None}
                    for place, text in enumerate(texts)],
    }  # fmt: skip


def _chat_chunks(case: str) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [
        {"role": "assistant"},
        {"content": "hi "},
        {"content": "there "},
        {"content": "you"},
    ]
    if case == "call":
        function = {"name": "look_up", "arguments": ""}
        deltas = [
            {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"q": '}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '"x"}'}}]},
        ]  # fmt: skip
    elif case == "json":
        deltas = [{"content": '{"city": '}, {"content": '"Bonn"}'}]
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    chunks = [chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if case == "call" else "stop"}
    return [*chunks, chunk | {"choices": [end]}, chunk | {"choices": [], "usage": USAGE}]


def _response(asked: dict[str, Any]) -> dict[str, Any]:
    text = '{"city": "Bonn"}'
    content = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": "r", "object": "response", "created_at": 1, "model": MODEL, "status": "completed", "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1,
        "tool_choice": "auto", "tools": [], "top_p": 1,
        "output": [{"type": "message", "id": "i", "status": "completed", "role": "assistant", "content": [content]}],
        "usage": {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip


def _events(events: list[dict[str, Any]], *, named: bool = False) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        for event in events:
            await asyncio.sleep(0)
            name = f"event: {event['type']}\n" if named or "type" in event else ""
            yield f"{name}data: {json.dumps(event)}\n\n"
        if not named:
            yield "data: [DONE]\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")
