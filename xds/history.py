"""What happened on one stream, and when: the answers that its client gave, resource by resource."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from xds.ack_times import AckTimes
from xds.delivery import Acceptance, Refusal
from xds.holdings import Holding
from xds.resource_types import ResourceType

_REFUSALS_KEPT = 256  # for each stream; the oldest are forgotten first


@dataclass(frozen=True, slots=True)
class RefusedResource:
    """at: aware, in UTC. reason: the client's words."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """A resource on a stream, with its history: when the client accepted what it holds (None if it brought that along
    from an earlier stream), and its last refusal, while what it refused is what it should have."""

    holding: Holding
    accepted_at: datetime | None
    refused: RefusedResource | None


class History:
    """Of one stream."""

    def __init__(self) -> None:
        self._accepted: dict[ResourceType, AckTimes] = {}
        self._refused: dict[tuple[ResourceType, str], RefusedResource] = {}

    def note(self, answer: Acceptance | Refusal, at: datetime) -> None:
        """An answer of the client."""
        match answer:
            case Acceptance():
                if answer.names:
                    self._accepted.setdefault(answer.type, AckTimes()).note(answer.names, at)
            case Refusal():
                for name in answer.nacked.resources:
                    self._refused.pop((answer.type, name), None)
                    self._refused[answer.type, name] = RefusedResource(at, answer.nacked.reason)
                while len(self._refused) > _REFUSALS_KEPT:
                    del self._refused[next(iter(self._refused))]

    def records(self, holdings: Iterator[Holding]) -> Iterator[Record]:
        """The holdings with their history."""
        times = {type: accepted.times() for type, accepted in self._accepted.items()}
        for holding in holdings:
            accepted = times.get(holding.type, {}).get(holding.name) if holding.held is not None else None
            yield Record(holding, accepted, self._refused.get((holding.type, holding.name)))
