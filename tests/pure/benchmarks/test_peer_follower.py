"""The simulated proxy that follows any control plane, against our server's machine."""

from __future__ import annotations

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterEdsClusterConfig
from envoy_data_plane.envoy.config.route.v3 import RedirectAction, Route, RouteConfiguration, RouteMatch, VirtualHost

from benchmarks.fanout.content import ROUTES, cluster, endpoints, listener
from benchmarks.peers.content import location
from benchmarks.peers.follower import Follower, endpoints_of, routes_of
from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest
from tests.http2_ends import Served, carry
from xds.delta import DeltaMachine
from xds.machine import Response
from xds.resource import Resource
from xds.snapshot import Snapshot


def routes(version: int) -> Resource:
    redirect = Route(match=RouteMatch(prefix="/"), redirect=RedirectAction(path_redirect=location(version)))
    return Resource.of(
        RouteConfiguration(name=ROUTES, virtual_hosts=[VirtualHost(name="all", domains=["*"], routes=[redirect])])
    )


class Mesh:
    """A machine that serves one follower."""

    def __init__(self, *, clusters: int) -> None:
        resources = [Resource.of(make(number)) for number in range(clusters) for make in (cluster, endpoints)]
        self.snapshot = Snapshot.of([*resources, Resource.of(listener()), routes(0)])
        self.machine = DeltaMachine(self.snapshot)
        self.served = Served()
        self.follower = Follower({"id": "a", "cluster": "b", "metadata": {"LABELS": {"c": "d"}}})
        self.nodes: list[str] = []
        self.settle()

    def publish(self, *put: Resource) -> None:
        self.snapshot = self.snapshot.replace(put=put)
        self._send(self.machine.publish(self.snapshot, now=0.0))
        self.settle()

    def settle(self) -> None:
        carry(self.follower.connection, self.served.connection, take=self.follower.take)
        while self.served.requests:
            request = DeltaDiscoveryRequest.FromString(self.served.requests.popleft())
            self.nodes += [request.node.id] if request.HasField("node") else []
            self._send(self.machine.on_request(request, now=0.0))
            carry(self.follower.connection, self.served.connection, take=self.follower.take)

    def _send(self, responses: list[Response]) -> None:
        for response in responses:
            self.served.connection.send(1, response.encode())


def test_it_settles_notices_changes_and_accepts_them() -> None:
    mesh = Mesh(clusters=3)
    assert mesh.follower.settled
    assert mesh.follower.change == 0
    mesh.publish(routes(7))
    assert mesh.follower.change == 7
    mesh.publish(routes(6))  # an older one is no news
    assert mesh.follower.change == 7
    assert all(status.in_sync and status.nacked is None for status in mesh.machine.status())
    assert mesh.nodes == ["a"]  # once for each stream, as our Envoys do


def test_it_settles_where_there_are_no_clusters() -> None:
    assert Mesh(clusters=0).follower.settled


def test_a_cluster_that_comes_later_is_followed() -> None:
    mesh = Mesh(clusters=1)
    mesh.publish(Resource.of(cluster(5)), Resource.of(endpoints(5)))
    assert mesh.follower.settled
    assert all(status.in_sync for status in mesh.machine.status())


def test_a_cluster_is_followed_by_the_name_that_it_gives_its_endpoints() -> None:
    eds = Cluster(name="a", type=ClusterDiscoveryType.EDS, eds_cluster_config=ClusterEdsClusterConfig())
    config = ClusterEdsClusterConfig(service_name="b")
    named = Cluster(name="a", type=ClusterDiscoveryType.EDS, eds_cluster_config=config)
    static = Cluster(name="a", type=ClusterDiscoveryType.STATIC)
    assert [endpoints_of(bytes(each)) for each in (eds, named, static)] == [("a",), ("b",), ()]


def test_a_listener_is_followed_by_the_routes_that_it_asks_for() -> None:
    assert routes_of(bytes(listener())) == (ROUTES,)
