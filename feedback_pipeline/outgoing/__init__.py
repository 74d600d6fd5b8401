"""Back to the tools that answers came from: verdicts of people and judges, so that a team's traces show what we know.

In: `clean_feedback` and `judgements` (consent and privacy are settled there), and what answers are called elsewhere.
Out: `gen_ai.evaluation.result` events to any OTLP endpoint, scores to Langfuse, annotations to Phoenix. Numbers and
labels only: no words of people or models leave.
"""
