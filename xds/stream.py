"""One stream over gRPC: moves requests and snapshots into a machine and its responses onto the wire.

It decides nothing. A slow client holds up itself alone: it has one slot for the newest snapshot, and while it does not
read, nothing more is read from it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeAlias, TypeVar

from google.protobuf.message import DecodeError

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest, Node
from xds.bounds import check_node
from xds.cache import SnapshotCache
from xds.call import Context, first, refuse
from xds.delta import DeltaMachine
from xds.errors import RequestError
from xds.fleet import Client, ClientStatus, Fleet
from xds.flow import Gate, Turn
from xds.history import History, Record
from xds.machine import HOLD_SECONDS, Machine, Response
from xds.resource_types import BY_TYPE_URL, CLUSTER, ResourceType
from xds.snapshot import Snapshot
from xds.sotw import SotwMachine

GroupOf: TypeAlias = Callable[[Node], str]
Admit: TypeAlias = Callable[[Client, Mapping[str, Sequence[bytes]]], None]
Demand: TypeAlias = Callable[[Client, ResourceType, Collection[str]], None]
RequestT = TypeVar("RequestT", DiscoveryRequest, DeltaDiscoveryRequest)

_UNSENT_LIMIT = 64  # responses; a client that asks on without reading is not read further
FIRST_REQUEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Variant(Generic[RequestT]):
    """One of the two ways to speak xDS."""

    name: str
    parse: Callable[[bytes], RequestT]
    machine: Callable[..., Machine[RequestT]]
    demands: Callable[[RequestT, ResourceType | None], tuple[ResourceType, Collection[str]] | None]


def _no_demands(_: DiscoveryRequest, __: ResourceType | None) -> None:
    """The state of the world knows nothing on demand, and a client that returns does not say what it has."""


def _delta_demands(
    request: DeltaDiscoveryRequest, only: ResourceType | None
) -> tuple[ResourceType, Collection[str]] | None:
    """What is asked for on demand; and the clusters that a returning client has, for it asked for some of them."""
    type = only or BY_TYPE_URL.get(request.type_url)
    if type is not None and type.on_demand and request.resource_names_subscribe:
        return type, request.resource_names_subscribe
    if type is CLUSTER and request.initial_resource_versions:
        return type, request.initial_resource_versions.keys()
    return None


SOTW = Variant("sotw", DiscoveryRequest.FromString, SotwMachine, _no_demands)
DELTA = Variant("delta", DeltaDiscoveryRequest.FromString, DeltaMachine, _delta_demands)


async def serve(
    requests: AsyncIterator[bytes],
    context: Context,
    variant: Variant[RequestT],
    *,
    only: ResourceType | None,
    cache: SnapshotCache,
    fleet: Fleet,
    group_of: GroupOf,
    gate: Gate,
    admit: Admit | None = None,
    demand: Demand | None = None,
    first_request_seconds: float = FIRST_REQUEST_SECONDS,
    hold_seconds: float = HOLD_SECONDS,
) -> None:
    """Serves one stream until either side ends it: an aggregated one, or one of the type `only`.

    A client that breaks the protocol ends its own stream with INVALID_ARGUMENT, one that goes beyond a bound with
    RESOURCE_EXHAUSTED, and one that opens a stream without a word with DEADLINE_EXCEEDED after
    `first_request_seconds`; each in words.
    """
    refusal: RequestError | None = None
    try:
        with gate.stream():
            octets = await first(requests, first_request_seconds)
            if octets is not None:
                # In a list, from which it is taken: no frame is to hold for as long as the stream lasts what came with
                # Envoy's whole node.
                opening = [_parsed(variant, octets)]
                del octets
                await _run(
                    opening,
                    requests,
                    context,
                    variant,
                    only=only,
                    cache=cache,
                    fleet=fleet,
                    group_of=group_of,
                    gate=gate,
                    admit=admit,
                    demand=demand,
                    hold_seconds=hold_seconds,
                )
    except* RequestError as errors:
        refusal = next(_leaves(errors))
    if refusal is not None:
        await refuse(context, refusal)


async def _run(
    opening: list[RequestT],
    requests: AsyncIterator[bytes],
    context: Context,
    variant: Variant[RequestT],
    *,
    only: ResourceType | None,
    cache: SnapshotCache,
    fleet: Fleet,
    group_of: GroupOf,
    gate: Gate,
    admit: Admit | None,
    demand: Demand | None,
    hold_seconds: float,
) -> None:
    client = _client(opening[0].node, variant.name, context.peer(), group_of)
    if admit is not None:
        admit(client, context.auth_context())
    with gate.node(client.node_id):
        machine = variant.machine(
            cache.get(client.group),
            hold=hold_seconds,
            only=only,
            quarantine=cache.quarantine(client.group),
            forgets=demand is not None,
        )
        stream = _Stream(variant, machine, client, context, fleet, gate, only, demand)
        with cache.watch(client.group, stream.offer), fleet.joined(client, stream):
            await stream.run(opening, requests)


def _leaves(group: BaseExceptionGroup[RequestError]) -> Iterator[RequestError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _parsed(variant: Variant[RequestT], request: bytes) -> RequestT:
    try:
        return variant.parse(request)
    except DecodeError as error:
        message = "DiscoveryRequest" if variant.name == SOTW.name else "DeltaDiscoveryRequest"
        raise RequestError(f"got {len(request):,} bytes that are no {message}: {error}") from None


def _client(node: Node, variant: str, peer: str, group_of: GroupOf) -> Client:
    """Who opens the stream, by its first request's node."""
    if not node.id:
        raise RequestError("the first request of a stream has no node.id: want a node with an id (and a cluster)")
    node.DiscardUnknownFields()  # Envoy's 500 extensions, which would be kept for as long as the stream lasts
    check_node(node)
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

    def __init__(
        self,
        variant: Variant[RequestT],
        machine: Machine[RequestT],
        client: Client,
        context: Context,
        fleet: Fleet,
        gate: Gate,
        only: ResourceType | None,
        demand: Demand | None,
    ) -> None:
        self._only = only
        self._demand = demand
        self._variant: Variant[RequestT] = variant
        self._machine: Machine[RequestT] = machine
        self._client = client
        self._context = context
        self._fleet = fleet
        self._gate = gate
        self._history = History()
        self._newest: Snapshot | None = None
        self._unsent: deque[Response] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._deadline: float | None = None  # that the writer waits for
        self._ended = False
        self._retiring = False
        self._lifetime = asyncio.timeout(None)
        self._turn: Turn | None = None

    def offer(self, snapshot: Snapshot) -> None:
        """A newer snapshot for this stream; one that it has not served yet is forgotten."""
        self._newest = snapshot
        self._wake.set()

    def status(self) -> ClientStatus:
        return ClientStatus(self._client, self._machine.knows_group, self._machine.status())

    def records(self) -> Iterator[Record]:
        return self._history.records(self._machine.holdings())

    def retire(self) -> None:
        """The stream ends as soon as the client has answered all that it was sent, or without that after a while.
        What is published meanwhile, the client gets on its next stream."""
        self._retiring = True
        self._lifetime.reschedule(asyncio.get_running_loop().time() + self._gate.flow.drain.total_seconds())
        self._wake.set()

    async def run(self, opening: list[RequestT], requests: AsyncIterator[bytes]) -> None:
        try:
            async with self._lifetime, asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(opening, requests))
                with self._gate.lifetime(self.retire):
                    await self._write()
                reader.cancel()
        except TimeoutError:
            pass  # retired, and would not answer
        finally:
            if self._turn is not None:
                self._turn.end()

    async def _read(self, opening: list[RequestT], requests: AsyncIterator[bytes]) -> None:
        self._turn = await self._gate.turn()
        self._receive(opening.pop())
        async for octets in requests:
            self._receive(_parsed(self._variant, octets))
            del octets  # not to be held until the next one comes
            while len(self._unsent) > _UNSENT_LIMIT:
                self._room.clear()
                await self._room.wait()
        self._ended = True
        self._wake.set()

    def _receive(self, request: RequestT) -> None:
        if request.node.id not in ("", self._client.node_id):
            raise RequestError(
                f"node.id: got {request.node.id} on a stream that {self._client.node_id} opened, want the same or none"
            )
        now = time.monotonic()
        if self._demand is not None and (demanded := self._variant.demands(request, self._only)) is not None:
            self._demand(self._client, *demanded)
            self._follow(now)  # so that the request meets what was published for it
        self._unsent.extend(self._machine.on_request(request, now=now))
        for answer in self._machine.take_answers():
            self._history.note(answer, datetime.now(UTC))
            self._fleet.answered(self._client, answer, now=now)
        self._decided(now)
        if self._turn is not None and not self._turn.is_over:
            self._turn.moved(settled=self._machine.is_settled and not self._unsent)
        # Most requests are ACKs from which nothing follows: the writer need not be woken to find that out.
        if self._unsent or self._retiring or self._machine.deadline != self._deadline:
            self._wake.set()

    async def _write(self) -> None:
        """Sends what is due. Everything waits here: for a request, a snapshot, the end of a hold, or the client."""
        while not (self._ended or (self._retiring and not self._unsent and self._machine.is_settled)):
            await self._due()
            if not self._retiring:
                now = time.monotonic()
                self._follow(now)
                self._decided(now)
            while self._unsent:
                response = self._unsent.popleft()
                message = response.encode()
                await self._context.write(message)
                self._fleet.sent(self._client, response, len(message))
                self._room.set()
                del response, message  # not to be held until there is another

    def _follow(self, now: float) -> None:
        """Hands the newest snapshot to the machine, if there is one that it has not seen."""
        if self._newest is not None:
            snapshot, self._newest = self._newest, None
            self._unsent.extend(self._machine.publish(snapshot, now=now))

    def _decided(self, start: float) -> None:
        self._fleet.meters.deciding[self._client.variant] += time.monotonic() - start

    async def _due(self) -> None:
        self._deadline = deadline = self._machine.deadline
        if deadline is None:
            await self._wake.wait()
        else:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await self._wake.wait()
            except TimeoutError:
                self._unsent.extend(self._machine.on_time(time.monotonic()))
        self._wake.clear()
