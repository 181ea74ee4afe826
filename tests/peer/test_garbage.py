"""A stream that has ended is gone: it leaves no cycles for the garbage collector to find some day.

Not so one that ends for breaking the protocol: Python 3.11's exception groups hold the frames that they came through.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest, Node
from tests.conditions import eventually
from tests.xds_resources import service
from xds.cache import SnapshotCache
from xds.fleet import Fleet
from xds.resource_types import CLUSTER
from xds.server import ADS, Server
from xds.snapshot import Snapshot

NODE = Node(id="edge-1", cluster="default/edge")


@contextmanager
def no_collector() -> Iterator[None]:
    """While the context lasts, cycles stay."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
@pytest.mark.parametrize("end", ["half-close", "cancel", "lost connection"])
async def test_an_ended_stream_leaves_no_cycles(end: str, delta: bool) -> None:
    cache, fleet = SnapshotCache(), Fleet()
    cache.publish("default/edge", Snapshot.of(service("pay", 1)))
    server = Server(cache, fleet)
    port = await server.start("127.0.0.1:0")
    try:
        await _stream(port, fleet, delta=delta, end=end)  # whatever is made once is made
        with no_collector():
            await _stream(port, fleet, delta=delta, end=end)
            await eventually(_nothing_left)
    finally:
        await server.stop(grace=0)


_OF_A_STREAM = {"_Stream", "DeltaMachine", "SotwMachine", "Subscription", "Context", "ServerConnection", "_Connection"}


def _nothing_left() -> bool:
    names = [type(thing).__name__ for thing in gc.get_objects() if str(type(thing).__module__).startswith("xds.")]
    left = Counter(name for name in names if name in _OF_A_STREAM)
    assert not left, f"still there: {left}"
    return True


async def _stream(port: int, fleet: Fleet, *, delta: bool, end: str) -> None:
    channel: Any
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        make: Any = DeltaDiscoveryRequest if delta else DiscoveryRequest
        method = channel.stream_stream(f"/{ADS}/{'Delta' if delta else 'Stream'}AggregatedResources")
        call = method()
        await call.write(make(node=NODE, type_url=CLUSTER.type_url).SerializeToString())
        await call.read()
        assert len(fleet) == 1
        if end == "half-close":
            await call.done_writing()
        elif end == "cancel":
            call.cancel()
        if end != "lost connection":
            await eventually(lambda: len(fleet) == 0)
    await eventually(lambda: len(fleet) == 0)
