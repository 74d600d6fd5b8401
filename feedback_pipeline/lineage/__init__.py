"""`feedback why`: what a vote led to, and what a line, a dataset, a run or a model came from.

- `tree`: a node with what it came from and what came of it, as text and as JSON;
- `trace`: finds what a reference means and builds its tree, from the store's indexes;
- `commands`: the command.

No words of users: identifiers, days, numbers and states.
"""
