"""How a process that computes is loaded: its allocator is told before Polars asks, and what is set stays."""

import os
import subprocess
import sys

import pytest

from feedback_pipeline.loading import ALLOCATOR, RETURNED

FIRST = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "polars":
            print(os.environ.get("_RJEM_MALLOC_CONF"))
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Watch())
"""
LOADS = {
    "definitions": "import feedback_pipeline.definitions",
    "component": "import feedback_pipeline.component",
    "command": "from feedback_pipeline.cli.main import main; sys.argv[1:] = ['source', 'guess', 'no-such.csv']; main()",
}


@pytest.mark.parametrize("given", [None, "dirty_decay_ms:7"])
@pytest.mark.parametrize("way", LOADS)
def test_the_allocator_is_told_before_polars_is_loaded(way: str, given: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != ALLOCATOR}
    if given is not None:
        environment[ALLOCATOR] = given
    command = [sys.executable, "-c", FIRST + LOADS[way]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0] == (given or RETURNED)
