"""What became of what was sent: the facts that a protocol machine reports about its client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from xds.resource_types import ResourceType


@dataclass(frozen=True, slots=True)
class Pending:
    """Sent, and neither accepted nor refused yet."""

    version: str


@dataclass(frozen=True, slots=True)
class Acked:
    """Accepted by the client."""

    version: str


@dataclass(frozen=True, slots=True)
class Nacked:
    """Refused by the client, in its own words. `resources` are those it blames. If it names none of several, each is
    sent alone, and there are none here yet: a refusal that names one follows. `origins` are what these were made from,
    in the words of whoever made the snapshot."""

    version: str
    reason: str
    resources: tuple[str, ...]
    origins: tuple[str, ...]


Delivery: TypeAlias = Pending | Acked | Nacked


@dataclass(frozen=True, slots=True)
class Refusal:
    """A NACK as it happens. `since`: when the response was made, in seconds of the clock that the machine is given."""

    type: ResourceType
    nacked: Nacked
    since: float


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An ACK as it happens. `names` are the resources that were new to the client; `since` as for a refusal."""

    type: ResourceType
    version: str
    names: tuple[str, ...]
    since: float


@dataclass(frozen=True, slots=True)
class TypeStatus:
    """One type on one stream.

    subscribed: how many resources or names the client asked for. names: those that it asked for by name.
    sent, accepted: the newest versions that it was sent and that it took ("" before the first).
    in_flight_since: when the oldest response without an answer was made. waiting_since: since when an update has been
    held back. In seconds of the clock that the machine is given (`time.monotonic`, in a server); None if there is none.
    in_sync: nothing is waiting, in flight or held back, and nothing is refused.
    """

    type: ResourceType
    wildcard: bool
    subscribed: int
    names: frozenset[str]
    sent: str
    accepted: str
    nacked: Nacked | None
    in_flight_since: float | None
    waiting_since: float | None
    in_sync: bool
