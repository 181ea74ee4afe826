"""One ADS stream over gRPC: moves requests and snapshots into a machine and its responses onto the wire.

It decides nothing. A slow client holds up itself alone: it has one slot for the newest snapshot, and while it does not
read, nothing more is read from it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Generic, TypeAlias, TypeVar

import grpc

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest, Node
from xds.cache import SnapshotCache
from xds.delta import DeltaMachine
from xds.errors import RequestError
from xds.fleet import Client, ClientStatus, Fleet
from xds.history import History, Record
from xds.machine import Machine, Response
from xds.snapshot import Snapshot
from xds.sotw import SotwMachine
from xds.transport import Context

GroupOf: TypeAlias = Callable[[Node], str]
RequestT = TypeVar("RequestT", DiscoveryRequest, DeltaDiscoveryRequest)

_UNSENT_LIMIT = 64  # responses; a client that asks on without reading is not read further


async def serve_sotw(
    requests: AsyncIterator[DiscoveryRequest],
    context: Context,
    *,
    cache: SnapshotCache,
    fleet: Fleet,
    group_of: GroupOf,
) -> None:
    """Serves one state-of-the-world stream until either side ends it."""
    await _serve(requests, context, "sotw", SotwMachine, cache=cache, fleet=fleet, group_of=group_of)


async def serve_delta(
    requests: AsyncIterator[DeltaDiscoveryRequest],
    context: Context,
    *,
    cache: SnapshotCache,
    fleet: Fleet,
    group_of: GroupOf,
) -> None:
    """Serves one incremental stream until either side ends it."""
    await _serve(requests, context, "delta", DeltaMachine, cache=cache, fleet=fleet, group_of=group_of)


async def _serve(
    requests: AsyncIterator[RequestT],
    context: Context,
    variant: str,
    machine_type: Callable[[Snapshot | None], Machine[RequestT]],
    *,
    cache: SnapshotCache,
    fleet: Fleet,
    group_of: GroupOf,
) -> None:
    try:
        first = await anext(requests, None)
        if first is None:
            return
        client = _client(first.node, variant, context.peer(), group_of)
    except RequestError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    stream = _Stream(machine_type(cache.get(client.group)), client, context, fleet)
    with cache.watch(client.group, stream.offer), fleet.joined(client, stream):
        await stream.run(first, requests)


def _client(node: Node, variant: str, peer: str, group_of: GroupOf) -> Client:
    """Who opens the stream, by its first request's node."""
    if not node.id:
        raise RequestError("the first request of a stream has no node.id: want a node with an id (and a cluster)")
    version = node.user_agent_build_version.version
    agent = f"{node.user_agent_name} {version.major_number}.{version.minor_number}.{version.patch}"
    return Client(
        node_id=node.id,
        group=group_of(node),
        variant=variant,
        user_agent=agent if node.user_agent_name else "",
        peer=peer,
        connected_since=datetime.now(UTC),
        node=node.SerializeToString(),
    )


class _Stream(Generic[RequestT]):
    """The shell around one machine: a reader and a writer with one parent."""

    def __init__(self, machine: Machine[RequestT], client: Client, context: Context, fleet: Fleet) -> None:
        self._machine: Machine[RequestT] = machine
        self._client = client
        self._context = context
        self._fleet = fleet
        self._history = History()
        self._newest: Snapshot | None = None
        self._unsent: deque[Response] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False

    def offer(self, snapshot: Snapshot) -> None:
        """A newer snapshot for this stream; one that it has not served yet is forgotten."""
        self._newest = snapshot
        self._wake.set()

    def status(self) -> ClientStatus:
        return ClientStatus(self._client, self._machine.knows_group, self._machine.status())

    def records(self) -> Iterator[Record]:
        return self._history.records(self._machine.holdings())

    async def run(self, first: RequestT, requests: AsyncIterator[RequestT]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write())
            self._receive(first)
            async for request in requests:
                self._receive(request)
                while len(self._unsent) > _UNSENT_LIMIT:
                    self._room.clear()
                    await self._room.wait()
            self._ended = True
            self._wake.set()

    def _receive(self, request: RequestT) -> None:
        self._unsent.extend(self._machine.on_request(request, now=time.monotonic()))
        for answer in self._machine.take_answers():
            self._history.note(answer, datetime.now(UTC))
            self._fleet.answered(self._client, answer)
        self._wake.set()

    async def _write(self) -> None:
        """Sends what is due. Everything waits here: for a request, a snapshot, the end of a hold, or the client."""
        while not self._ended:
            await self._due()
            if self._newest is not None:
                snapshot, self._newest = self._newest, None
                self._unsent.extend(self._machine.publish(snapshot, now=time.monotonic()))
            while self._unsent:
                await self._context.write(self._unsent.popleft().encode())
                self._room.set()

    async def _due(self) -> None:
        deadline = self._machine.deadline
        try:
            async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            self._unsent.extend(self._machine.on_time(time.monotonic()))
        self._wake.clear()
