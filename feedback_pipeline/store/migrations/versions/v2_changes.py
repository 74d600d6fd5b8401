"""What changed since the baseline, one script for each part of the project."""

from alembic import context, op

from feedback_pipeline.store.migrations import run_sql

revision = "v2_changes"
down_revision = "v1_baseline"

SCRIPTS = (
    "capture.sql",
    "writes.sql",
    "privacy.sql",
    "operations.sql",
    "dagster.sql",
    "experiments.sql",
    "numbers.sql",
    "intake.sql",
    "tuning.sql",
    "training.sql",
    "console.sql",
)


def upgrade() -> None:
    scripts = (f"changes/{name}" for name in SCRIPTS)
    run_sql(op.get_bind(), *scripts, timezone=context.config.attributes["timezone"])


def downgrade() -> None:
    raise NotImplementedError("there is no way down: restore a backup")
