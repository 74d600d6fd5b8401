"""`feedback`: the command line. Each command opens what it needs and calls the library or starts runs."""

import os
import sys

import typer
from rich.markup import escape

from feedback_pipeline.cli.groups import Grouped
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.environment import unknown_variables
from feedback_pipeline.loading import return_memory
from feedback_pipeline.settings import SettingsError, known_variables

app = typer.Typer(
    name="feedback",
    help="The feedback loop for applications built on language models: from votes to a better model.",
    no_args_is_help=True,
    cls=Grouped,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)
errors = PlainConsole(stderr=True)


@app.callback()
def feedback() -> None:
    """The commands are in `groups.GROUPS`, each in a module of this package."""


def main() -> None:
    """The entry point: errors that say what to do are shown as one line, others with their traceback."""
    return_memory()
    os.umask(0o077)  # what the home folder holds is its owner's alone
    if "doctor" not in sys.argv[1:2]:  # which shows them among its findings
        for name, nearest in unknown_variables(os.environ, known_variables()):
            hint = f"; did you mean {nearest}?" if nearest else ""
            errors.print(f"feedback: {name} is set and means nothing{hint}", style="yellow", highlight=False)
    try:
        app()
    except Exception as error:
        if (said := _in_a_line(error)) is None:
            raise
        errors.print(f"feedback: {escape(said)}", style="red", highlight=False)
        sys.exit(2)


def _in_a_line(error: Exception) -> str | None:
    """What an error says to whoever typed the command; None where it is no error of theirs."""
    # imported when something went wrong: who asks for help need not wait for drivers of databases
    import adbc_driver_manager.dbapi as adbc
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    from feedback_pipeline.extras import advice
    from feedback_pipeline.ingest.documents import SourcesError
    from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
    from feedback_pipeline.llm.prices import UnknownPriceError
    from feedback_pipeline.privacy.pseudonyms import InvalidKeyError, MissingKeyError, WrongKeyError
    from feedback_pipeline.store.database import DatabaseError
    from feedback_pipeline.store.embedded import EmbeddedPostgresError
    from feedback_pipeline.training.live_days import UnredactedError
    from feedback_pipeline.tuning.approvals import ApprovalsTamperedError
    from feedback_pipeline.tuning.registry import PromotionRefusedError
    from feedback_pipeline.tuning.signing import ApprovalKeyError

    own = (
        SettingsError, DatabaseError, EmbeddedPostgresError, SourcesError, MissingKeyError, InvalidKeyError,
        WrongKeyError, EndpointRefusedError, UnknownPriceError, ApprovalKeyError, ApprovalsTamperedError,
        PromotionRefusedError, UnredactedError, OSError,
    )  # fmt: skip
    if isinstance(error, own):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return advice(error.name)
    if isinstance(error, adbc.Error | psycopg.Error | SQLAlchemyError):
        # only the first line: what follows quotes the row
        first, _, _ = str(error).strip().partition("\n")
        return f"the database refused: {first}"
    return None


if __name__ == "__main__":
    main()
