"""The connected clients: who they are, what they were sent and what they made of it; and the events of their lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from xds.delivery import Acceptance, Refusal, TypeStatus


@dataclass(frozen=True, slots=True, eq=False)
class Client:
    """One stream of one node, equal to itself alone. `variant` is "sotw" or "delta"; `connected_since` is aware, in
    UTC."""

    node_id: str
    group: str
    variant: str
    user_agent: str
    peer: str
    connected_since: datetime


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


class Fleet:
    """The streams of one server. Listeners are called at once, from the stream's task, and must not block."""

    def __init__(self) -> None:
        self._streams: dict[Client, Callable[[], ClientStatus]] = {}
        self._listeners: list[Callable[[FleetEvent], None]] = []

    def listen(self, listener: Callable[[FleetEvent], None]) -> None:
        """Calls `listener` with each event from now on."""
        self._listeners.append(listener)

    def status(self) -> tuple[ClientStatus, ...]:
        """All connected clients, sorted by node id."""
        return tuple(status() for client, status in sorted(self._streams.items(), key=lambda item: item[0].node_id))

    def __len__(self) -> int:
        return len(self._streams)

    @contextmanager
    def joined(self, client: Client, status: Callable[[], ClientStatus]) -> Iterator[None]:
        """The client is connected while the context lasts."""
        self._streams[client] = status
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
