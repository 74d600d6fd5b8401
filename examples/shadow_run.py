"""A new prompt answers in the background; people see the old one, whatever the new one does."""

import os
import time

from feedback_client import Experiments, default_client, shadow
from model import answer

experiments = Experiments(os.environ["FEEDBACK_API_URL"], os.environ["FEEDBACK_API_KEY"])


def candidate(question: str, request_id: str) -> str:
    """The new prompt: it hangs sometimes, and fails sometimes."""
    number = int(request_id.rpartition("-")[2])
    if number == 3:
        time.sleep(0.5)
    if number == 5:
        raise RuntimeError("the candidate broke")
    return answer("You help customers. Answer every part, step by step.", question)


behind = shadow(candidate, experiments.shadow_run, name="v2", sample=1.0, deadline=0.1)


@behind
def reply(question: str, request_id: str) -> str:
    """What people see."""
    text = answer("You help customers. Be friendly.", question)
    default_client().log({"request_id": request_id, "prompt": question, "output": text})
    return text


slowest = 0.0
for turn in range(10):
    started = time.perf_counter()
    reply("How do I change my plan?", request_id=f"shadow-{turn}")
    slowest = max(slowest, time.perf_counter() - started)
behind.flush()
experiments.flush()
print(f"answered {behind.counts.answered}, late {behind.counts.late}, failed {behind.counts.failed}; "
      f"the slowest answer took {1000 * slowest:.1f} ms")  # fmt: skip
