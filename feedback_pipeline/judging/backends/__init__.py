"""Where verdicts come from: a model endpoint, the local classifier, somebody else's records.

Every backend is an `AnswerJudge`, a `PairJudge` or both (see `protocol`); frames in, frames out.
"""
