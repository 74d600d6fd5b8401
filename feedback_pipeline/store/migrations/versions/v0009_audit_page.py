"""The API may show a tenant's audit and take what people say."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_HERE = Path(__file__).parent


def _run(script: str) -> None:
    # the driver's own connection: SQLAlchemy would read the script's percent signs as parameters
    op.get_bind().connection.cursor().execute(script)


def upgrade() -> None:
    _run((_HERE / "0009_up.sql").read_text())


def downgrade() -> None:
    _run((_HERE / "0009_down.sql").read_text())
