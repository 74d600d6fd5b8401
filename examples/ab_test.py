"""Two prompts, each for a stable half of the people, and what came of it."""

from feedback_client import default_client, log_ab_test, route_to_variant
from model import answer

PROMPTS = {"v1": "You help customers. Be friendly.", "v2": "You help customers. Answer every part, step by step."}
WEIGHTS = {"v1": 0.5, "v2": 0.5}

seen = {"v1": 0, "v2": 0}
for number in range(20):
    user, request = f"user-{number}", f"ab-{number}"
    variant = route_to_variant(user, WEIGHTS, experiment="tone")
    assert variant == route_to_variant(user, WEIGHTS, experiment="tone")
    text = answer(PROMPTS[variant], "How do I change my plan?")
    default_client().log({"request_id": request, "prompt": "How do I change my plan?", "output": text, "user_id": user,
                          "prompt_version": variant, "variant": variant})  # fmt: skip
    log_ab_test(request, user, variant, {"task_succeeded": variant == "v2" or number % 3 == 0}, experiment="tone")
    seen[variant] += 1
default_client().flush()
print("people by variant:", seen)
print("read it with: feedback experiment create tone --arm v1=0.5 --arm v2=0.5; feedback experiment show tone")
