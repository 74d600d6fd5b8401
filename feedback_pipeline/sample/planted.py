"""Who and what appears in a sample: models, versions, segments, and the effects that make an answer bad.

An answer is bad with the sum of the probabilities named here; whether a person says so is in `votes`.
"""

from dataclasses import dataclass

BASE_BAD = 0.08
"""Probability that an answer is bad where nothing else speaks against it."""

DOWN_IF_GOOD = 0.045
DOWN_IF_BAD = 0.92
"""Probability that an honest person votes down an answer that is good, or bad."""

CAUSE_DOWN_RATE = 0.20
CAUSE_BAD = CAUSE_DOWN_RATE / (DOWN_IF_BAD - DOWN_IF_GOOD)
"""What a planted cause adds to the probability of a down vote, and so to the probability of a bad answer."""

MIN_BAD, MAX_BAD = 0.01, 0.95

BAD_ANSWERS_GET_VOTES = 1.3
"""How much likelier people vote on a bad answer."""


@dataclass(frozen=True)
class Level:
    """One value of a dimension: its share of the traffic and what it adds to the probability of a bad answer.

    `release` is the share of the settled days (`Timeline.settled_days`) that pass before it first appears.
    """

    name: str | None
    share: float
    bad: float = 0.0
    release: float = 0.0


@dataclass(frozen=True)
class Model(Level):
    """A model: how often people vote on its answers (relative), latency in ms, US dollars per million tokens."""

    response: float = 1.0
    latency_ms: float = 1000.0
    input_price: float = 1.0
    output_price: float = 4.0


MODELS = (
    Model("aurora-large", 0.26, -0.010, response=1.00, latency_ms=2400, input_price=2.5, output_price=10.0),
    Model("aurora-small", 0.22, 0.008, response=0.85, latency_ms=900, input_price=0.15, output_price=0.6),
    Model("borealis-2", 0.18, 0.000, response=1.10, latency_ms=1800, input_price=3.0, output_price=15.0),
    Model("borealis-mini", 0.14, 0.012, response=0.75, latency_ms=700, input_price=0.25, output_price=2.0),
    Model("cirrus-7b", 0.12, 0.010, response=0.95, latency_ms=600, input_price=0.1, output_price=0.1),
    Model("delta-instruct", 0.08, -0.012, 0.6, response=1.20, latency_ms=1500, input_price=1.0, output_price=4.0),
)
PROMPT_VERSIONS = (
    Level("1.0", 0.20, 0.005),
    Level("1.1", 0.30),
    Level("2.0", 0.27, -0.008, release=0.25),
    Level("2.1", 0.23, release=0.5),
)
HARD_INTENT_BAD = 0.10
INTENTS = (
    Level("billing", 0.22),
    Level("code", 0.16, HARD_INTENT_BAD),
    Level("summarisation", 0.17, -0.005),
    Level("travel", 0.14),
    Level("how_to", 0.17, 0.005),
    Level("writing", 0.14, -0.008),
)
SHIFTED_CODE_SHARE = 0.40
"""Share of the hard intent in the last week: the mix shift."""

LANGUAGES = (Level("en", 0.52), Level("de", 0.16), Level("fr", 0.12), Level("es", 0.12), Level("ja", 0.08))
FRAMEWORKS = (Level("plain", 0.40), Level("few-shot", 0.25), Level("chain-of-thought", 0.20), Level("react", 0.15))
PROJECTS = (Level("support-bot", 0.45), Level("workbench", 0.30), Level("concierge", 0.25))
CONTENT_TYPES = (Level("qa_answer", 0.75), Level("pr_summary", 0.15), Level("engineering_insight", 0.10))
ACTION_TYPES = (
    Level(None, 0.40),
    Level("todo", 0.20),
    Level("search", 0.18),
    Level("email", 0.12),
    Level("calendar", 0.10),
)
VARIANTS = (Level(None, 0.50), Level("control", 0.25), Level("treatment", 0.25, -0.02))
PROVENANCES = (Level("logged", 0.80), Level("server", 0.12), Level("import", 0.05), Level("browser", 0.03))

TOOL_SETS: tuple[tuple[tuple[str, ...], float], ...] = (
    ((), 0.45),
    (("search",), 0.20),
    (("calculator",), 0.08),
    (("calendar",), 0.07),
    (("calculator", "search"), 0.05),
    (("code_runner",), 0.07),
    (("crm_lookup",), 0.06),
    (("crm_lookup", "search"), 0.02),
)
TAG_SETS: tuple[tuple[tuple[str, ...], float], ...] = (
    ((), 0.42),
    (("mobile",), 0.20),
    (("beginner",), 0.14),
    (("mobile", "urgent"), 0.08),
    (("urgent",), 0.06),
    (("beginner", "mobile"), 0.06),
    (("internal",), 0.04),
)
TECHNIQUE_SETS: tuple[tuple[tuple[str, ...], float], ...] = (
    ((), 0.6),
    (("persona",), 0.2),
    (("examples",), 0.15),
    (("examples", "persona"), 0.05),
)

CAUSE_MODEL, CAUSE_VERSION = "borealis-2", "2.1"
FLAW_REASON, FLAW_CHIPS = "incomplete", 0.5
"""The chip that goes with the flaw of this version's prompt, and the share of its votes down that carry it."""
CAUSE_TOOL = "crm_lookup"
CAUSE_INTENT, CAUSE_LANGUAGE = "travel", "de"

TERM_SHARE = 0.02
"""Share of the prompts, and of the answers, that carry a planted term."""

TERM_BAD = 0.30
CUT_SHARE, CUT_BAD = 0.015, 0.45
"""Answers that end because of their length, and what that adds."""


@dataclass(frozen=True)
class Tenant:
    """A tenant, its share of the people, and what it allows."""

    name: str
    share: float
    use_for_analysis: bool = True
    use_for_training: bool = True


TENANTS = (Tenant("acme", 0.55), Tenant("globex", 0.30), Tenant("initech", 0.15, use_for_training=False))


def level_names(levels: tuple[Level, ...]) -> list[str | None]:
    """The names of a dimension's values, in the order of their codes."""
    return [level.name for level in levels]


def code_of(levels: tuple[Level, ...], name: str) -> int:
    """The code of a dimension's value."""
    return level_names(levels).index(name)
