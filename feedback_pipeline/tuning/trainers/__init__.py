"""What trains on a machine of your own: a script for the trainer's environment, which knows nothing of this package.

In: `run.json`, written by `tuning.providers.trl`. Out: `losses.jsonl`, checkpoints, the model, `summary.json`.
"""
