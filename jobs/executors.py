"""How the steps of a run are run (`FEEDBACK_EXECUTOR`): here, in processes of their own, or on a cluster.

The same code everywhere: a step finds what it needs in the store and in the folder of tables, and leaves nothing in
memory or on a local disk for the next. What a cluster needs to know beyond that (image, namespace, broker) is its own
configuration, in the run launcher's block of dagster.yaml or in the environment.
"""

from collections.abc import Mapping

import dagster as dg

from feedback_pipeline.extras import advice
from feedback_pipeline.settings import Executor, Settings, SettingsError

PASSED_ON = (
    "FEEDBACK_",
    "DAGSTER_HOME",
    "DAGSTER_POSTGRES_URL",
    "AWS_",
    "GOOGLE_",
    "OPENAI_",
    "POSTHOG_",
    "PYTHONPATH",
)
"""Beginnings of the variables that a worker on another machine is given."""
WITH_THE_RUN = dg.in_process_executor
"""For jobs that read or sweep the home folder, which a worker elsewhere has not, and for those over in a moment."""
ON_A_CLUSTER: tuple[Executor, ...] = ("k8s", "ray", "celery")


def executor_of(settings: Settings, environment: Mapping[str, str]) -> dg.ExecutorDefinition:
    """The executor of every job of the location; nothing of a cluster is imported where none is used.

    Raises:
        SettingsError: the extra is not installed, or the store is one that other machines cannot reach.
    """
    name = settings.executor
    if name == "in_process":
        return dg.in_process_executor
    if name == "multiprocess":
        return dg.multiprocess_executor
    if settings.database_url is None:
        raise SettingsError(
            f"FEEDBACK_EXECUTOR is {name}, but the embedded PostgreSQL can be reached from this machine alone: "
            "set FEEDBACK_DATABASE_URL to a server, and FEEDBACK_DATA_URL to a bucket or a folder that all share"
        )
    try:
        return _on_a_cluster(name, environment)
    except ImportError as error:
        raise SettingsError(f"FEEDBACK_EXECUTOR is {name}: {advice(error.name) or error}") from error


def _on_a_cluster(name: Executor, environment: Mapping[str, str]) -> dg.ExecutorDefinition:
    if name == "k8s":
        from dagster_k8s import k8s_job_executor

        # image, namespace, secrets and volumes are those of the run's own pod
        kubernetes: dg.ExecutorDefinition = k8s_job_executor
        return kubernetes
    if name == "celery":
        from dagster_celery import celery_executor

        broker = {key: environment[variable] for key, variable in _CELERY.items() if environment.get(variable)}
        celery: dg.ExecutorDefinition = celery_executor.configured(broker, name="celery")
        return celery
    from dagster_ray import ray_executor

    # cores and memory are the steps' own (assets/step_sizes.py): what is given here would go before them
    given = {"env_vars": sorted(one for one in environment if one.startswith(PASSED_ON))}
    address = {"address": environment["RAY_ADDRESS"]} if environment.get("RAY_ADDRESS") else {}
    ray: dg.ExecutorDefinition = ray_executor.configured({"ray": {**given, **address}}, name="ray")
    return ray


_CELERY = {"broker": "DAGSTER_CELERY_BROKER_URL", "backend": "DAGSTER_CELERY_BACKEND_URL"}
