"""The people of a sample: who asks, who votes, and the cohorts that behave differently."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from feedback_pipeline.sample.planted import LANGUAGES, TENANTS, VARIANTS
from feedback_pipeline.sample.timeline import Timeline

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SPAM_PER_MILLION = 12_000
SPAM_RUN = 20
"""Votes a spam rater casts in one go."""

_SCATTER = 2_654_435_761
_TENANT_WITH_INCIDENTS = 0


@dataclass(frozen=True)
class People:
    """Everybody of a sample; a person is an index, in cohorts one after the other.

    Attributes:
        tenant, language, variant: codes of each person.
        weight: how often the person asks; 0 for spam raters and the brigade, who only vote.
        leniency: standard normal; lenient people vote up more readily.
        ids: the raw user ids, which say nothing about the cohort.
    """

    tenant: Ints
    language: Ints
    variant: Ints
    weight: Floats
    leniency: Floats
    ids: list[str]
    ordinary: range
    heavy: range
    one_way: range
    spam: range
    brigade: range
    opted_out: Ints

    @cached_property
    def asking(self) -> Floats:
        """Cumulative probability of asking."""
        return np.asarray(np.cumsum(self.weight) / self.weight.sum())

    @cached_property
    def colleagues(self) -> list[Ints]:
        """The ordinary people of each tenant."""
        codes = self.tenant[self.ordinary.start : self.ordinary.stop]
        return [np.flatnonzero(codes == tenant) for tenant in range(len(TENANTS))]

    def opted_out_flags(self) -> npt.NDArray[np.bool_]:
        flags = np.zeros(len(self.ids), dtype=np.bool_)
        flags[self.opted_out] = True
        return flags


def _bounded(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)


def gather_people(timeline: Timeline) -> People:
    """The people of a sample, their number growing with its votes."""
    votes, random = timeline.votes, timeline.random("people")
    sizes = [
        _bounded(votes // 15, 40, 50_000),
        _bounded(votes // 4_000, 1, 8),
        _bounded(votes // 4_000, 2, 12),
        _bounded(votes * SPAM_PER_MILLION // (1_000_000 * SPAM_RUN * 3), 1, 24),
        _bounded(votes // 400, 4, 300),
    ]
    edges = np.concatenate([[0], np.cumsum(sizes)])
    ordinary, heavy, one_way, spam, brigade = (range(int(a), int(b)) for a, b in pairwise(edges))
    count = int(edges[-1])
    tenant = random.choice(len(TENANTS), size=count, p=[entry.share for entry in TENANTS])
    # The first few are spread by hand, so that even forty people give every tenant colleagues who can disagree.
    tenant[:24] = np.repeat(np.arange(len(TENANTS)), [12, 7, 5])
    tenant[spam.start :] = _TENANT_WITH_INCIDENTS
    weight = random.lognormal(0.0, 0.9, count)
    weight *= 1.0 / weight[: ordinary.stop].sum()
    weight[heavy.start : heavy.stop] = 0.005
    weight[one_way.start : one_way.stop] = 0.004
    weight[spam.start :] = 0.0
    offset = int(random.integers(2**32))
    return People(
        tenant=tenant.astype(np.int64),
        language=random.choice(len(LANGUAGES), size=count, p=[entry.share for entry in LANGUAGES]),
        variant=random.choice(len(VARIANTS), size=count, p=[entry.share for entry in VARIANTS]),
        weight=weight,
        leniency=random.standard_normal(count),
        ids=[f"u{(index * _SCATTER + offset) % 2**32:08x}" for index in range(count)],
        ordinary=ordinary,
        heavy=heavy,
        one_way=one_way,
        spam=spam,
        brigade=brigade,
        opted_out=np.arange(7, ordinary.stop, 200),
    )
