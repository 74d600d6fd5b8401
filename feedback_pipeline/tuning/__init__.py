"""From a training file that passed its checks to a model that answers, and back.

- `runs`: training runs in the store: planned once, saved only over the version they were read at, one daemon at a
  time; `configured`: the place that trains; `providers`: each of them;
- `tuning`: whether the newest closed week may be trained on, and the steps of a run until it is over;
- `signing`, `approvals`: what a person decided, append-only and signed; `disclosure`: what they are shown;
- `answering`, `probes`, `evaluation`: candidate and current model answer the same prompts and are compared;
- `gate`: which differences are good enough, as pure functions;
- `registry`: candidates, promotion, rollback, expiry; `routing`: the file a router reads;
  `effect`: approval before and after a promotion.
"""
