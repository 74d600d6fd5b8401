"""Run by Phoenix's own Python, with its server up: spans by its client, annotations of people and of a judge."""

import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import phoenix
from phoenix.client import Client

client = Client(base_url=sys.argv[1])
start = datetime.now(UTC) - timedelta(minutes=5)
asked = [("When do you open?", "At nine."), ("Where is my key?", "In the box."), ("Do you open on Sunday?", "At nine.")]
spans = [
    {
        "name": "chat",
        "context": {"trace_id": f"{number:032x}", "span_id": f"{number:016x}"},
        "span_kind": "LLM",
        "parent_id": None,
        "start_time": (start + timedelta(seconds=number)).isoformat(),
        "end_time": (start + timedelta(seconds=number, milliseconds=400)).isoformat(),
        "status_code": "OK",
        "attributes": {
            "openinference.span.kind": "LLM",
            "llm.model_name": "north-7b",
            "input.value": question,
            "output.value": answer,
            "session.id": "s-1",
            "user.id": "anna",
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.content": question,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": answer,
        },
    }
    for number, (question, answer) in enumerate(asked, 1)
]
client.spans.log_spans(project_identifier="shop", spans=spans)


def arrived():
    try:
        return len(client.spans.get_spans(project_identifier="shop"))
    except httpx.HTTPStatusError:  # the project is made by its first span
        return 0


deadline = time.monotonic() + 300
while arrived() < len(spans):
    assert time.monotonic() < deadline
    time.sleep(0.5)
note = client.spans.add_span_annotation
said = {"annotation_name": "helpful", "annotator_kind": "HUMAN"}
note(span_id=f"{1:016x}", label="thumbs-up", score=1, explanation="Right.", identifier="anna", sync=True, **said)
note(span_id=f"{2:016x}", label="thumbs-down", score=0, identifier="bo", sync=True, **said)
note(span_id=f"{3:016x}", score=1, sync=True, **said)
judged = {"annotation_name": "correctness", "annotator_kind": "LLM", "label": "correct", "score": 0.9}
note(span_id=f"{2:016x}", identifier="judge-1", sync=True, **judged)
print(phoenix.__version__)
