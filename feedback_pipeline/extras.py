"""Parts of the project that need packages of their own, and the command that installs them."""

import importlib.util

MODULES = {
    "s3fs": "s3",
    "gcsfs": "gcs",
    "presidio_analyzer": "names",
    "spacy": "names",
    "posthog": "posthog",
    "gepa": "prompts",
    "dagster_k8s": "k8s",
    "dagster_ray": "ray",
    "dagster_celery": "celery",
}
"""The extra that brings a module."""


def install_command(extra: str) -> str:
    return f"pip install 'feedback-pipeline[{extra}]' (in a checkout: uv sync --extra {extra})"


def advice(module: str | None) -> str | None:
    """What to do about a module that could not be imported; None where no extra brings it."""
    extra = MODULES.get((module or "").partition(".")[0])
    return extra and f"this needs the extra {extra}: {install_command(extra)}"


def missing(extra: str) -> bool:
    """Whether a module of an extra is not installed."""
    return any(importlib.util.find_spec(module) is None for module, brings in MODULES.items() if brings == extra)
