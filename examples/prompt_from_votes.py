"""From what people said of a prompt to a better one: proposed by rule, checked, and shown as a diff.

The whole way (gate, approval, rollout, effect, rollback) is in docs/experiments.md; it goes over the commands
`feedback prompt …` and `feedback approve`.
"""

import datetime as dt

import polars as pl

from feedback_pipeline.experiments.optimisers import RuleOptimiser
from feedback_pipeline.experiments.prompt_evidence import gather
from feedback_pipeline.experiments.prompts import Prompt, difference, digest
from feedback_pipeline.experiments.proposals import refusals
from feedback_pipeline.experiments.simulated import simulated_answer
from feedback_pipeline.patterns.tables import SLICE_FINDINGS

TEXT = "You help the customers of {company}.\nBe friendly. Answer in only one sentence."
now = dt.datetime.now(dt.UTC)
current = Prompt("default", "support", "v1", TEXT, None, "written", digest(TEXT), None, None, now)

votes = pl.DataFrame([
    {"feedback_id": f"f{n}", "voter": f"p{n}", "prompt_version": "v1", "verdict": "down" if n % 2 else "up",
     "reasons": ["incomplete"] if n % 2 else [], "comment": None, "correction": None, "prompt": None}
    for n in range(60)
], schema_overrides={"comment": pl.String, "correction": pl.String, "prompt": pl.String})  # fmt: skip
evidence = gather(votes, SLICE_FINDINGS.empty(), "v1")
print("evidence:", [(one.id, one.people) for one in evidence])
[proposal] = RuleOptimiser().propose(current, evidence, pl.DataFrame())
print("refused because:", refusals(proposal, current, [current.digest], evidence, []) or "nothing")
after = Prompt("default", "support", "v2", proposal.text, "v1", "proposed", digest(proposal.text), None, None, now)
print("\n".join(difference(current, after)))
print("before:", simulated_answer(current.text, "How do I cancel?")[-40:])
print("after: ", simulated_answer(after.text, "How do I cancel?")[-110:])
