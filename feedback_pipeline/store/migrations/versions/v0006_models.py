"""Fine-tuning: the ledger in full, evaluations of candidates, which model answers and every change of it."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_HERE = Path(__file__).parent


def _run(script: str) -> None:
    # the driver's own connection: SQLAlchemy would read the script's percent signs as parameters
    op.get_bind().connection.cursor().execute(script)


def upgrade() -> None:
    _run((_HERE / "0006_up.sql").read_text())


def downgrade() -> None:
    _run((_HERE / "0006_down.sql").read_text())
