"""Compare prompt versions from logged answers: by people's outcomes, and by a judge in both orders."""

import pandas as pd
import polars as pl

from feedback_pipeline import compare_prompt_versions
from feedback_pipeline.experiments.simulated import SimulatedJudge, simulated_answer
from feedback_pipeline.judging.judgements import judge_pairs

PROMPTS = {"v1": "Answer in only one sentence.", "v2": "Answer every part, with the steps in order."}

logged = pd.DataFrame([
    {"request_id": f"{version}-{n}", "prompt_version": version, "input_text": f"How do I do task {n}?",
     "output_text": simulated_answer(prompt, f"How do I do task {n}?"), "user_id": f"u{n}",
     "feedback_type": "outcome", "feedback_value": {"task_succeeded": n % (2 if version == "v1" else 5) != 0},
     "timestamp": "2026-11-20T10:00:00Z"}
    for version, prompt in PROMPTS.items() for n in range(40)
])  # fmt: skip
for version, numbers in compare_prompt_versions(logged).items():
    print(version, {name: round(value, 3) for name, value in numbers.items() if isinstance(value, float)})

# FEEDBACK_JUDGE_MODEL and a key put a real model in the simulated judge's place: see docs/judging.md
by_version = {version: list(rows["output_text"]) for version, rows in logged.groupby("prompt_version")}
pairs = pl.DataFrame({
    "interaction_id": [f"q{n}" for n in range(40)], "other_interaction_id": "v1",
    "prompt": [f"How do I do task {n}?" for n in range(40)], "answer": by_version["v2"],
    "other_answer": by_version["v1"],
})  # fmt: skip
judged = judge_pairs(pairs, SimulatedJudge())
print("v2 against v1, judged:", dict(judged["verdict"].value_counts().iter_rows()))
