"""The load: a thousand proxies in one process, the same for each server. `python -m benchmarks.fanout.load_client`

One thread and epoll over plain sockets: neither gRPC library would be light enough to leave the server the bottleneck
on two cores. It reads one JSON command a line and answers each by one line, when what was asked for has come about.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from benchmarks.fanout.content import ROUTES, node_name
from benchmarks.fanout.proxy import DeltaProxy, Proxy, SotwProxy
from protos.apg.xds.v3.discovery_pb2 import Node

_READ = 1 << 18  # octets
_WINDOW = 1 << 24  # octets; Envoy's default for a stream
_STUCK_WINDOW = 1 << 16


def main() -> None:
    _LoadClient().run()


class _LoadClient:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, tuple[socket.socket, Proxy]] = {}
        self._proxies: list[Proxy] = []
        self._ports: list[int] = []
        self._frozen: dict[Proxy, list[bytes]] = {}  # what they were sent meanwhile
        self._commands = b""
        self._waiting: Callable[[], dict[str, Any] | None] | None = None
        self._over = False

    def run(self) -> None:
        os.set_blocking(0, False)
        self._epoll.register(0, select.EPOLLIN)
        while not self._over:
            for number, event in self._epoll.poll():
                if number == 0:
                    self._read_commands()
                else:
                    self._serve(number, event)
            if self._waiting is not None:
                answer = self._waiting()
                if answer is not None:
                    self._waiting = None
                    print(json.dumps(answer), flush=True)

    # --- sockets ---

    def _connect(self, index: int) -> None:
        proxy = self._proxies[index]
        connected = socket.create_connection(("127.0.0.1", self._ports[index % len(self._ports)]))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setblocking(False)
        self._sockets[connected.fileno()] = connected, proxy
        self._epoll.register(connected.fileno(), select.EPOLLIN)
        proxy.connect()
        self._write(connected, proxy)

    def _serve(self, number: int, event: int) -> None:
        connected, proxy = self._sockets[number]
        if event & select.EPOLLIN or event & (select.EPOLLHUP | select.EPOLLERR):
            try:
                octets = connected.recv(_READ)
            except (BlockingIOError, ConnectionError) as error:
                octets = b""
                if isinstance(error, BlockingIOError):
                    return
            if not octets:
                self._end(number, connected, proxy)
                return
            for message in proxy.connection.receive(octets):
                if proxy in self._frozen:
                    self._frozen[proxy].append(message)
                    continue
                proxy.take(message)
                if not proxy.settled_at and proxy.settled:
                    proxy.settled_at = time.monotonic_ns()
        if proxy.connection.out:
            self._write(connected, proxy)

    def _write(self, connected: socket.socket, proxy: Proxy) -> None:
        out = proxy.connection.out
        try:
            del out[: connected.send(out)]
        except BlockingIOError:
            pass
        except ConnectionError:
            out.clear()
        interest = select.EPOLLIN | select.EPOLLOUT if out else select.EPOLLIN
        self._epoll.modify(connected.fileno(), interest)

    def _end(self, number: int, connected: socket.socket, proxy: Proxy) -> None:
        self._epoll.unregister(number)
        connected.close()
        del self._sockets[number]
        proxy.connection.ended = proxy.connection.ended or "the server closed the connection"

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
        self,
        *,
        ports: list[int],
        streams: int,
        delta: bool,
        group: str,
        stuck: int = 0,
        first: int = 0,
        routes: str = ROUTES,
    ) -> Callable[[], dict[str, Any] | None]:
        """Opens `streams` proxies, the last `stuck` of them with a small window, and waits until all have settled.
        They are named by numbers from `first` on, and follow the route configuration `routes`."""
        self._ports = ports
        start, cpu = time.monotonic_ns(), time.process_time_ns()
        for index in range(streams):
            node = Node(id=node_name(first + index), cluster=group, user_agent_name="benchmark")
            window = _STUCK_WINDOW if index >= streams - stuck else _WINDOW
            made: Proxy = (DeltaProxy if delta else SotwProxy)(node, window=window, routes=routes)
            made.keeps_bodies = index == 0
            self._proxies.append(made)
            self._connect(index)

        def settled() -> dict[str, Any] | None:
            if not all(proxy.settled_at for proxy in self._proxies):
                return None
            return {**self._totals(start, cpu), "settled_ns": [proxy.settled_at - start for proxy in self._proxies]}

        return settled

    def _do_reconnect(self) -> Callable[[], dict[str, Any] | None]:
        """Connects all proxies again, with what they hold; returns when that is written."""
        for number, (connected, proxy) in list(self._sockets.items()):
            self._end(number, connected, proxy)
        start, cpu = time.monotonic_ns(), time.process_time_ns()
        for index, proxy in enumerate(self._proxies):
            proxy.forget_counts()
            self._connect(index)
        return lambda: self._totals(start, cpu)

    def _do_await(self, *, change: int) -> Callable[[], dict[str, Any] | None]:
        """Waits until every proxy that reads has the change, or a newer one."""
        behind = [proxy for proxy in self._proxies if proxy not in self._frozen]

        def arrived() -> dict[str, Any] | None:
            while behind and behind[-1].change >= change:
                behind.pop()
            if behind:
                return None
            times = [proxy.at for proxy in self._proxies if proxy not in self._frozen]
            return {"first_ns": min(times), "last_ns": max(times)}

        return arrived

    def _do_totals(self) -> Callable[[], dict[str, Any]]:
        """What was received since the last totals."""
        totals = self._totals(0, 0)
        for proxy in self._proxies:
            proxy.forget_counts()
        return lambda: totals

    def _do_refuse(self, *, refuses: bool) -> Callable[[], dict[str, Any]]:
        for proxy in self._proxies:
            proxy.refuses = refuses
        return dict

    def _do_freeze(self, *, streams: int) -> Callable[[], dict[str, Any]]:
        """The last `streams` proxies take and answer no response any more; 0 lets all go on. They are alive all the
        same, and answer PING: who does not is disconnected, and no burden."""
        frozen, self._frozen = self._frozen, {}
        for connected, proxy in list(self._sockets.values()):
            for message in frozen.get(proxy, ()):
                proxy.take(message)
            self._write(connected, proxy)
        self._frozen = {proxy: [] for proxy in self._proxies[len(self._proxies) - streams :]}
        return dict

    def _do_content(self) -> Callable[[], dict[str, Any]]:
        """The content that the first proxy holds, as a hash and a size. Protobuf leaves the order of fields open, and
        Go writes oneofs last: so each resource counts by its name, its size and its octets in whatever order."""
        digest = hashlib.sha256()
        for (type_url, name), body in sorted(self._proxies[0].bodies.items()):
            digest.update(b"\0".join((type_url.encode(), name.encode(), bytes(sorted(body)))))
        octets = sum(len(body) for body in self._proxies[0].bodies.values())
        return lambda: {"digest": digest.hexdigest(), "octets": octets, "resources": len(self._proxies[0].bodies)}

    def _totals(self, start: int, cpu: int) -> dict[str, Any]:
        ended = [proxy.connection.ended for proxy in self._proxies if proxy.connection.ended is not None]
        return {
            "wall_ns": time.monotonic_ns() - start,
            "cpu_ns": time.process_time_ns() - cpu,
            "messages": sum(proxy.messages for proxy in self._proxies),
            "most_messages": max((proxy.messages for proxy in self._proxies), default=0),
            "resources": sum(proxy.resources for proxy in self._proxies),
            "octets": sum(proxy.octets for proxy in self._proxies),
            "late": sum(proxy.late for proxy in self._proxies),
            "ended": len(ended),
            "why": ended[0] if ended else "",
        }


if __name__ == "__main__":
    main()
