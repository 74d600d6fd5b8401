"""Votes with a known truth."""

from tests.support.planted_votes import make_facts, week

__all__ = ["make_facts", "week"]
