"""Fine-tuning providers behind one protocol, and the ledger that keeps them from being paid twice.

- `protocol`: what a provider does, and the values that go in and out;
- `dry_run` (the default), `openai_wire` (OpenAI, Azure/Foundry and whatever is compatible), `local_command`;
- `ledger`: which step comes next, as a pure function, and `advance`, which takes exactly one step;
- `shutdowns.yaml`: published end dates of models and services, looked at before anything is paid.
"""
