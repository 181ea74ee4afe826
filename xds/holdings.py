"""What one client has, resource by resource: the state that a machine's subscriptions are in, as values."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from xds.resource import Resource
from xds.resource_types import ResourceType
from xds.snapshot import Snapshot
from xds.subscription import Subscription


class Standing(enum.Enum):
    """Where a resource stands with a client. The first that applies.

    REFUSED: the client refused what it should have.
    UNDER_WAY: it was sent, or its removal was, and the client has not answered yet.
    WAITING: it is to be sent, or to be removed, and waits for its turn.
    HELD: the client has what it should have.
    ABSENT: the client asked for it and was told, or finds by the silence, that there is none.
    """

    REFUSED = "refused"
    UNDER_WAY = "under way"
    WAITING = "waiting"
    HELD = "held"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Holding:
    """One resource. held: what the client has accepted. wanted: what the snapshot has for it."""

    type: ResourceType
    name: str
    standing: Standing
    held: Resource | None
    wanted: Resource | None


def holdings(subscription: Subscription, snapshot: Snapshot, *, known: bool) -> Iterator[Holding]:
    """What a client has of one type, sorted by name. `known`: whether there ever was a snapshot for it."""
    under_way = {name for sent in subscription.in_flight.values() for name in (*sent.sent, *sent.removed)}
    names = subscription.names | set(subscription.held) | under_way
    if subscription.wildcard:
        names |= set(snapshot.resources(subscription.type))
    for name in sorted(names):
        held, wanted = subscription.held.get(name), snapshot.get(subscription.type, name)
        if wanted is not None and wanted.version in subscription.refused.get(name, ()):
            standing = Standing.REFUSED
        elif name in under_way:
            standing = Standing.UNDER_WAY
        elif not known or not subscription.answered or subscription.differs(name, snapshot):
            standing = Standing.WAITING
        else:
            standing = Standing.HELD if held is not None else Standing.ABSENT
        yield Holding(subscription.type, name, standing, held, wanted)
