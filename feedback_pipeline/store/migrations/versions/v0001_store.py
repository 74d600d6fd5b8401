"""The store's first shape."""

from pathlib import Path

from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_HERE = Path(__file__).parent


def _run(script: str) -> None:
    # the driver's own connection: SQLAlchemy would read the script's percent signs as parameters
    op.get_bind().connection.cursor().execute(script)


def upgrade() -> None:
    _run((_HERE / "0001_up.sql").read_text().replace(":zone", context.config.attributes["timezone"]))


def downgrade() -> None:
    _run((_HERE / "0001_down.sql").read_text())
