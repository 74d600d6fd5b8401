"""What is handed to others to run: read as its tool reads it, and naming only what there is."""

import json
import re
from pathlib import Path

import pytest
import yaml

from feedback_pipeline.capture.metrics import Metrics
from feedback_pipeline.settings import known_variables

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_of_ours_means_something(path: Path) -> None:
    named = set(re.findall(r"\bFEEDBACK_[A-Z_]+\b", path.read_text())) - {"FEEDBACK_IMAGE"}
    assert named <= set(known_variables())


def test_compose_is_whole() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            assert needed in services, f"{name} waits for {needed}"
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], volume
        if name != "proxy":
            assert "ports" not in service, f"{name} is reached through the proxy alone"
        if name not in {"postgres", "proxy"}:
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
    assert (DEPLOY / "Caddyfile").exists()
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?", (DEPLOY / "compose.yaml").read_text()))
    assert wanted <= set(re.findall(r"^([A-Z_]+)=", (DEPLOY / ".env.example").read_text(), flags=re.MULTILINE))


def metric_names(text: str) -> set[str]:
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bfeedback_[a-z_]+\b", text)}


def test_rules_and_dashboard_ask_for_metrics_that_the_api_has() -> None:
    metrics = Metrics()
    metrics.request("/v1/feedback", "POST", 201, 0.01)
    metrics.vote("new")
    known = metric_names(metrics.text())
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    panels = json.loads((DEPLOY / "grafana" / "feedback.json").read_text())["panels"]
    asked = [rule["expr"] for rule in rules] + [one["expr"] for panel in panels for one in panel["targets"]]
    assert metric_names(" ".join(asked)) <= known
    runbook = (DEPLOY.parent / "docs" / "runbook.md").read_text()
    headings = {re.sub(r"[^a-z0-9 -]", "", line[3:].lower()).replace(" ", "-")
                for line in runbook.splitlines() if line.startswith("## ")}  # fmt: skip
    for rule in rules:
        assert rule["annotations"]["runbook"].partition("#")[2] in headings


def test_the_chart_uses_every_value_it_offers() -> None:
    chart = DEPLOY / "charts" / "feedback-api"
    values = yaml.safe_load((chart / "values.yaml").read_text())
    templates = "".join(path.read_text() for path in (chart / "templates").iterdir())
    assert set(re.findall(r"\.Values\.([a-zA-Z]+)", templates)) == set(values)
    assert yaml.safe_load((DEPLOY / "dagster-values.yaml").read_text())["runLauncher"]["type"] == "K8sRunLauncher"


def test_the_image_copies_what_is_there() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (DEPLOY.parent / source).exists(), source
    assert re.search(r"^USER \d+$", dockerfile, flags=re.MULTILINE)
    assert "HEALTHCHECK" in dockerfile
