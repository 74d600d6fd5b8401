"""Route a task to a framework, and let feedback say how sure to be."""

import pandas as pd

from feedback_pipeline import AdaptivePromptRouter, build_enhanced_prompt, route_prompt

TASK = "Calculate the monthly rate of a loan step by step"

print("by words:   ", route_prompt(TASK))
feedback = pd.DataFrame({
    "timestamp": "2026-11-20T10:00:00Z", "prompt": [f"q{n}" for n in range(20)], "output": "a",
    "thumbs_up": [n < 17 for n in range(20)], "framework": "chain_of_thought", "user_id": [f"u{n}" for n in range(20)],
})  # fmt: skip
routing = AdaptivePromptRouter(feedback).route_with_learning(TASK, days_to_analyze=7)
print("by feedback:", routing.confidence, routing.reasoning)
print(build_enhanced_prompt(TASK, routing))
