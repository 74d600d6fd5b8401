"""Who proposes prompts: rules over the reasons people gave, or reflection with `gepa` over what they wrote."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
import polars as pl

from feedback_pipeline.experiments.prompt_evidence import Evidence
from feedback_pipeline.experiments.prompts import Prompt
from feedback_pipeline.experiments.proposals import Proposal
from feedback_pipeline.experiments.simulated import rules

COMPONENT = "prompt"


class Optimiser(Protocol):
    """Proposes texts for a prompt."""

    @property
    def name(self) -> str: ...

    def propose(self, current: Prompt, evidence: Sequence[Evidence], cases: pl.DataFrame) -> list[Proposal]:
        """Proposes, best first.

        Args:
            current: the version that answers.
            evidence: what people said of its answers.
            cases: `prompt_id`, `messages`, `answer`: prompts of the training split whose answers were rejected.
        """
        ...


class RuleOptimiser:
    """Adds a line for each of the heaviest reasons, and drops the lines that cause it. Needs no model."""

    name = "rules"

    def __init__(self, most: int = 3) -> None:
        self._most = most

    def propose(self, current: Prompt, evidence: Sequence[Evidence], cases: pl.DataFrame) -> list[Proposal]:
        """See `Optimiser`."""
        remedies: Mapping[str, Mapping[str, str]] = rules()["remedies"]
        reasons = [one for one in evidence if one.kind == "reason" and one.about in remedies][: self._most]
        findings = tuple(one.id for one in evidence if one.kind == "finding")
        if not reasons:
            return []
        lines, added = current.text.splitlines(), []
        for reason in reasons:
            remedy = remedies[reason.about]
            if drop := remedy.get("drop"):
                lines = [_without(line, drop) for line in lines]
            if remedy["add"] not in current.text:
                added.append(remedy["add"])
        text = "\n".join([*(line for line in lines if line.strip()), *added])
        return [Proposal(text, (*(one.id for one in reasons), *findings), f"answers {len(reasons)} reasons")]


def _without(line: str, cause: str) -> str:
    """A line without the sentences that cause a complaint."""
    sentences = re.split(r"(?<=[.!?])\s+", line)
    return " ".join(one for one in sentences if not re.search(cause, one, re.IGNORECASE))


@dataclass
class ReflectiveOptimiser:
    """Reflection with `gepa` (Agrawal et al. 2025, GEPA): asks, reads what people said, rewrites, keeps what wins.

    Attributes:
        answers: asks the model; as `tuning.answering.answer_prompts`.
        wins: share of one half and more by which answers beat the rejected ones, one number a case.
        reflect: asks the model that rewrites.
        calls: answers it may ask for.
        seed: of its draws.
    """

    answers: Callable[[pl.DataFrame], pl.DataFrame]
    wins: Callable[[pl.DataFrame], Sequence[float]]
    reflect: Callable[[str], str]
    calls: int = 150
    seed: int = 0
    name: str = "gepa"
    _shown: set[str] = field(default_factory=set, repr=False)

    def propose(self, current: Prompt, evidence: Sequence[Evidence], cases: pl.DataFrame) -> list[Proposal]:
        """See `Optimiser`.

        Raises:
            ImportError: the extra `prompts` is not installed.
        """
        from gepa.api import optimize

        rows = cases.to_dicts()
        if not rows:
            return []
        adapter: Any = _Adapter(self, evidence)
        found: Any = optimize(
            seed_candidate={COMPONENT: current.text}, trainset=rows, valset=rows[: max(1, len(rows) // 2)],
            adapter=adapter, reflection_lm=lambda text: self.reflect(_as_text(text)), max_metric_calls=self.calls,
            seed=self.seed, raise_on_exception=False, logger=_Quiet(), display_progress_bar=False,
        )  # fmt: skip
        ranked = sorted(zip(found.val_aggregate_scores, found.candidates, strict=True), key=lambda one: -one[0])
        base = found.val_aggregate_scores[0]
        return [
            Proposal(
                candidate[COMPONENT], tuple(sorted(adapter.shown)), f"beat rejected answers in {score:.0%} of cases"
            )
            for score, candidate in ranked
            if score > base and candidate[COMPONENT] != current.text
        ]


class _Adapter:
    """What `gepa` asks: answers with scores, and what to reflect on."""

    propose_new_texts = None

    def __init__(self, optimiser: ReflectiveOptimiser, evidence: Sequence[Evidence]) -> None:
        self._optimiser = optimiser
        self._evidence = evidence
        self.shown: set[str] = set()

    def evaluate(self, batch: list[dict[str, Any]], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        from gepa.core.adapter import EvaluationBatch

        prompts = pl.DataFrame(
            {"prompt_id": [one["prompt_id"] for one in batch],
             "messages": [with_system(one["messages"], candidate[COMPONENT]) for one in batch]}
        )  # fmt: skip
        answered = self._optimiser.answers(prompts)["answer"].to_list()
        pairs = pl.DataFrame(
            {"interaction_id": prompts["prompt_id"], "other_interaction_id": "rejected",
             "prompt": [one["messages"] for one in batch], "answer": answered,
             "other_answer": [one["answer"] for one in batch]},
            schema_overrides={"answer": pl.String, "other_answer": pl.String},
        )  # fmt: skip
        scores = list(self._optimiser.wins(pairs))
        traces = [
            one | {"given": answer, "score": score} for one, answer, score in zip(batch, answered, scores, strict=True)
        ]
        return EvaluationBatch(outputs=answered, scores=scores, trajectories=traces if capture_traces else None)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        said = [
            {"Kind": one.kind, "People": one.people, "About": one.about, "Words (redacted, untrusted)": one.text}
            for one in self._evidence
        ]
        self.shown |= {one.id for one in self._evidence}
        records = [
            {"Inputs": trace["messages"], "Generated Outputs": trace["given"] or "no answer",
             "Feedback": f"won against a rejected answer: {trace['score']:.1f}"}
            for trace in eval_batch.trajectories or ()
        ]  # fmt: skip
        records.append({"Inputs": "all", "Generated Outputs": "all", "Feedback": orjson.dumps(said).decode()})
        return dict.fromkeys(components_to_update, records)


class _Quiet:
    def log(self, message: str) -> None:
        """Says nothing: messages quote prompts and answers."""


def with_system(messages: str, template: str) -> str:
    """Messages (JSON) with a template in place of their system message."""
    others = [one for one in orjson.loads(messages) if one["role"] != "system"]
    return orjson.dumps([{"role": "system", "content": template}, *others]).decode()


def _as_text(prompt: Any) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(str(one.get("content", "")) for one in prompt)
