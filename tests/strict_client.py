"""A scripted xDS client over real gRPC, as strict as the specification: it checks every response that it reads.

It speaks either variant, over one aggregated stream or one stream for each type, and keeps the books of a client: what
it subscribed to, which nonce and version it has of each type, and what it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import grpc

from protos.apg.xds.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Node,
)
from protos.apg.xds.v3.discovery_pb2 import Resource as Wrapper
from xds.references import resource_name
from xds.resource_types import ResourceType
from xds.server import ADS

_INVALID = 3  # google.rpc.Code.INVALID_ARGUMENT
_WRAPPER_URL = "type.googleapis.com/envoy.service.discovery.v3.Resource"
_PATIENCE = 30.0  # seconds


class Way(Enum):
    """The four transport variants."""

    SOTW_ADS = "sotw, aggregated"
    SOTW_PER_TYPE = "sotw, per type"
    DELTA_ADS = "delta, aggregated"
    DELTA_PER_TYPE = "delta, per type"

    @property
    def is_delta(self) -> bool:
        return self in (Way.DELTA_ADS, Way.DELTA_PER_TYPE)

    @property
    def is_aggregated(self) -> bool:
        return self in (Way.SOTW_ADS, Way.DELTA_ADS)


@dataclass(frozen=True)
class Received:
    """One response: the bodies by name, what it takes away (delta), and heartbeats by name with their versions."""

    type: ResourceType
    version: str
    nonce: str
    bodies: dict[str, bytes]
    removed: frozenset[str] = frozenset()
    versions: dict[str, str] = field(default_factory=dict)
    heartbeats: dict[str, str] = field(default_factory=dict)
    ttls: dict[str, float] = field(default_factory=dict)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unresolved: frozenset[str] = frozenset()

    @property
    def names(self) -> set[str]:
        return set(self.bodies)


@dataclass
class _Books:
    """Of one type."""

    names: list[str] = field(default_factory=list)
    nonce: str = ""
    version: str = ""
    started: bool = False
    held: dict[str, bytes] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


class StrictClient:
    """One node. Make it with `connected`."""

    def __init__(self, channel: grpc.aio.Channel, way: Way, node: Node) -> None:
        self.way = way
        self._node = node
        self._channel = channel
        self._calls: dict[ResourceType | None, Any] = {}
        self._books: dict[ResourceType, _Books] = {}
        self._nonces: set[tuple[ResourceType | None, str]] = set()

    # --- what the client says ---

    async def subscribe(self, type: ResourceType, *names: str) -> None:
        """Asks for `names` too. A first subscription without names asks for all; "*" does at any time."""
        books = self.books(type)
        books.names += [name for name in names if name not in books.names]
        if self.way.is_delta:
            await self.send(type, DeltaDiscoveryRequest(resource_names_subscribe=names))
        else:
            await self.send(type, self._wants(type))

    async def unsubscribe(self, type: ResourceType, *names: str) -> None:
        books = self.books(type)
        books.names = [name for name in books.names if name not in names]
        for name in names:
            books.held.pop(name, None)
            books.versions.pop(name, None)
        if self.way.is_delta:
            await self.send(type, DeltaDiscoveryRequest(resource_names_unsubscribe=names))
        else:
            await self.send(type, self._wants(type))

    async def ack(self, received: Received) -> None:
        """Takes what came, and says so."""
        books = self.books(received.type)
        if received.type.full_state and not self.way.is_delta:
            books.held, books.versions = {}, {}
        books.held.update(received.bodies)
        books.versions.update(received.versions)
        for name in received.removed:
            books.held.pop(name, None)
            books.versions.pop(name, None)
        books.version, books.nonce = received.version, received.nonce
        if self.way.is_delta:
            await self.send(received.type, DeltaDiscoveryRequest(response_nonce=received.nonce))
        else:
            await self.send(received.type, self._wants(received.type))

    async def nack(self, received: Received, words: str) -> None:
        """Refuses what came, and goes on with what it had."""
        books = self.books(received.type)
        books.nonce = received.nonce
        request = (
            DeltaDiscoveryRequest(response_nonce=received.nonce) if self.way.is_delta else self._wants(received.type)
        )
        request.error_detail.code, request.error_detail.message = _INVALID, words
        await self.send(received.type, request)

    async def send(self, type: ResourceType, request: Any) -> None:
        """Any request, with the node if it is the stream's first."""
        key = self._key(type)
        if key not in self._calls:
            self._calls[key] = self._open(key)
            request.node.CopyFrom(self._node)
        if self.way.is_aggregated:
            request.type_url = type.type_url
        await self._calls[key].write(request)

    # --- what the client is told ---

    async def receive(self, type: ResourceType) -> Received:
        """The next response on the stream, which has to be of `type`."""
        message = await asyncio.wait_for(self._calls[self._key(type)].read(), timeout=_PATIENCE)
        assert message is not grpc.aio.EOF, "the server ended the stream"
        assert message.type_url == type.type_url
        assert message.nonce, "a response without a nonce"
        assert (self._key(type), message.nonce) not in self._nonces, "a nonce came twice on one stream"
        self._nonces.add((self._key(type), message.nonce))
        return self._read_delta(type, message) if self.way.is_delta else self._read_sotw(type, message)

    async def take(self, type: ResourceType) -> Received:
        """Receives and accepts."""
        received = await self.receive(type)
        await self.ack(received)
        return received

    async def ended(self, type: ResourceType) -> grpc.aio.AioRpcError:
        """How the server ended the stream."""
        try:
            while await asyncio.wait_for(self._calls[self._key(type)].read(), timeout=_PATIENCE) is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError("the stream ended without an error")

    def holds(self, type: ResourceType) -> dict[str, bytes]:
        return self.books(type).held

    def books(self, type: ResourceType) -> _Books:
        return self._books.setdefault(type, _Books())

    # --- a new stream ---

    async def resume(self, old: StrictClient, type: ResourceType) -> None:
        """Subscribes anew to what `old` was subscribed to, saying what it holds."""
        before, books = old.books(type), self.books(type)
        books.names, books.held, books.versions = list(before.names), dict(before.held), dict(before.versions)
        books.version = before.version
        if self.way.is_delta:
            await self.send(
                type,
                DeltaDiscoveryRequest(resource_names_subscribe=books.names, initial_resource_versions=books.versions),
            )
        else:
            await self.send(type, self._wants(type))

    # --- inside ---

    def _key(self, type: ResourceType) -> ResourceType | None:
        return None if self.way.is_aggregated else type

    def _open(self, type: ResourceType | None) -> Any:
        delta = self.way.is_delta
        service, rpc = (ADS, "AggregatedResources") if type is None else (type.service, type.rpc)
        return self._channel.stream_stream(
            f"/{service}/{'Delta' if delta else 'Stream'}{rpc}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=(DeltaDiscoveryResponse if delta else DiscoveryResponse).FromString,
        )()

    def _wants(self, type: ResourceType) -> DiscoveryRequest:
        books = self.books(type)
        return DiscoveryRequest(resource_names=books.names, version_info=books.version, response_nonce=books.nonce)

    def _read_sotw(self, type: ResourceType, message: Any) -> Received:
        assert message.version_info, "a response without a version"
        received = Received(type, message.version_info, message.nonce, {})
        for packed in message.resources:
            if packed.type_url != _WRAPPER_URL:
                assert packed.type_url == type.type_url
                name, body = resource_name(type, packed.value) or f"#{len(received.bodies)}", packed.value
                assert name not in received.bodies, "a name came twice"
                received.bodies[name] = body
                continue
            wrapper = Wrapper.FromString(packed.value)
            assert wrapper.name
            received.ttls[wrapper.name] = wrapper.ttl.ToTimedelta().total_seconds()
            if wrapper.HasField("resource"):
                assert wrapper.resource.type_url == type.type_url
                received.bodies[wrapper.name] = wrapper.resource.value
            else:
                received.heartbeats[wrapper.name] = wrapper.version
        return received

    def _read_delta(self, type: ResourceType, message: Any) -> Received:
        removed = frozenset(message.removed_resources)
        assert len(removed) == len(message.removed_resources), "a name was removed twice"
        received = Received(type, message.system_version_info, message.nonce, {}, removed)
        unresolved = set()
        for resource in message.resources:
            name = resource.name
            assert name
            assert name not in removed, "a name both came and went"
            assert name not in received.bodies, "a name came twice"
            received.aliases[name] = tuple(resource.aliases)
            if resource.HasField("ttl"):
                received.ttls[name] = resource.ttl.ToTimedelta().total_seconds()
            if resource.HasField("resource"):
                assert resource.version, "a resource without a version"
                assert resource.resource.type_url == type.type_url
                received.bodies[name], received.versions[name] = resource.resource.value, resource.version
            elif resource.version:
                received.heartbeats[name] = resource.version
            else:
                unresolved.add(name)
        return Received(**{**vars(received), "unresolved": frozenset(unresolved)})


@asynccontextmanager
async def connected(port: int, way: Way, *, node: str = "edge-1", cluster: str = "") -> AsyncIterator[StrictClient]:
    """A client of the server on loopback's `port`."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        client = StrictClient(channel, way, Node(id=node, cluster=cluster))
        yield client
        for call in client._calls.values():
            call.cancel()
