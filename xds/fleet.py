"""The connected clients: who they are, what they were sent and what they made of it; and the events of their lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from xds.bell import Bell
from xds.delivery import Acceptance, Refusal, TypeStatus
from xds.history import Record
from xds.machine import Response
from xds.meters import Meters, labels


@dataclass(frozen=True, slots=True, eq=False)
class Client:
    """One stream of one node, and equal to no other: one node may have several. `variant` is "sotw" or "delta";
    `connected_since` is aware, in UTC; `node` is what the client says of itself, an `apg.xds.v3.Node` as bytes."""

    node_id: str
    group: str
    variant: str
    user_agent: str
    peer: str
    connected_since: datetime
    node: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """A client as it stands. `known_group`: something was ever published for its group."""

    client: Client
    known_group: bool
    types: tuple[TypeStatus, ...]

    @property
    def in_sync(self) -> bool:
        return self.known_group and all(status.in_sync for status in self.types)


@dataclass(frozen=True, slots=True)
class Connected:
    client: Client


@dataclass(frozen=True, slots=True)
class Disconnected:
    client: Client


@dataclass(frozen=True, slots=True)
class Accepted:
    """An ACK, with the client that sent it."""

    client: Client
    acceptance: Acceptance


@dataclass(frozen=True, slots=True)
class Refused:
    """A NACK, with the client that sent it."""

    client: Client
    refusal: Refusal


FleetEvent: TypeAlias = Connected | Disconnected | Accepted | Refused


@dataclass(frozen=True, slots=True)
class FleetState:
    """All connected clients as they stand, sorted by node id. `number` grows with every change."""

    number: int
    clients: tuple[ClientStatus, ...]


class Connection(Protocol):
    """A client's stream, to be asked about it."""

    def status(self) -> ClientStatus: ...

    def records(self) -> Iterator[Record]: ...


class Fleet:
    """The streams of one server. Listeners are called at once, from the stream's task, and must not block."""

    def __init__(self) -> None:
        self.meters = Meters()
        self._changes = 0
        self._bell = Bell()
        self._streams: dict[Client, Connection] = {}
        self._listeners: list[Callable[[FleetEvent], None]] = []

    def listen(self, listener: Callable[[FleetEvent], None]) -> None:
        """Calls `listener` with each event from now on."""
        self._listeners.append(listener)

    def status(self) -> tuple[ClientStatus, ...]:
        """All connected clients, sorted by node id."""
        return tuple(self.each())

    def each(self) -> Iterator[ClientStatus]:
        """The same one by one, each as it stands when it is asked for; those that have gone meanwhile are left out."""
        for client in self.clients():
            connection = self._streams.get(client)
            if connection is not None:
                yield connection.status()

    def clients(self) -> tuple[Client, ...]:
        """All connected clients, sorted by node id."""
        return tuple(sorted(self._streams, key=lambda client: client.node_id))

    def records(self, client: Client) -> Iterator[Record]:
        """Each resource that a client has or is to have; nothing once it is gone."""
        connection = self._streams.get(client)
        return iter(()) if connection is None else connection.records()

    async def watch(self, *, pause: timedelta = timedelta(seconds=0.1)) -> AsyncIterator[FleetState]:
        """The state as it is, and again whenever it has changed, the newest only: changes within `pause` come together.
        Ends never."""
        while True:
            state = self.state()
            yield state
            await asyncio.sleep(pause.total_seconds())
            while self._changes == state.number:
                await self._bell.rung()

    def state(self) -> FleetState:
        """All clients as they stand."""
        return FleetState(self._changes, self.status())

    def __len__(self) -> int:
        return len(self._streams)

    @contextmanager
    def joined(self, client: Client, connection: Connection) -> Iterator[None]:
        """The client is connected while the context lasts."""
        self._streams[client] = connection
        self.meters.opened[client.variant] += 1
        self._tell(Connected(client))
        try:
            yield
        finally:
            del self._streams[client]
            self._tell(Disconnected(client))

    def sent(self, client: Client, response: Response, octets: int) -> None:
        """The client was sent a response of so many bytes."""
        key = labels(client.variant, response.type)
        self.meters.pushes[key] += 1
        self.meters.resources[key] += len(response.names)
        self.meters.removals[key] += len(response.removed)
        self.meters.octets[key] += octets
        self._changed()

    def answered(self, client: Client, answer: Acceptance | Refusal, *, now: float) -> None:
        """The client ACKed or NACKed a response. `now` is in seconds, of the clock that its machine is given."""
        key = labels(client.variant, answer.type)
        (self.meters.refused if isinstance(answer, Refusal) else self.meters.accepted)[key] += 1
        self.meters.answered(key.type, now - answer.since)
        self._tell(Refused(client, answer) if isinstance(answer, Refusal) else Accepted(client, answer))

    def _changed(self) -> None:
        self._changes += 1
        self._bell.ring()

    def _tell(self, event: FleetEvent) -> None:
        self._changed()
        for listener in self._listeners:
            listener(event)
