"""The bounds of one server over loopback: how many streams, how they end, who is served when."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import pytest

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node
from protos.apg.xds.v3.load_stats_pb2 import LoadStatsRequest
from tests.conditions import eventually
from tests.xds_resources import cluster, endpoints, service
from xds.cache import SnapshotCache
from xds.fleet import Connected, Fleet, FleetEvent
from xds.flow import Flow, Gate, Turn, stream_age
from xds.listening import Transport
from xds.load_reporting import LRS, LoadReports
from xds.resource_types import CLUSTER
from xds.server import ADS, Server, node_cluster
from xds.snapshot import Snapshot

GROUP = "default/edge"
DEADLINE = 30


@dataclass
class Serving:
    cache: SnapshotCache
    fleet: Fleet
    server: Server
    port: int
    events: list[FleetEvent] = field(default_factory=list)


TRANSPORTS = pytest.mark.parametrize("transport", list(Transport), ids=lambda transport: transport.value)


@asynccontextmanager
async def serving(transport: Transport = Transport.HTTP2, **bounds: Any) -> AsyncIterator[Serving]:
    cache, fleet = SnapshotCache(), Fleet()
    reports = LoadReports(cache, group_of=node_cluster)
    server = Server(cache, fleet, flow=Flow(**bounds), beside=[reports.handler()], transport=transport)
    made = Serving(cache, fleet, server, await server.start("127.0.0.1:0"))
    fleet.listen(made.events.append)
    try:
        yield made
    finally:
        await server.stop(grace=0)


class Peer:
    """A delta client of clusters."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def ask(self, node_id: str = "edge-1") -> None:
        request = DeltaDiscoveryRequest(type_url=CLUSTER.type_url, node=Node(id=node_id, cluster=GROUP))
        await self.call.write(request.SerializeToString())

    async def report(self) -> None:
        """Instead of asking for clusters: on a stream of load reports."""
        await self.call.write(LoadStatsRequest(node=Node(id="edge-1", cluster=GROUP)).SerializeToString())

    async def read(self) -> DeltaDiscoveryResponse:
        return DeltaDiscoveryResponse.FromString(await asyncio.wait_for(self.call.read(), DEADLINE))

    async def accept(self, response: DeltaDiscoveryResponse) -> None:
        request = DeltaDiscoveryRequest(type_url=CLUSTER.type_url, response_nonce=response.nonce)
        await self.call.write(request.SerializeToString())

    async def ended(self) -> grpc.StatusCode:
        """Its status, once there is one, whatever comes before."""
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await self.call.read() is not grpc.aio.EOF:
                    pass
            code: grpc.StatusCode = await self.call.code()
        return code


@asynccontextmanager
async def channel(port: int) -> AsyncIterator[grpc.aio.Channel]:
    """A connection of its own."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as made:
        yield made


def stream(channel: grpc.aio.Channel, method: str = f"/{ADS}/DeltaAggregatedResources") -> Peer:
    call: Any = channel.stream_stream(method)
    return Peer(call())


@TRANSPORTS
async def test_a_stream_beyond_the_bound_is_refused_until_another_one_ends(transport: Transport) -> None:
    async with serving(transport, max_streams=2) as server, channel(server.port) as connection:
        first, reporter = stream(connection), stream(connection, f"/{LRS}/StreamLoadStats")
        await first.ask()
        await reporter.report()
        await eventually(lambda: len(server.fleet) == 1)
        await reporter.call.read()
        for refused in (stream(connection), stream(connection, f"/{LRS}/StreamLoadStats")):
            assert await refused.ended() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "2 streams, of 2 at most (max_streams)" in await refused.call.details()
        first.call.cancel()
        await eventually(lambda: len(server.fleet) == 0)
        again = stream(connection)
        await again.ask()
        await eventually(lambda: len(server.fleet) == 1)


@TRANSPORTS
async def test_a_node_with_too_many_streams_is_refused_and_others_are_not(transport: Transport) -> None:
    async with serving(transport, max_streams_per_node=1) as server, channel(server.port) as connection:
        first, second, other = stream(connection), stream(connection), stream(connection)
        await first.ask()
        await eventually(lambda: len(server.fleet) == 1)
        await second.ask()
        assert await second.ended() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "node edge-1 has 1 streams, of 1 at most (max_streams_per_node)" in await second.call.details()
        await other.ask("edge-2")
        await eventually(lambda: len(server.fleet) == 2)


@TRANSPORTS
async def test_a_stream_ends_of_age_without_an_error_and_its_client_comes_by_another_connection(
    transport: Transport,
) -> None:
    async with serving(transport, max_age=timedelta(seconds=0.2)) as server, channel(server.port) as connection:
        for number in (1, 2):
            peer = stream(connection)
            await peer.ask()
            assert await peer.ended() is grpc.StatusCode.OK
            peers = [event.client.peer for event in server.events if isinstance(event, Connected)]
            assert len(peers) == number
        assert peers[0] != peers[1]


@TRANSPORTS
async def test_load_reports_end_of_age_too(transport: Transport) -> None:
    async with serving(transport, max_age=timedelta(seconds=0.2)) as server, channel(server.port) as connection:
        reporter = stream(connection, f"/{LRS}/StreamLoadStats")
        await reporter.report()
        assert await reporter.ended() is grpc.StatusCode.OK


@TRANSPORTS
async def test_no_update_is_cut_in_half_when_the_server_stops(transport: Transport) -> None:
    async with serving(transport) as server, channel(server.port) as connection:
        server.cache.publish(GROUP, Snapshot.of(service("pay", 1)))
        idle, busy = stream(connection), stream(connection)
        await idle.ask("idle")
        await idle.accept(await idle.read())
        await eventually(lambda: server.fleet.status()[0].in_sync)
        await busy.ask("busy")
        response = await busy.read()
        stopping = asyncio.create_task(server.server.stop(grace=DEADLINE))
        assert await idle.ended() is grpc.StatusCode.OK
        # Whatever comes now is for the next stream.
        server.cache.publish(GROUP, Snapshot.of([cluster("pay", stat_name="new"), endpoints("pay", 1)]))
        assert [status.client.node_id for status in server.fleet.status()] == ["busy"]
        assert not stopping.done()
        await busy.accept(response)
        assert await busy.call.read() is grpc.aio.EOF
        assert await busy.ended() is grpc.StatusCode.OK
        await asyncio.wait_for(stopping, DEADLINE)


@TRANSPORTS
async def test_a_client_that_does_not_answer_is_not_waited_for_longer_than_the_drain(transport: Transport) -> None:
    large = [endpoints(f"pay-{number}", *range(1, 4)) for number in range(2)]
    many = [cluster(f"pay-{number}", stat_name="x" * 1_000_000) for number in range(2)]
    async with (
        serving(transport, max_age=timedelta(seconds=0.1), drain=timedelta(seconds=0.1)) as server,
        channel(server.port) as connection,
    ):
        server.cache.publish(GROUP, Snapshot.of([*many, *large]))
        stuck = stream(connection)
        await stuck.ask()  # and never reads: the megabytes do not fit into the connection's window
        await eventually(lambda: any(isinstance(event, Connected) for event in server.events))
        await eventually(lambda: len(server.fleet) == 0)


@TRANSPORTS
async def test_a_client_that_never_reads_costs_others_no_time_and_no_memory(transport: Transport) -> None:
    published: list[weakref.ref[Snapshot]] = []
    async with serving(transport) as server, channel(server.port) as one, channel(server.port) as other:
        server.cache.publish(GROUP, Snapshot.of([cluster("pay", stat_name="0" * 200_000), endpoints("pay", 1)]))
        stuck, reader = stream(one), stream(other)
        await stuck.ask("stuck")
        await eventually(lambda: len(server.fleet) == 1)
        await reader.ask("reader")
        await reader.accept(await reader.read())
        for number in range(1, 101):
            snapshot = Snapshot.of([cluster("pay", stat_name=f"{number}" * 100_000), endpoints("pay", 1)])
            published.append(weakref.ref(snapshot))
            server.cache.publish(GROUP, snapshot)
            response = await reader.read()
            assert response.system_version_info == snapshot.version(CLUSTER)
            await reader.accept(response)
        del snapshot
        gc.collect()
        assert sum(reference() is not None for reference in published) <= 4
        [state] = [status for status in server.fleet.status() if status.client.node_id == "stuck"]
        assert state.types[0].in_flight_since is not None


@TRANSPORTS
async def test_a_client_that_does_not_read_its_first_configuration_loses_its_turn(transport: Transport) -> None:
    async with (
        serving(transport, turns=1, turn=timedelta(seconds=0.2)) as server,
        channel(server.port) as one,
        channel(server.port) as other,
    ):
        server.cache.publish(GROUP, Snapshot.of([cluster("pay", stat_name="x" * 1_000_000), endpoints("pay", 1)]))
        stuck, reader = stream(one), stream(other)
        await stuck.ask("stuck")
        await eventually(lambda: len(server.fleet) == 1)
        await reader.ask("reader")
        assert [resource.name for resource in (await reader.read()).resources] == ["pay"]


async def test_turns_come_in_order_of_arrival() -> None:
    gate = Gate(Flow(turns=2))
    turns: list[int] = []

    async def client(number: int) -> Turn:
        turn = await gate.turn()
        turns.append(number)
        return turn

    clients = [asyncio.create_task(client(number)) for number in range(4)]
    await eventually(lambda: len(turns) == 2)
    assert (turns, gate.waiting) == ([0, 1], 2)
    first = await clients[0]
    first.end()
    first.end()  # once is enough, twice is no more
    await eventually(lambda: len(turns) == 3)
    assert (turns, gate.waiting) == ([0, 1, 2], 1)
    clients[3].cancel()  # gone before its turn came
    await eventually(lambda: gate.waiting == 0)
    (await clients[1]).end()
    assert not (await gate.turn()).is_over


async def test_a_turn_lasts_while_the_client_asks_on_and_ends_when_it_has_all() -> None:
    gate = Gate(Flow(turns=1, turn=timedelta(seconds=DEADLINE)))
    turn = await gate.turn()
    turn.moved(settled=True)
    turn.moved(settled=False)  # it asked for something else, and was not served that yet
    waiting = asyncio.create_task(gate.turn())
    later = await Gate(gate.flow).turn()
    later.moved(settled=True)
    await eventually(lambda: later.is_over)  # so would this one be, had it not asked on
    assert not waiting.done()
    turn.moved(settled=True)
    assert not (await asyncio.wait_for(waiting, DEADLINE)).is_over
    assert turn.is_over


async def test_streams_that_came_together_do_not_go_together() -> None:
    chances = iter((1.0, 0.0, 0.5))
    gate = Gate(Flow(max_age=timedelta(seconds=0.2)), chance=lambda: next(chances))
    ends = list[str]()
    async with AsyncExitStack() as stack:
        for name in ("last", "first", "second"):
            stack.enter_context(gate.lifetime(partial(ends.append, name)))
        await eventually(lambda: len(ends) == 3)
    assert ends == ["first", "second", "last"]


def test_a_stream_outlives_its_connection_s_age_so_that_the_next_is_on_another() -> None:
    """gRPC's own jitter is 0.9 to 1.1 times the age."""
    ages = [stream_age(timedelta(seconds=100), chance) for chance in (0.0, 0.5, 1.0)]
    assert ages == pytest.approx([115, 125, 135])


async def test_whoever_comes_to_a_server_that_stops_goes_at_once() -> None:
    gate, gone = Gate(Flow(max_age=None)), list[str]()
    with gate.lifetime(lambda: gone.append("early")):
        gate.close()
        gate.close()
        with gate.lifetime(lambda: gone.append("late")):
            assert gone == ["early", "late"]


@pytest.mark.parametrize(
    "bounds",
    [{"max_streams": 0}, {"turns": 0}, {"drain": timedelta(0)}, {"max_age": timedelta(seconds=-1)}],
)
def test_a_bound_that_makes_no_sense_is_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bounds))}: got"):
        Flow(**bounds)
