"""One simulated proxy: subscribes as Envoy does, ACKs at once, and keeps count. A machine without I/O.

Clusters first, then their endpoints, then listeners, then their routes; after that it has settled. Requests are made of
prepared bytes, because the client must cost less than the server.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod

from benchmarks.fanout.content import ROUTES
from benchmarks.fanout.http2 import Connection
from protos.apg.xds.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Node,
    Status,
)
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE
from xds.server import ADS
from xds.wire import string

_CDS, _EDS, _LDS, _RDS = (type.type_url for type in (CLUSTER, ENDPOINT, LISTENER, ROUTE))
_CHANGE = re.compile(rb"change-(\d{8})")
_REFUSAL = Status(code=3, message="refused by the benchmark")


class Proxy(ABC):
    """What one proxy holds and has counted.

    change, at: the newest change that arrived, and when (CLOCK_MONOTONIC, ns).
    settled_at: when it first had all that it follows (CLOCK_MONOTONIC, ns).
    late: changes that came after a newer one.
    messages, resources, octets: received since `forget_counts`.
    refuses: NACKs what it is sent instead of ACKing.
    Follows the route configuration `routes`.
    """

    delta: bool

    def __init__(self, node: Node, *, window: int, routes: str = ROUTES) -> None:
        self._node = node
        self._window = window
        self._routes = routes
        self.refuses = False
        self.change = self.at = self.late = self.settled_at = 0
        self.names: dict[str, list[str]] = {_CDS: [], _LDS: []}
        self.bodies: dict[tuple[str, str], bytes] = {}  # of the first proxy alone, for comparing servers
        self.keeps_bodies = False
        self.forget_counts()
        self.connection: Connection

    def forget_counts(self) -> None:
        self.messages = self.resources = self.octets = 0

    @property
    @abstractmethod
    def settled(self) -> bool:
        """Whether it has all that it follows."""

    @abstractmethod
    def connect(self) -> None:
        """Opens a connection, and asks for all that is held already, or for the clusters to begin with."""

    @abstractmethod
    def take(self, message: bytes) -> None:
        """A response: counts it, answers it, and follows what it refers to."""

    def _count(self, message: bytes, resources: int) -> None:
        self.messages += 1
        self.octets += len(message)
        self.resources += resources

    def _note_change(self, message: bytes) -> None:
        found = _CHANGE.search(message)
        if found is not None:
            change = int(found[1])
            self.late += change < self.change
            if change > self.change:
                self.change, self.at = change, time.monotonic_ns()


class DeltaProxy(Proxy):
    """Incremental. It remembers the versions that it holds, for when it reconnects."""

    delta = True

    def __init__(self, node: Node, *, window: int, routes: str = ROUTES) -> None:
        super().__init__(node, window=window, routes=routes)
        self._held: dict[str, dict[str, str]] = {}

    @property
    def settled(self) -> bool:
        return _RDS in self._held and len(self._held[_EDS]) == len(self.names[_EDS])

    def connect(self) -> None:
        self.connection = Connection(f"/{ADS}/DeltaAggregatedResources", window=self._window)
        if not self._held:
            self._subscribe(_CDS)
        for type_url in self._held:
            self._subscribe(type_url)

    def take(self, message: bytes) -> None:
        response = DeltaDiscoveryResponse.FromString(message)
        type_url = response.type_url
        self._count(message, len(response.resources))
        nonce = string(6, response.nonce)
        if self.refuses:
            refusal = _REFUSAL.SerializeToString()
            self.connection.send(string(2, type_url) + nonce + b"\x3a" + bytes((len(refusal),)) + refusal)
            return
        self.connection.send(string(2, type_url) + nonce)
        first = type_url not in self._held
        held = self._held.setdefault(type_url, {})
        for resource in response.resources:
            held[resource.name] = resource.version
            if self.keeps_bodies:
                self.bodies[type_url, resource.name] = resource.resource.value
        if type_url in (_EDS, _RDS):
            self._note_change(message)
        if first:
            self._follow(type_url, held)

    def _follow(self, type_url: str, held: dict[str, str]) -> None:
        if type_url == _CDS:
            self.names[_EDS] = sorted(held)
            self._subscribe(_EDS)
        elif type_url == _EDS:
            self._subscribe(_LDS)
        elif type_url == _LDS:
            self.names[_RDS] = [self._routes]
            self._subscribe(_RDS)

    def _subscribe(self, type_url: str) -> None:
        request = DeltaDiscoveryRequest(
            type_url=type_url,
            node=self._node,
            resource_names_subscribe=self.names[type_url],
            initial_resource_versions=self._held.get(type_url, {}),
        )
        self.connection.send(request.SerializeToString())


class SotwProxy(Proxy):
    """State of the world."""

    delta = False

    def __init__(self, node: Node, *, window: int, routes: str = ROUTES) -> None:
        super().__init__(node, window=window, routes=routes)
        self._version: dict[str, str] = {}
        self._answer: dict[str, bytes] = {}  # all of an ACK but the version and the nonce

    @property
    def settled(self) -> bool:
        return _RDS in self._version

    def connect(self) -> None:
        self.connection = Connection(f"/{ADS}/StreamAggregatedResources", window=self._window)
        self._answer = {}
        for type_url in list(self._version) or [_CDS]:
            self._subscribe(type_url)

    def take(self, message: bytes) -> None:
        response = DiscoveryResponse.FromString(message)
        type_url = response.type_url
        self._count(message, len(response.resources))
        answer = self._answer[type_url] + string(5, response.nonce)
        if self.refuses:
            refusal = _REFUSAL.SerializeToString()
            accepted = string(1, self._version.get(type_url, ""))
            self.connection.send(answer + accepted + b"\x32" + bytes((len(refusal),)) + refusal)
            return
        self.connection.send(answer + string(1, response.version_info))
        first = type_url not in self._version
        self._version[type_url] = response.version_info
        if self.keeps_bodies:
            self.bodies.update({(type_url, _name(packed.value)): packed.value for packed in response.resources})
        if type_url in (_EDS, _RDS):
            self._note_change(message)
        if not first:
            return
        if type_url == _CDS:
            self.names[_EDS] = sorted(_name(packed.value) for packed in response.resources)
            self._subscribe(_EDS)
        elif type_url == _EDS:
            self._subscribe(_LDS)
        elif type_url == _LDS:
            self.names[_RDS] = [self._routes]
            self._subscribe(_RDS)

    def _subscribe(self, type_url: str) -> None:
        request = DiscoveryRequest(type_url=type_url, resource_names=self.names[type_url])
        self._answer[type_url] = request.SerializeToString()
        request.node.CopyFrom(self._node)
        request.version_info = self._version.get(type_url, "")
        self.connection.send(request.SerializeToString())


def _name(body: bytes) -> str:
    """The resource's name: field 1 in all four types, shorter than 128 octets here, and written first."""
    return body[2 : 2 + body[1]].decode()
