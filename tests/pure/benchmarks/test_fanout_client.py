"""The load client's HTTP/2 and its simulated proxies, against our server's ends of both, joined by memory."""

from __future__ import annotations

import pytest

from benchmarks.fanout.content import all_of, cluster_name, endpoints
from benchmarks.fanout.http2 import Connection
from benchmarks.fanout.proxy import DeltaProxy, Proxy, SotwProxy
from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest, Node
from tests.http2_ends import Served, carry
from xds.delta import DeltaMachine
from xds.machine import Response
from xds.resource import Resource
from xds.snapshot import Snapshot
from xds.sotw import SotwMachine

CLUSTERS = 30
NODE = Node(id="node-00000", cluster="bench")


@pytest.mark.parametrize("window", [1 << 10, 1 << 16, 1 << 24])
def test_messages_of_any_size_go_both_ways_whatever_the_window(window: int) -> None:
    served, client = Served(), Connection("/service/Method", window=window)
    sizes = (0, 1, 16_379, 16_380, 200_000)
    for size in sizes:
        client.send(bytes(size))
    got: list[bytes] = []
    carry(client, served.connection)
    for size in sizes:
        served.connection.send(1, bytes(size))
    carry(client, served.connection, take=got.append)
    assert [len(request) for request in served.requests] == list(sizes)
    assert [len(message) for message in got] == list(sizes)
    assert client.ended is None


def test_the_end_of_a_call_is_noticed() -> None:
    served, client = Served(), Connection("/service/Method", window=1 << 16)
    carry(client, served.connection)
    served.connection.end(1, 3, "no")
    carry(client, served.connection)
    assert client.ended is not None
    assert "the server ended the call" in client.ended


class Mesh:
    """A machine that serves one proxy."""

    def __init__(self, *, delta: bool) -> None:
        self.snapshot = Snapshot.of(Resource.of(message) for message in all_of(range(CLUSTERS)))
        self.proxy: Proxy = (DeltaProxy if delta else SotwProxy)(NODE, window=1 << 20)
        self.delta = delta
        self.connect()

    def connect(self) -> None:
        self.machine = DeltaMachine(self.snapshot) if self.delta else SotwMachine(self.snapshot)
        self.served = Served()
        self.proxy.connect()
        self.settle()

    def change(self, number: int) -> None:
        self.snapshot = self.snapshot.replace(put=[Resource.of(endpoints(0, number))])
        self._send(self.machine.publish(self.snapshot, now=0.0))
        self.settle()

    def settle(self) -> None:
        carry(self.proxy.connection, self.served.connection, take=self.proxy.take)
        while self.served.requests:
            request = self.served.requests.popleft()
            if isinstance(self.machine, DeltaMachine):
                self._send(self.machine.on_request(DeltaDiscoveryRequest.FromString(request), now=0.0))
            else:
                self._send(self.machine.on_request(DiscoveryRequest.FromString(request), now=0.0))
            carry(self.proxy.connection, self.served.connection, take=self.proxy.take)

    def _send(self, responses: list[Response]) -> None:
        for response in responses:
            self.served.connection.send(1, response.encode())


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
def test_a_proxy_settles_notices_changes_and_accepts_them(delta: bool) -> None:
    mesh = Mesh(delta=delta)
    assert mesh.proxy.settled
    assert mesh.proxy.resources == 2 * CLUSTERS + 2
    mesh.proxy.forget_counts()
    mesh.change(1)
    mesh.change(2)
    assert (mesh.proxy.change, mesh.proxy.late, mesh.proxy.messages, mesh.proxy.resources) == (2, 0, 2, 2)
    assert all(status.in_sync and status.nacked is None for status in mesh.machine.status())


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
def test_a_proxy_that_refuses_is_believed(delta: bool) -> None:
    mesh = Mesh(delta=delta)
    mesh.proxy.refuses = True
    mesh.change(1)
    [refused] = [status.nacked for status in mesh.machine.status() if status.nacked is not None]
    assert refused.reason == "refused by the benchmark"


def test_a_delta_proxy_reconnects_with_what_it_holds_and_is_sent_nothing() -> None:
    mesh = Mesh(delta=True)
    mesh.proxy.forget_counts()
    mesh.connect()
    assert (mesh.proxy.messages, mesh.proxy.resources) == (0, 0)
    mesh.change(1)
    assert mesh.proxy.change == 1


def test_a_proxy_knows_clusters_by_their_names() -> None:
    mesh = Mesh(delta=False)
    [(_, names)] = [item for item in mesh.proxy.names.items() if item[0].endswith("ClusterLoadAssignment")]
    assert names == [cluster_name(number) for number in range(CLUSTERS)]
