"""A figure of a simulation, beside what it should be: a line of the tables of `calibrate` and `experiments`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    measured: str
    wanted: str
    good: bool
