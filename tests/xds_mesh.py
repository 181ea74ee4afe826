"""A server over loopback that serves what the test puts into its cache, by the public interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.conditions import eventually
from xds import Fleet, Flow, Resource, ResourceType, Server, SnapshotCache, Transport, node_id
from xds.delivery import TypeStatus
from xds.fleet import FleetEvent, Refused

NODE = "edge-1"


@dataclass
class Mesh:
    """One server for one group, "edge-1", by the public interface."""

    cache: SnapshotCache
    fleet: Fleet
    server: Server
    port: int = 0
    events: list[FleetEvent] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def started(
        cls, *, hold_seconds: float = 30.0, transport: Transport = Transport.HTTP2, flow: Flow | None = None
    ) -> AsyncIterator[Mesh]:
        cache, fleet = SnapshotCache(), Fleet()
        server = Server(cache, fleet, group_of=node_id, hold_seconds=hold_seconds, transport=transport, flow=flow)
        made = cls(cache, fleet, server)
        fleet.listen(made.events.append)
        made.port = await made.server.start("127.0.0.1:0")
        try:
            yield made
        finally:
            await made.server.stop(grace=0)

    def set(self, *resources: Resource, version: str | None = None) -> None:
        self.cache.set(NODE, resources, version=version)

    def put(self, *resources: Resource, version: str | None = None) -> None:
        self.cache.put(NODE, *resources, version=version)

    def remove(self, type: ResourceType, *names: str) -> None:
        self.cache.remove(NODE, type, *names)

    @property
    def refusals(self) -> list[Refused]:
        return [event for event in self.events if isinstance(event, Refused)]

    def status(self, type: ResourceType) -> TypeStatus:
        """What the node "edge-1" is at, of a type."""
        clients = [status for status in self.fleet.status() if status.client.node_id == NODE]
        found = [status for client in clients for status in client.types if status.type is type]
        assert len(found) == 1, f"{len(found)} streams of {NODE} for {type}"
        return found[0]

    async def in_sync(self, *types: ResourceType) -> None:
        """The server has read all that the client said, and has nothing more to say of these types."""

        async def settled() -> bool:
            return all(self.status(type).in_sync for type in types)

        await eventually(settled)
