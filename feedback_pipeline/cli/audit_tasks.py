"""The audit in a labelling tool: `feedback audit-tasks`; mounted by `cli.groups`."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import orjson
import typer
from upath import UPath

from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole

console = PlainConsole()
AuditTool = Literal["label-studio", "argilla"]


def audit_tasks(
    tool: Annotated[AuditTool, typer.Option(help="Whose tasks to write.")] = "label-studio",
    criterion: Annotated[str, typer.Option(help="What is judged.")] = "satisfaction",
    count: Annotated[int, typer.Option(help="How many answers at most.", min=1)] = 200,
    take: Annotated[
        Path | None, typer.Option(help="Instead: the tool's JSON export, whose verdicts are filed as labels.")
    ] = None,
) -> None:
    """Write the audit's answers as tasks of Label Studio or Argilla, or take back what people said there.

    Tasks go to the home folder's exports, where an erasure finds them; they show request and answer only.
    """
    from feedback_pipeline.cli.judging import left_for, shown_texts
    from feedback_pipeline.judging import audit_tasks as forms
    from feedback_pipeline.judging.audit import AUDIT_VERDICTS
    from feedback_pipeline.judging.rubrics import read_rubric
    from feedback_pipeline.store import audits
    from feedback_pipeline.tables.parquet import replaced_file

    questions = {one.name: one.question for one in read_rubric().criteria}
    if criterion not in questions:
        raise typer.BadParameter(f"--criterion takes one of {', '.join(questions)}")
    assert tool in get_args(AuditTool)
    pipeline = open_pipeline()
    if take is not None:
        try:
            labels = list(forms.labels_of(orjson.loads(take.read_bytes())))
        except (OSError, ValueError) as error:
            console.print(f"{take}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(code=1) from None
        drawn = set(audits.read_items(pipeline.database)["interaction_id"])
        known = [one for one in labels if one.interaction_id in drawn]
        new = sum(
            audits.add_label(pipeline.database, one.interaction_id, criterion, one.auditor, one.verdict)
            for one in known
        )
        console.print(
            f"{new:,} labels filed, {len(known) - new:,} were known, {len(labels) - len(known):,} are about answers "
            "that were not drawn", highlight=False,
        )  # fmt: skip
        return
    waiting = left_for(pipeline, None, f"{tool}:", criterion)
    if waiting.is_empty():
        console.print("Nothing is left to judge. Answers are drawn when a week that ended is computed.")
        return
    shown = waiting.head(count)
    made = forms.tasks(shown_texts(pipeline, shown), tool)
    folder = pipeline.settings.home / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"audit-tasks-{tool}-{shown['week'][0]}.json"
    with replaced_file(UPath(file)) as out:
        out.write(orjson.dumps(made, option=orjson.OPT_INDENT_2))
    console.print(f"{len(made):,} tasks: {file}", markup=False, highlight=False, soft_wrap=True)
    if tool == "label-studio":
        console.print(forms.LABEL_CONFIG.replace("{question}", questions[criterion]), markup=False, highlight=False)
    else:
        console.print(f"a label question named {forms.CHOICE}: {', '.join(AUDIT_VERDICTS)}", highlight=False)


def mount(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("audit-tasks")(audit_tasks)
