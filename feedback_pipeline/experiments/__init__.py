"""Experiments: which arm a person gets, what came of it, and prompts that get better from votes.

In come configurations of experiments, assignments, exposures and votes; out go decisions, readouts, routing weights,
comparisons of shadow runs and candidates of prompts. `assignment` and `configuration` use the standard library alone,
so that an application may decide in its own process.
"""
