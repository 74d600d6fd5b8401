"""Providers tell of their jobs."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_HERE = Path(__file__).parent


def _run(script: str) -> None:
    # the driver's own connection: SQLAlchemy would read the script's percent signs as parameters
    op.get_bind().connection.cursor().execute(script)


def upgrade() -> None:
    _run((_HERE / "0008_up.sql").read_text())


def downgrade() -> None:
    _run((_HERE / "0008_down.sql").read_text())
