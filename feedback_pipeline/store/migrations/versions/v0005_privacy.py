"""Days that expired, and indexes for finding what belongs to one person."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_HERE = Path(__file__).parent


def _run(script: str) -> None:
    # the driver's own connection: SQLAlchemy would read the script's percent signs as parameters
    op.get_bind().connection.cursor().execute(script)


def upgrade() -> None:
    _run((_HERE / "0005_up.sql").read_text())


def downgrade() -> None:
    _run((_HERE / "0005_down.sql").read_text())
