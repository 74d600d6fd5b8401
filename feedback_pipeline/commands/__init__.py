"""Commands about findings: `feedback analyze`, `report`, `suggest`, `alerts …`, `actions …`; mounted by `cli.py`."""

import typer


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    from feedback_pipeline.commands import actions, alerts, findings

    app.command()(findings.analyze)
    app.command()(findings.report)
    app.command()(findings.suggest)
    app.add_typer(alerts.alerts, name="alerts")
    app.add_typer(actions.actions, name="actions")
