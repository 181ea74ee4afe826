"""What a server counts of its own work, for whoever watches it. Numbers only; `controlplane/metrics.py` shows them.

Labels are bounded: two variants, and the types of `xds.resource_types`; all that is served as mere bytes is "other".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from xds.resource_types import ResourceType

_ANSWER_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds


class Labels(NamedTuple):
    """variant: "sotw" or "delta". type: a short name ("CDS"), or "other"."""

    variant: str
    type: str


def labels(variant: str, type: ResourceType) -> Labels:
    return Labels(variant, "other" if type.is_opaque else type.short)


class Distribution:
    """How often values were at most so large. `counts` has one more than `bounds`, for all that is larger; disjoint."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(slots=True)
class Meters:
    """Since the server's books were opened. One owner, one thread.

    opened: streams, by variant. pushes, resources, removals, octets: what was sent. accepted, refused: ACKs and NACKs.
    answers: from making a response to its answer, in seconds. deciding: what the machines took to read requests and
    snapshots and to make responses, in seconds, by variant.
    """

    opened: Counter[str] = field(default_factory=Counter)
    pushes: Counter[Labels] = field(default_factory=Counter)
    resources: Counter[Labels] = field(default_factory=Counter)
    removals: Counter[Labels] = field(default_factory=Counter)
    octets: Counter[Labels] = field(default_factory=Counter)
    accepted: Counter[Labels] = field(default_factory=Counter)
    refused: Counter[Labels] = field(default_factory=Counter)
    answers: dict[str, Distribution] = field(default_factory=dict)
    deciding: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def answered(self, type: str, seconds: float) -> None:
        distribution = self.answers.get(type)
        if distribution is None:
            distribution = self.answers[type] = Distribution(_ANSWER_BOUNDS)
        distribution.add(seconds)


@dataclass(slots=True)
class Encoding:
    """Of this process: resources that were made from messages, their octets, and the seconds that took."""

    resources: int = 0
    octets: int = 0
    seconds: float = 0.0

    def add(self, octets: int, seconds: float) -> None:
        self.resources += 1
        self.octets += octets
        self.seconds += seconds


ENCODING = Encoding()
"""Resources are made where no server is near, so this one meter is the process's."""
