"""Drawn answers and votes as the rows ingest delivers.

User ids and texts are raw: who takes the rows pseudonymises `user_key` and `session_key` and redacts the text columns.
"""

import numpy as np
import polars as pl

from feedback_pipeline.sample import planted as cast
from feedback_pipeline.sample.answers import latency_and_confidence
from feedback_pipeline.sample.people import People
from feedback_pipeline.sample.personal import PlacedValues
from feedback_pipeline.sample.planted import Level, level_names
from feedback_pipeline.sample.texts import TextComposer
from feedback_pipeline.sample.timeline import Part, Timeline
from feedback_pipeline.sample.uuids import time_ordered_uuids
from feedback_pipeline.sample.votes import VALUES
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, INCOMING_INTERACTION, INCOMING_KEY
from feedback_pipeline.tables.vocabulary import KINDS, TIMESTAMP

SOURCE = "sample"
"""Where generated rows say that they came from."""

_REASONS = pl.Series(
    [None, ["not_specific"], ["incorrect"], ["refused"], ["incomplete"], ["repeats_question"], ["outdated"],
     ["outdated"], None],
    dtype=pl.List(pl.String),
)  # fmt: skip
"""The reason chip that goes with each comment topic."""

_CHARACTERS_PER_TOKEN = 4
_APP_VERSIONS = pl.Series([f'{{"app_version": "3.{minor}.{patch}"}}' for minor in range(8) for patch in range(4)])


def answer_ids(timeline: Timeline, part: Part, answers: pl.DataFrame) -> pl.Series:
    """The ids of a part's answers."""
    random = timeline.random("answer ids", part.day_index, part.number)
    return time_ordered_uuids(answers["occurred"].to_numpy(), random).rename("id")


def _decode(codes: pl.Series, levels: tuple[Level, ...]) -> pl.Series:
    return pl.Series(level_names(levels), dtype=pl.String).gather(codes).rename(codes.name)


def _sets(codes: pl.Series, sets: tuple[tuple[tuple[str, ...], float], ...]) -> pl.Series:
    return pl.Series([list(names) for names, _ in sets], dtype=pl.List(pl.String)).gather(codes)


def _numbered(letter: str, part: Part, numbers: pl.Series) -> pl.Series:
    """Ids of the source: a letter, the day, the part and a number."""
    head = f"{letter}-{part.day:%Y%m%d}-{part.number}-"
    return pl.select(pl.concat_str(pl.lit(head), numbers.cast(pl.String))).to_series()


def _people(indices: pl.Series, people: People) -> pl.Series:
    """Raw user ids; null for nobody (−1)."""
    ids = pl.Series([*people.ids, None], dtype=pl.String)
    return ids.gather(pl.select(pl.when(indices < 0).then(len(people.ids)).otherwise(indices)).to_series())


def _sessions(part: Part, conversations: pl.Series, anonymous: pl.Series) -> pl.Series:
    """One session a conversation; a third of the anonymous conversations have none."""
    known = ~anonymous | (conversations % 3 > 0)
    return pl.select(pl.when(known).then(_numbered("s", part, conversations))).to_series()


def interaction_rows(
    timeline: Timeline, part: Part, people: People, answers: pl.DataFrame, ids: pl.Series, texts: TextComposer,
    placed: PlacedValues,
) -> pl.DataFrame:  # fmt: skip
    """All answers of the part as INCOMING_INTERACTION, the ones that are never delivered included."""
    random = timeline.random("measurements", part.day_index, part.number)
    latency, confidence = latency_and_confidence(answers, random)
    unknown = pl.Series(random.random(answers.height) < 0.1)
    rows = pl.DataFrame(
        {
            "id": ids,
            "prompt": texts.prompts(placed.prompts),
            "output": texts.outputs(placed.prompts),
            "tenant": pl.Series([tenant.name for tenant in cast.TENANTS]).gather(answers["tenant"]),
            "project": _decode(answers["project"], cast.PROJECTS),
            "conversation_id": _numbered("c", part, answers["conversation"]),
            "turn": answers["turn"],
            "pair_of": answers["pair_of"],
            "partial": answers["partial"],
            "intent": _decode(answers["intent"], cast.INTENTS),
            "content_type": _decode(answers["content_type"], cast.CONTENT_TYPES),
            "action_type": _decode(answers["action_type"], cast.ACTION_TYPES),
            "language": _decode(answers["language"], cast.LANGUAGES),
            "model": _decode(answers["model"], cast.MODELS),
            "prompt_version": _decode(answers["version"], cast.PROMPT_VERSIONS),
            "framework": _decode(answers["framework"], cast.FRAMEWORKS),
            "variant": _decode(answers["variant"], cast.VARIANTS),
            "tags": _sets(answers["tags"], cast.TAG_SETS),
            "tools_called": _sets(answers["tools"], cast.TOOL_SETS),
            "techniques": _sets(answers["techniques"], cast.TECHNIQUE_SETS),
            "memory_used": random.integers(0, 9, answers.height),
            "finish_reason": pl.select(
                pl.when(answers["cut"]).then(pl.lit("length")).otherwise(pl.lit("stop"))
            ).to_series(),
            "confidence": pl.select(pl.when(~unknown).then(pl.Series(confidence))).to_series(),
            "latency_ms": latency,
            "user_key": _people(answers["person"] * ~answers["anonymous"] - answers["anonymous"], people),
            "session_key": _sessions(part, answers["conversation"], answers["anonymous"]),
            "occurred_at": answers["occurred"].cast(TIMESTAMP),
            "source_id": _numbered("a", part, pl.Series(np.arange(answers.height))),
            "provenance": _decode(answers["provenance"], cast.PROVENANCES),
            "metadata": _APP_VERSIONS.gather(random.integers(0, len(_APP_VERSIONS), answers.height)),
            "input_price": pl.Series([model.input_price for model in cast.MODELS]).gather(answers["model"]),
            "output_price": pl.Series([model.output_price for model in cast.MODELS]).gather(answers["model"]),
        }
    )
    rows = _with_messages(rows).with_columns(
        input_tokens=pl.coalesce("messages", "prompt").str.len_bytes() // _CHARACTERS_PER_TOKEN + 1,
        output_tokens=pl.col("output").str.len_bytes() // _CHARACTERS_PER_TOKEN + 1,
        context=pl.when("partial").then(pl.lit("partial")).otherwise(pl.lit("full")),
        source=pl.lit(SOURCE),
        inclusion_probability=pl.lit(1.0),
    )
    per_million = pl.col("input_tokens") * pl.col("input_price") + pl.col("output_tokens") * pl.col("output_price")
    return INCOMING_INTERACTION.conform(rows.with_columns(cost_usd=per_million / 1e6))


def _json_text(column: str) -> pl.Expr:
    """The inside of a JSON string."""
    escaped = pl.col(column).str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    return escaped.str.replace_all("\n", "\\n", literal=True)


def _with_messages(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `messages` (system prompt, earlier turns, prompt) and, for summaries of pull requests, the snapshot shown.

    The rows of a conversation follow one another, so earlier turns are the rows above.
    """
    rows = rows.with_columns(asked=_json_text("prompt"), answered=_json_text("output"))
    exchange = pl.concat_str(
        pl.lit('{"role":"user","content":"'), "asked", pl.lit('"},{"role":"assistant","content":"'), "answered",
        pl.lit('"},'),
    )  # fmt: skip
    rows = rows.with_columns(exchange=exchange)
    nothing = pl.lit("")
    system = pl.concat_str(
        pl.lit('[{"role":"system","content":"You are the assistant of '), "project", pl.lit(", guideline "),
        "prompt_version", pl.lit('. Answer in the language of the question."},'),
    )  # fmt: skip
    messages = pl.concat_str(
        system,
        pl.when(pl.col("turn") >= 2).then(pl.col("exchange").shift(2)).otherwise(nothing),
        pl.when(pl.col("turn") >= 1).then(pl.col("exchange").shift(1)).otherwise(nothing),
        pl.lit('{"role":"user","content":"'),
        "asked",
        pl.lit('"}]'),
    )
    snapshot = pl.concat_str(
        pl.lit('{"content_type":"pr_summary","snapshot":{"summary":{"text":"'), "answered",
        pl.lit('"}},"prompt_version":"'), "prompt_version", pl.lit('"}'),
    )  # fmt: skip
    is_summary = (pl.col("content_type") == "pr_summary") & (pl.col("intent") == "code")
    return rows.with_columns(
        messages=pl.when(~pl.col("partial")).then(messages),
        content_snapshot=pl.when(is_summary).then(snapshot),
    )


def key_rows(interactions: pl.DataFrame) -> pl.DataFrame:
    """The request id of every answer and the content id of every summary, as INCOMING_KEY."""
    request = interactions.select(
        "tenant", kind=pl.lit("request"), value=_request_id(), interaction_id="id", shown=pl.lit(value=True)
    )
    content = interactions.select(
        "tenant",
        kind=pl.lit("content"),
        value=pl.col("source_id").str.replace("a-", "pr-", literal=True),
        interaction_id="id",
        shown=pl.col("content_snapshot").is_not_null(),
    )
    return INCOMING_KEY.conform(pl.concat([request, content]).filter("shown"))


def _request_id() -> pl.Expr:
    return pl.concat_str(pl.lit("req-"), "source_id")


def feedback_rows(
    timeline: Timeline, part: Part, people: People, answers: pl.DataFrame, ids: pl.Series, events: pl.DataFrame,
    texts: TextComposer, placed: PlacedValues,
) -> pl.DataFrame:  # fmt: skip
    """The events of the part as INCOMING_FEEDBACK, each delivered once."""
    random = timeline.random("feedback ids", part.day_index, part.number)
    about = answers.select("tenant", "conversation", "anonymous", "person")[events["answer"]]
    topics = events["topic"]
    chips = pl.Series(random.random(events.height) < 0.3) & (topics >= 0)
    disliked = (events["thumb"] == False).fill_null(False) | (events["stars"] <= 2).fill_null(False)  # noqa: E712
    flawed = (answers["version"] == cast.code_of(cast.PROMPT_VERSIONS, cast.CAUSE_VERSION))[events["answer"]] & disliked
    drawn = timeline.random("flaw of a prompt", part.day_index, part.number).random(events.height)
    flaw = flawed & pl.Series(drawn < cast.FLAW_CHIPS)
    corrected = events["corrected"].to_numpy()
    comments = texts.comments(events["answer"].to_numpy(), topics.to_numpy(), placed.comments)
    corrections = texts.corrections(events["answer"].to_numpy()[corrected])
    number = np.where(corrected, np.cumsum(corrected) - 1, 0)
    own = (events["voter"] == about["person"]) | (events["voter"] < 0)
    rows = pl.DataFrame(
        {
            "id": time_ordered_uuids(events["received"].to_numpy(), random),
            "tenant": pl.Series([tenant.name for tenant in cast.TENANTS]).gather(about["tenant"]),
            "answer_id": ids.gather(events["answer"]),
            "by_key": events["by_key"],
            "answer_source_id": _numbered("a", part, events["answer"]),
            "kind": pl.Series(KINDS).gather(events["kind"]),
            "thumb": events["thumb"],
            "stars": events["stars"],
            "value": _or_null(pl.Series([*VALUES]), events["value"]),
            "comment": comments,
            "correction": corrections.gather(number) if len(corrections) else pl.Series([""] * events.height),
            "corrected": events["corrected"],
            "reasons": _REASONS.gather(topics.clip(0)),
            "chips": chips,
            "flaw": flaw,
            "preference": _or_null(pl.Series(["this", "other", "tie"]), events["preference"]),
            "other_interaction_id": _or_null(ids, events["other"]),
            "user_key": _people(events["voter"], people),
            "session": _sessions(part, about["conversation"], about["anonymous"]),
            "own": own,
            "occurred_at": events["occurred"].cast(TIMESTAMP),
            "received_at": events["received"].cast(TIMESTAMP),
            "withdrawn": events["withdrawn"],
            "source_id": _numbered("f", part, pl.Series(np.arange(events.height))),
        }
    ).with_columns(
        interaction_id=pl.when(~pl.col("by_key")).then("answer_id"),
        key_kind=pl.when("by_key").then(pl.lit("request")),
        key_value=pl.when("by_key").then(pl.concat_str(pl.lit("req-"), "answer_source_id")),
        correction=pl.when("corrected").then("correction"),
        reasons=pl.when("flaw").then(pl.lit([cast.FLAW_REASON])).when("chips").then("reasons"),
        session_key=pl.when("own").then("session"),
        source=pl.lit(SOURCE),
    )
    return INCOMING_FEEDBACK.conform(rows)


def _or_null(choices: pl.Series, codes: pl.Series) -> pl.Series:
    """The choices by code; null for −1."""
    return pl.select(pl.when(codes >= 0).then(choices.gather(codes.clip(0)))).to_series()
