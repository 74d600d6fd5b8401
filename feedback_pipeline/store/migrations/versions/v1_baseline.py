"""The tables, functions, triggers and views that the project began its releases with."""

from alembic import context, op

from feedback_pipeline.store.migrations import run_sql

revision = "v1_baseline"
down_revision = None

SCRIPTS = (
    "tables/feedback.sql",
    "tables/computing.sql",
    "tables/counts.sql",
    "tables/access.sql",
    "tables/judging.sql",
    "tables/acting.sql",
    "tables/tuning.sql",
    "tables/experiments.sql",
    "tables/erasure.sql",
    "functions/types.sql",
    "functions/changes.sql",
    "functions/counting.sql",
    "functions/filing.sql",
    "functions/access.sql",
    "functions/evidence.sql",
    "triggers.sql",
    "views.sql",
)


def upgrade() -> None:
    scripts = (f"baseline/{name}" for name in SCRIPTS)
    run_sql(op.get_bind(), *scripts, timezone=context.config.attributes["timezone"])


def downgrade() -> None:
    raise NotImplementedError("there is no way down: restore a backup")
