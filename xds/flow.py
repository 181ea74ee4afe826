"""Bounds of one server: how many streams, how long they last, how many are served their first configuration at once.

Why streams end at all, and how: `docs/decisions/0020-streams-end-of-age.md`.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from xds.errors import LimitError

# gRPC ends connections at 0.9 to 1.1 times the age that it is told. A stream ends later than that, so that its client
# opens the next one on a new connection, which may lead to another replica.
_STREAM_AGE = (1.15, 1.35)
_SETTLED = 0.01  # seconds without a further request; what follows from an answer is asked for at once
_CONNECTION_GRACE = 2  # times the age: longer than the oldest stream of a connection can last


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The bounds.

    max_age: after about so long a client is sent elsewhere, so that replicas even out; None for never.
    drain: how long a stream that is to end may take to finish the update that it is in the middle of.
    max_streams, max_streams_per_node, max_streams_per_connection: of this server. A stream beyond is refused with
    RESOURCE_EXHAUSTED; beyond the last one a client waits, or opens another connection.
    max_connections: of this server; one beyond is closed at once.
    idle: how long a connection may be without a stream.
    handshake: how long a client may take to begin TLS.
    turns: how many clients are served their first configuration at once; the others wait, in order of arrival.
    turn: how long one of them may take before the next one's turn comes all the same.
    keepalive, keepalive_timeout: how often a silent client is pinged, and how long its answer may take.
    """

    max_age: timedelta | None = timedelta(minutes=30)
    drain: timedelta = timedelta(seconds=10)
    max_streams: int = 10_000
    max_streams_per_node: int = 256
    max_streams_per_connection: int = 100
    max_connections: int = 10_000
    idle: timedelta = timedelta(minutes=5)
    handshake: timedelta = timedelta(seconds=10)
    turns: int = 32
    turn: timedelta = timedelta(seconds=0.25)
    keepalive: timedelta = timedelta(seconds=30)
    keepalive_timeout: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        for name in ("max_streams", "max_streams_per_node", "max_streams_per_connection", "max_connections", "turns"):
            if (count := getattr(self, name)) < 1:
                raise ValueError(f"{name}: got {count}, want 1 or more")
        for name in ("idle", "handshake", "drain", "turn", "keepalive", "keepalive_timeout"):
            if (time := getattr(self, name)) <= timedelta(0):
                raise ValueError(f"{name}: got {time.total_seconds():g} s, want more than 0")
        if self.max_age is not None and self.max_age <= timedelta(0):
            raise ValueError(f"max_age: got {self.max_age.total_seconds():g} s, want more than 0, or None")

    def options(self) -> Sequence[tuple[str, int]]:
        """As gRPC's server options."""
        options = [
            ("grpc.max_concurrent_streams", self.max_streams_per_connection),
            ("grpc.max_allowed_incoming_connections", self.max_connections),
            ("grpc.max_connection_idle_ms", _milliseconds(self.idle)),
            ("grpc.server_handshake_timeout_ms", _milliseconds(self.handshake)),
            ("grpc.keepalive_time_ms", _milliseconds(self.keepalive)),
            ("grpc.keepalive_timeout_ms", _milliseconds(self.keepalive_timeout)),
            ("grpc.keepalive_permit_without_calls", 1),
            # What clients may do: Envoy's bootstrap pings every 15 s.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ]
        if self.max_age is not None:
            options += [
                ("grpc.max_connection_age_ms", _milliseconds(self.max_age)),
                ("grpc.max_connection_age_grace_ms", _milliseconds(self.max_age * _CONNECTION_GRACE)),
            ]
        return options


class Gate:
    """The streams of one server, counted and timed. One owner, one thread."""

    def __init__(self, flow: Flow, *, chance: Callable[[], float] = random.random) -> None:
        """`chance`: a number from 0 to 1, different for each stream, so that those that came together do not go
        together."""
        self.flow = flow
        self.refused = 0
        self._chance = chance
        self._streams = 0
        self._of_node: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(flow.turns)
        self._waiting = 0
        self._retire: set[Callable[[], None]] = set()
        self._closing = False

    @property
    def streams(self) -> int:
        return self._streams

    @property
    def waiting(self) -> int:
        """How many clients wait for their turn to be sent their first configuration."""
        return self._waiting

    @contextmanager
    def stream(self) -> Iterator[None]:
        """A stream is open while the context lasts.

        Raises:
            LimitError: there are as many as there may be.
        """
        if self._streams >= self.flow.max_streams:
            self.refused += 1
            raise LimitError(
                f"this server has {self._streams} streams, of {self.flow.max_streams} at most (max_streams): "
                "try another replica, or later"
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    @contextmanager
    def node(self, node_id: str) -> Iterator[None]:
        """A stream belongs to a node while the context lasts.

        Raises:
            LimitError: the node has as many as it may have.
        """
        if self._of_node[node_id] >= self.flow.max_streams_per_node:
            self.refused += 1
            raise LimitError(
                f"node {node_id} has {self._of_node[node_id]} streams, of {self.flow.max_streams_per_node} at most "
                "(max_streams_per_node): want fewer, or another node.id for each client"
            )
        self._of_node[node_id] += 1
        try:
            yield
        finally:
            self._of_node[node_id] -= 1
            if not self._of_node[node_id]:
                del self._of_node[node_id]

    async def turn(self) -> Turn:
        """A client's turn to be sent its first configuration, in order of arrival. To be ended."""
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        return Turn(self._turns.release, self.flow.turn)

    @contextmanager
    def lifetime(self, retire: Callable[[], None]) -> Iterator[None]:
        """Calls `retire` once, when a stream that began with this context is to end: of age, or because the server
        stops."""
        self._retire.add(retire)
        timer = None
        if self.flow.max_age is not None:
            age = stream_age(self.flow.max_age, self._chance())
            timer = asyncio.get_running_loop().call_later(age, self._retired, retire)
        if self._closing:
            self._retired(retire)
        try:
            yield
        finally:
            self._retire.discard(retire)
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Has all streams end, those to come as well."""
        self._closing = True
        for retire in list(self._retire):
            self._retired(retire)

    def _retired(self, retire: Callable[[], None]) -> None:
        if retire in self._retire:
            self._retire.discard(retire)
            retire()


class Turn:
    """One client's. It ends when the client has had all that it asked for and asks for nothing more, when it was long
    enough, or when its holder ends it; then the next client's begins."""

    def __init__(self, release: Callable[[], None], longest: timedelta) -> None:
        """Use `Gate.turn`."""
        self._release: Callable[[], None] | None = release
        self._loop = asyncio.get_running_loop()
        self._longest = self._loop.call_later(longest.total_seconds(), self.end)
        self._settled: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        return self._release is None

    def moved(self, *, settled: bool) -> None:
        """The client said something; `settled`: it has all that it asked for, so far."""
        if self._settled is not None:
            self._settled.cancel()
            self._settled = None
        if settled and not self.is_over:
            self._settled = self._loop.call_later(_SETTLED, self.end)

    def end(self) -> None:
        """Harmless when it is over."""
        for timer in (self._longest, self._settled):
            if timer is not None:
                timer.cancel()
        release, self._release = self._release, None
        if release is not None:
            release()


def stream_age(max_age: timedelta, chance: float) -> float:
    """How old a stream gets on connections of `max_age`, in seconds. chance: 0 to 1, its own."""
    low, high = _STREAM_AGE
    return max_age.total_seconds() * (low + (high - low) * chance)


def _milliseconds(time: timedelta) -> int:
    return round(time.total_seconds() * 1_000)
