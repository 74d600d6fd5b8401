"""The register: every place that is written, what stands in it, how an erasure reaches it, how long it is kept.

One entry a table, folder, spool or kind of temporary name; whatever writes somewhere new adds one. The search, the
erasure and the retention read their places from here, and a test walks the databases and folders after everything the
product does and fails on what no entry covers.

A place is named like a path: `store.feedback` (table of our database), `dagster.event_logs` (table of Dagster's),
`data/clean_feedback/2026-09-07.parquet` (below the data folder or bucket), `home/rejects/votes-abc.jsonl` (below the
home folder), `provider/files` (at a fine-tuning provider). A `*` stands for anything. The first entry that fits holds.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

Erased = Literal["rows", "lines", "computed", "removed", "found", "provider", "stays", "nothing"]
"""How an erasure reaches a place.

rows: rows are removed or emptied by id. lines: lines of the person are removed. computed: computed anew from what is
left. removed: removed, then computed anew. found: files are removed in which anything of the person is found, or
which were made of their rows. provider: deleted through the provider's interface. stays: keyed hashes and numbers stay,
the receipt says so. nothing: nobody's words belong there; what is found there stops the erasure."""

Kept = Literal["raw_text", "cleaned", "exports", "run", "for ever"]
"""How long: the retention of raw text, of cleaned rows, of exports; until what made it has ended; without end."""

Period = Literal["day", "week", "month"]

TEMPORARY = ".partial"
"""What every temporary name ends with."""


@dataclass(frozen=True)
class Place:
    """A kind of place that is written.

    Attributes:
        name: a pattern of places.
        holds: what stands in it.
        erased: how an erasure reaches it.
        kept: how long it is kept.
        period: what the names of its files begin with, where they are files of a day, week or month.
        others: rows of other people stand there too: words found in what is not the subject's are theirs as well.
        unsearched: why it is not searched; empty where it is.
    """

    name: str
    holds: str
    erased: Erased
    kept: Kept = "for ever"
    period: Period | None = None
    others: bool = False
    unsearched: str = ""

    @property
    def folder(self) -> str:
        """Of files below the data folder: their folder."""
        return self.name.split("/")[1]


def _data(names: str, holds: str, period: Period, erased: Erased, *, others: bool = False) -> tuple[Place, ...]:
    return tuple(Place(f"data/{one}/*", holds, erased, "cleaned", period, others) for one in names.split())


def _counted(names: str, holds: str) -> tuple[Place, ...]:
    return tuple(Place(f"data/{one}/*", holds, "computed") for one in names.split())


def _store(names: str, holds: str, erased: Erased, kept: Kept = "for ever") -> tuple[Place, ...]:
    return tuple(Place(f"store.{one}", holds, erased, kept) for one in names.split())


TEMPORARY_NAMES = (
    Place(f"data/*{TEMPORARY}", "a file that is being written, or what a crash left of one", "found", "run"),
    Place(f"home/*{TEMPORARY}", "a file that is being written, or what a crash left of one", "found", "run"),
    Place("home/*.tmp", "a file that is being written, or what a crash left of one", "found", "run"),
    Place("home/*.draft", "a file that is being written, or what a crash left of one", "found", "run"),
    Place("home/.probe-*", "nothing: whether the folder can be written to", "nothing", "run"),
    Place("data/.probe-*", "nothing: whether the folder can be written to", "nothing", "run"),
)

STORE = (
    Place("store.interaction", "answers, with the words of who asked", "rows", "raw_text", others=True),
    Place("store.feedback", "votes, comments, corrections", "rows", "raw_text", others=True),
    Place("store.prompt", "prompts of the application, by version: nobody's words", "nothing", others=True),
    *_store("refusal", "refused deliveries as delivered, redacted", "rows", "raw_text"),
    *_store("retention_grace", "rows that were emptied in the last days, as they were", "rows", "raw_text"),
    *_store("interaction_key idempotency review vote_unmatched audit_item audit_label", "names of a row, and what was "
            "decided about it", "rows"),
    *_store("person_seen assignment exposure ask", "pseudonyms", "rows", "cleaned"),
    *_store("people_sketch", "of how many people the votes of a day are: a trace of pseudonyms", "rows", "cleaned"),
    *_store("shadow_run judgement judge_reply", "what models wrote about answers, which may quote them", "rows",
            "cleaned"),
    *_store("consent", "pseudonyms of people who said what they allow, of forgotten ones too (the tombstone)", "stays"),
    *_store("erasure", "receipts: a keyed hash, counts", "stays"),
    *_store("export_file", "which exports were made: where, of which days", "rows", "exports"),
    *_store("dataset_row", "of which rows a line was made: ids", "rows"),
    *_store("dataset fine_tune_job fine_tune_event model model_evaluation model_event model_alias approval "
            "provider_event", "datasets and models as numbers and hashes", "nothing"),
    *_store("vote_delta vote_total vote_day action_day person_delta person_day people_sketch_day", "counts", "nothing"),
    *_store("setting tenant api_key token_use rate_window import_progress change day_state week_state "
            "period_state computed_partition judge_run alert notification action action_event export_use "
            "experiment experiment_version experiment_event routing_weight tag_seen console_session webhook "
            "alembic_version audit_log audit_seal",
            "settings, bookkeeping and what the team decided", "nothing"),
)  # fmt: skip

DAGSTER = (Place("dagster.*", "Dagster's own tables: runs, events, ticks; numbers and codes, never words", "nothing"),)

DATA = (
    *_data("clean_interactions clean_feedback", "cleaned rows", "day", "computed", others=True),
    *_data("quarantined_feedback text_signatures vote_facts", "cleaned rows", "day", "computed"),
    *_data("prompt_clusters pair_clusters judge_sample judge_anchors judge_controls training_funnel",
           "rows by person or answer", "week", "computed"),
    *_data("rater_trust judgements training_examples training_corrections preference_pairs regression_cases "
           "training_lineage training_files", "what is said of people, what judges wrote, training data", "week",
           "removed"),
    *_data("weekly_report", "reports, with examples", "week", "removed"),
    *_data("monthly_report", "reports, with examples", "month", "removed"),
    *_counted("term_counts term_findings failure_topics repeated_failures recommendations",
              "terms that five people used, topics and failures, counted"),
    *_counted("slice_counts safety_counts daily_approval alert_readings slice_findings approval_change "
              "judge_calibration judged_quality version_comparison preference_ranking preference_agreement "
              "model_effect candidate_evaluation audit_queue", "counts and estimates"),
    Place("data/exports/*", "exports made through the API", "found", "exports"),
    Place("data/promoted_model/*", "which model answers: names", "nothing"),
)  # fmt: skip

HOME = (
    Place("home/rejects/*", "rows that an import refused, redacted", "lines", "raw_text"),
    Place("home/spool/*", "requests that applications could not deliver yet", "lines", "run"),
    Place("home/exports/*", "exports made by `feedback export`", "found", "exports"),
    Place(
        "home/training_runs/*/model/*",
        "weights of a model, which an erasure marks as tainted",
        "stays",
        unsearched="weights of a model",
    ),
    Place(
        "home/training_runs/*/adapter/*",
        "weights of a model, which an erasure marks as tainted",
        "stays",
        unsearched="weights of a model",
    ),
    Place(
        "home/training_runs/*/checkpoints/*",
        "weights and state of a run under way",
        "stays",
        unsearched="weights of a model",
    ),
    Place("home/training_runs/*", "what a local trainer was given and wrote", "found", "cleaned"),
    Place(
        "home/erasures/*.working.json",
        "what an erasure under way looks for; removed at its end",
        "stays",
        "run",
        unsearched="it holds what is looked for, and is removed when the erasure is finished",
    ),
    Place(
        "home/erasures/erasures.jsonl",
        "pseudonyms of forgotten people, for restored backups",
        "stays",
        unsearched="it holds the tombstones, as the table consent does",
    ),
    Place("home/erasures/*", "receipts", "stays"),
    Place("home/keys.json", "keys of pseudonyms", "nothing", unsearched="random numbers"),
    Place(
        "home/*.key",
        "keys that tokens, approvals and the audit log are signed with",
        "nothing",
        unsearched="random numbers",
    ),
    Place(
        "home/sample/*",
        "the demo's own deliveries, with their truth: what a user would have in files of theirs",
        "nothing",
        unsearched="what was delivered; take the person out of it before it is imported again",
    ),
    Place("home/postgres/server.log", "messages of the database server, without rows and statements", "found"),
    Place(
        "home/postgres/*",
        "the database server's own files",
        "rows",
        unsearched="searched through the server; its log of changes is overwritten in time",
    ),
    Place("home/validators/*", "installed programs", "nothing", unsearched="installed programs"),
    Place("home/dagster/*", "output of runs: progress, without words", "found", "cleaned"),
    Place("home/start", "the Monday of the first week", "nothing"),
    Place("home/dev.lock", "where feedback dev runs", "nothing"),
    Place("home/backups.json", "where backups are", "nothing"),
    Place("home/logs/*", "what the services wrote: progress and warnings, without words", "found", "cleaned"),
    Place("home/sources.yaml", "where data is imported from", "nothing"),
)

PROVIDERS = (Place("provider/files", "training files that were uploaded", "provider"),)

REGISTER: tuple[Place, ...] = (*TEMPORARY_NAMES, *STORE, *DAGSTER, *DATA, *HOME, *PROVIDERS)


@cache
def registered(name: str) -> Place | None:
    """The entry that covers a place."""
    return next((place for place in REGISTER if fnmatchcase(name, place.name)), None)


def folders(period: Period, erased: Erased | None = None) -> tuple[str, ...]:
    """Folders of the data folder with files named after such a period that are not kept for ever."""
    fitting = (place for place in DATA if place.period == period and erased in (None, place.erased))
    return tuple(place.folder for place in fitting)


def unsearched() -> dict[str, str]:
    """Kinds of places that are never searched, and why."""
    return {place.name: place.unsearched for place in REGISTER if place.unsearched}
