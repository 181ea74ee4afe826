"""The simulated proxies: a thousand in one process, the same for each control plane. `python -m benchmarks.peers.fleet`

One thread and epoll over sockets, plain or with TLS. It reads one JSON command a line and answers each by one line,
when what was asked for has come about. What one proxy does: `follower`. A proxy that is turned away before it has its
configuration comes back as our Envoys do: after a random part of 0.1 s, which doubles up to 1 s.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import random
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.peers.follower import Follower

_READ = 1 << 18  # octets
_WAIT, _MOST_WAIT = 0.1, 1.0  # seconds, as envoy/bootstrap.yaml has it


def main() -> None:
    _Fleet().run()


class _Plain:
    """What the socket carries is what the proxy speaks."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def receive(self) -> bytes | None:
        """What there is to read, empty at the end; None for nothing yet."""
        try:
            return self._socket.recv(_READ)
        except BlockingIOError:
            return None

    def send(self, octets: bytearray) -> None:
        """Takes from `octets` what can be written now."""
        with contextlib.suppress(BlockingIOError):
            del octets[: self._socket.send(octets)]


class _Tls(_Plain):
    def __init__(self, connected: ssl.SSLSocket) -> None:
        super().__init__(connected)

    def receive(self) -> bytes | None:
        read = b""
        try:
            while some := self._socket.recv(_READ):  # until it wants more: epoll does not see what it holds itself
                read += some
            return read
        except ssl.SSLWantReadError:
            return read or None

    def send(self, octets: bytearray) -> None:
        with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError):
            while octets:
                del octets[: self._socket.send(octets)]


class _Fleet:
    """A proxy is known by its place among the nodes, whichever stream it has."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._streams: dict[int, tuple[_Plain, int, socket.socket]] = {}
        self._port = 0
        self._nodes: Sequence[Mapping[str, Any]] = []
        self._context: ssl.SSLContext | None = None
        self._followers: list[Follower] = []
        self._refusals: list[int] = []  # of each proxy, since it last had its configuration
        self._refused = 0
        self._coming: list[tuple[float, int]] = []  # a heap: when, and who
        self._why = ""
        self._commands = b""
        self._waiting: Callable[[], dict[str, Any] | None] | None = None
        self._over = False

    def run(self) -> None:
        os.set_blocking(0, False)
        self._epoll.register(0, select.EPOLLIN)
        while not self._over:
            while self._coming and self._coming[0][0] <= time.monotonic():
                self._connect(heapq.heappop(self._coming)[1])
            wait = max(0.0, self._coming[0][0] - time.monotonic()) if self._coming else None
            for number, event in self._epoll.poll(wait):
                if number == 0:
                    self._read_commands()
                elif number in self._streams:
                    self._serve(number, event)
            answer = self._waiting() if self._waiting is not None else None
            if answer is not None:
                self._waiting = None
                print(json.dumps(answer), flush=True)

    def _connect(self, place: int) -> None:
        connected = socket.create_connection(("127.0.0.1", self._port))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            secured = connected = self._context.wrap_socket(connected)
            stream: _Plain = _Tls(secured)
        else:
            stream = _Plain(connected)
        connected.setblocking(False)
        self._followers[place] = Follower(self._nodes[place])
        self._streams[connected.fileno()] = stream, place, connected
        self._epoll.register(connected.fileno(), select.EPOLLIN)
        self._write(connected.fileno())

    def _serve(self, number: int, event: int) -> None:
        stream, place, _ = self._streams[number]
        follower = self._followers[place]
        if event & ~select.EPOLLOUT:
            try:
                octets = stream.receive()
            except OSError as error:
                self._end(number, str(error))
                return
            for message in follower.connection.receive(octets or b""):
                follower.take(message)
            if octets == b"" or follower.connection.ended:
                self._end(number, follower.connection.ended or "the server closed the connection")
                return
        self._write(number)

    def _write(self, number: int) -> None:
        stream, place, _ = self._streams[number]
        out = self._followers[place].connection.out
        try:
            stream.send(out)
        except OSError as error:
            self._end(number, str(error))
            return
        self._epoll.modify(number, select.EPOLLIN | select.EPOLLOUT if out else select.EPOLLIN)

    def _end(self, number: int, why: str) -> None:
        _, place, connected = self._streams.pop(number)
        self._epoll.unregister(number)
        connected.close()
        if self._followers[place].settled:
            self._why = why
            return
        self._refused += 1
        self._refusals[place] += 1
        most = min(_MOST_WAIT, _WAIT * 2 ** self._refusals[place])
        heapq.heappush(self._coming, (time.monotonic() + random.uniform(0, most), place))

    # --- commands ---

    def _read_commands(self) -> None:
        octets = os.read(0, 1 << 16)
        self._over = not octets
        self._commands += octets
        *lines, self._commands = self._commands.split(b"\n")
        for line in lines:
            command = json.loads(line)
            self._waiting = getattr(self, f"_do_{command.pop('do')}")(**command)

    def _do_open(
        self, *, port: int, nodes: Sequence[Mapping[str, Any]], certificates: Mapping[str, str] | None
    ) -> Callable[[], dict[str, Any] | None]:
        """Opens a proxy for each node and waits until all have settled."""
        start = time.monotonic_ns()
        self._context = _context(certificates) if certificates is not None else None
        self._port, self._nodes = port, nodes
        self._followers = [Follower(node) for node in nodes]
        self._refusals = [0] * len(nodes)
        for place in range(len(nodes)):
            self._connect(place)

        def settled() -> dict[str, Any] | None:
            if failed := self._failed():
                return failed
            if all(follower.settled for follower in self._followers):
                return {"wall_ns": time.monotonic_ns() - start, "refused": self._refused}
            return None

        return settled

    def _do_await(self, *, change: int) -> Callable[[], dict[str, Any] | None]:
        """Waits until every proxy has the change, or a newer one."""
        behind = list(self._followers)
        before = self._octets()

        def arrived() -> dict[str, Any] | None:
            if failed := self._failed():
                return failed
            while behind and behind[-1].change >= change:
                behind.pop()
            if behind:
                return None
            times = [follower.at for follower in self._followers]
            return {"first_ns": min(times), "last_ns": max(times), "octets": self._octets() - before}

        return arrived

    def _octets(self) -> int:
        return sum(follower.octets for follower in self._followers)

    def _failed(self) -> dict[str, Any] | None:
        """Why a proxy that had its configuration has lost its stream, if one has."""
        return {"error": f"a stream ended: {self._why}"} if self._why else None


def _context(certificates: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # as Envoy, which is given an authority and no name
    context.load_verify_locations(certificates["authority"])
    context.load_cert_chain(certificates["client"], certificates["client_key"])
    context.set_alpn_protocols(["h2"])
    return context


if __name__ == "__main__":
    main()
