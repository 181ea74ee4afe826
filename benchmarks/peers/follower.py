"""One simulated proxy of any of the control planes: follows by delta xDS what an Envoy would. A machine without I/O.

All clusters first, the endpoints of those that have them by EDS, then all listeners, then the routes that these name.
What it is sent is looked into as far as that needs; a thousand proxies are sent the same, so each content once.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from google.protobuf.json_format import ParseDict

from benchmarks.fanout.http2 import Connection
from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE
from xds.server import ADS
from xds.wire import string

_CDS, _EDS, _LDS, _RDS = (type.type_url for type in (CLUSTER, ENDPOINT, LISTENER, ROUTE))
_CHANGE = re.compile(rb"/version/(\d+)")
_WINDOW = 1 << 24  # octets; Envoy's default for a stream
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


class Follower:
    """change, at: the newest version of the route that changes, and when it arrived (CLOCK_MONOTONIC, ns).
    octets: received in responses."""

    def __init__(self, node: Mapping[str, Any]) -> None:
        self.connection = Connection(f"/{ADS}/DeltaAggregatedResources", window=_WINDOW)
        self.change, self.at, self.octets = -1, 0, 0
        self._node = ParseDict(dict(node), Node())
        self._wanted: dict[str, set[str]] = {}  # by type, what was subscribed to by name
        self._held: dict[str, set[str]] = {}
        self._subscribe(_CDS, ())

    @property
    def settled(self) -> bool:
        """Whether it has all that it follows."""
        routes = self._wanted.get(_RDS)
        return bool(routes) and all(
            names <= self._held.get(type_url, set()) for type_url, names in self._wanted.items()
        )

    def take(self, message: bytes) -> None:
        """A response: ACKs it, and follows what it refers to."""
        self.octets += len(message)
        response = DeltaDiscoveryResponse.FromString(message)
        type_url = response.type_url
        self.connection.send(string(2, type_url) + string(6, response.nonce))
        held = self._held.setdefault(type_url, set())
        held.update(resource.name for resource in response.resources)
        held.difference_update(response.removed_resources)
        bodies = [resource.resource.value for resource in response.resources]
        if type_url == _CDS:
            self._follow(_EDS, (name for body in bodies for name in endpoints_of(body)))
            if not self._wanted.get(_EDS):
                self._follow_listeners()
        elif type_url == _EDS:
            self._follow_listeners()
        elif type_url == _LDS:
            self._follow(_RDS, (name for body in bodies for name in routes_of(body)))
        elif type_url == _RDS:
            for found in _CHANGE.finditer(message):
                if int(found[1]) > self.change:
                    self.change, self.at = int(found[1]), time.monotonic_ns()

    def _follow_listeners(self) -> None:
        if _LDS not in self._wanted:
            self._subscribe(_LDS, ())

    def _follow(self, type_url: str, names: Iterable[str]) -> None:
        new = set(names) - self._wanted.get(type_url, set())
        if new:
            self._subscribe(type_url, sorted(new))

    def _subscribe(self, type_url: str, names: Iterable[str]) -> None:
        """No names: to all of the type."""
        request = DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names)
        if not self._wanted:
            request.node.CopyFrom(self._node)  # Envoy's set_node_on_first_message_only
        self._wanted.setdefault(type_url, set()).update(names)
        self.connection.send(request.SerializeToString())


@functools.cache
def endpoints_of(cluster: bytes) -> tuple[str, ...]:
    """The name by which a cluster's endpoints are asked for, if they are."""
    found = Cluster.parse(cluster)
    if found.type is not ClusterDiscoveryType.EDS:
        return ()
    assert found.eds_cluster_config is not None
    return (found.eds_cluster_config.service_name or found.name,)


@functools.cache
def routes_of(listener: bytes) -> tuple[str, ...]:
    """The names of the route configurations that a listener asks for."""
    found = Listener.parse(listener)
    chains = [*found.filter_chains, *([found.default_filter_chain] if found.default_filter_chain else [])]
    names = []
    for each in (each for chain in chains for each in chain.filters):
        if each.typed_config is not None and each.typed_config.type_url == _MANAGER:
            manager = HttpConnectionManager.parse(each.typed_config.value)
            names += [manager.rds.route_config_name] if manager.rds is not None else []
    return tuple(names)
