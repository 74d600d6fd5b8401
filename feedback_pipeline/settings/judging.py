"""Judging answers and suggesting changes with a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from feedback_pipeline.environment import address, dollars, setting

JudgeMode = Literal["schema", "probabilities", "decisions"]
PromptOptimiser = Literal["rules", "gepa"]

OPENAI_URL = "https://api.openai.com/v1"

_http = address("https", "http")


@dataclass(frozen=True)
class JudgeSettings:
    """Judging answers and suggesting changes with a model."""

    judge_sample_size: int = setting("FEEDBACK_JUDGE_SAMPLE", 2000, "answers judged a week")
    judge_model: str | None = setting(
        "FEEDBACK_JUDGE_MODEL", None, "model that judges beside the local classifier; none without it"
    )
    judge_url: str = setting(
        ("FEEDBACK_JUDGE_BASE_URL", "OPENAI_BASE_URL"),
        OPENAI_URL,
        "OpenAI-compatible endpoint that serves it",
        read=_http,
    )
    judge_mode: JudgeMode = setting(
        "FEEDBACK_JUDGE_MODE",
        "schema",
        "how it is asked: for verdicts with reasons, for token probabilities, or by the Decisions endpoint",
    )
    judge_samples: int = setting(
        "FEEDBACK_JUDGE_SAMPLES", 1, "how often each answer is judged; the score is the mean", low=1
    )
    judge_rubric: str = setting(
        "FEEDBACK_JUDGE_RUBRIC",
        "answer_quality",
        "what it judges by: a rubric of the project by name, or a YAML file",
    )
    judge_nonce: bool = setting("FEEDBACK_JUDGE_NONCE", True, "it must copy a nonce back; 0 for models too small to")
    judge_concurrency: int = setting(
        "FEEDBACK_JUDGE_CONCURRENCY", 16, "its calls in flight; fewer while it says that there are too many", low=1
    )
    judge_requests_a_minute: int | None = setting(
        "FEEDBACK_JUDGE_REQUESTS_A_MINUTE", None, "calls started a minute; none for no limit", low=1
    )
    judge_tokens_a_minute: int | None = setting(
        "FEEDBACK_JUDGE_TOKENS_A_MINUTE", None, "tokens sent and received a minute; none for no limit", low=1
    )
    judge_cost_cap_usd: float = setting(
        "FEEDBACK_JUDGE_COST_CAP", 1.0, "US dollars that judging one week may cost in all its runs", read=dollars
    )
    prices_file: Path | None = setting(
        ("FEEDBACK_MODEL_PRICES", "FEEDBACK_JUDGE_PRICES"),
        None,
        "what models cost that the project's list lacks or has wrong, a file in the form of `llm/prices.yaml`",
    )
    audit_size: int = setting(
        "FEEDBACK_AUDIT_SAMPLE", 100, "answers of a week that people are asked to judge, drawn at random"
    )
    model_url: str = setting(
        "OPENAI_BASE_URL", OPENAI_URL, "OpenAI-compatible endpoint that suggestions are asked of", read=_http
    )
    model_key: str | None = setting(
        "OPENAI_API_KEY", None, "key of the endpoints above; suggestions come from rules without one", secret=True
    )
    suggestion_model: str = setting("FEEDBACK_SUGGESTION_MODEL", "gpt-6-luna", "model that suggestions are asked of")
    prompt_model: str | None = setting(
        "FEEDBACK_PROMPT_MODEL", None, "model that the registered prompts are for; without one it is simulated by rules"
    )
    prompt_optimiser: PromptOptimiser = setting(
        "FEEDBACK_PROMPT_OPTIMISER",
        "rules",
        "who proposes prompts: rules over reasons, or reflection (extra `prompts`)",
    )
    prompt_calls: int = setting("FEEDBACK_PROMPT_CALLS", 150, "answers that one reflection may ask for", low=10)
