"""The connected clients: who they are, what they were sent and what they made of it; and the events of their lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from xds.delivery import Acceptance, Refusal, TypeStatus
from xds.history import Record


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


class Connection(Protocol):
    """A client's stream, to be asked about it."""

    def status(self) -> ClientStatus: ...

    def records(self) -> Iterator[Record]: ...


class Fleet:
    """The streams of one server. Listeners are called at once, from the stream's task, and must not block."""

    def __init__(self) -> None:
        self._streams: dict[Client, Connection] = {}
        self._listeners: list[Callable[[FleetEvent], None]] = []

    def listen(self, listener: Callable[[FleetEvent], None]) -> None:
        """Calls `listener` with each event from now on."""
        self._listeners.append(listener)

    def status(self) -> tuple[ClientStatus, ...]:
        """All connected clients, sorted by node id."""
        return tuple(self._streams[client].status() for client in self.clients())

    def clients(self) -> tuple[Client, ...]:
        """All connected clients, sorted by node id."""
        return tuple(sorted(self._streams, key=lambda client: client.node_id))

    def records(self, client: Client) -> Iterator[Record]:
        """Each resource that a client has or is to have; nothing once it is gone."""
        connection = self._streams.get(client)
        return iter(()) if connection is None else connection.records()

    def __len__(self) -> int:
        return len(self._streams)

    @contextmanager
    def joined(self, client: Client, connection: Connection) -> Iterator[None]:
        """The client is connected while the context lasts."""
        self._streams[client] = connection
        self._tell(Connected(client))
        try:
            yield
        finally:
            del self._streams[client]
            self._tell(Disconnected(client))

    def answered(self, client: Client, answer: Acceptance | Refusal) -> None:
        """The client ACKed or NACKed a response."""
        self._tell(Refused(client, answer) if isinstance(answer, Refusal) else Accepted(client, answer))

    def _tell(self, event: FleetEvent) -> None:
        for listener in self._listeners:
            listener(event)
