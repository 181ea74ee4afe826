"""What all Gateways serve, resolved once for all checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from policy.backends import Backend
from policy.compiler.http_filters import needs
from policy.compiler.inputs import HttpListener, RoutedHost, RoutedRule, StreamListener
from policy.compiler.routing import RoutedPort, Routing
from policy.compiler.sidecars import sidecar_ports
from policy.documents import Documents
from policy.external_service import ExternalService, with_external
from policy.gateway import Gateway
from policy.identities import Identities
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import ServiceKey


@dataclass(frozen=True)
class Served:
    """A mesh, and the ports of its Gateways and sidecars as they are compiled."""

    mesh: Mesh
    documents: Documents
    identities: Identities

    @cached_property
    def routing(self) -> Routing:
        mesh = with_external(self.mesh, self.documents.all(ExternalService))
        return Routing(mesh, self.documents, self.identities)

    @cached_property
    def gateway_ports(self) -> tuple[tuple[Gateway, RoutedPort], ...]:
        gateways = self.documents.all(Gateway)
        return tuple((gateway, port) for gateway in gateways for port in self.routing.ports(gateway))

    @cached_property
    def _ports(self) -> tuple[RoutedPort, ...]:
        sidecars = self.documents.all(Sidecar)
        beside = (port for sidecar in sidecars for port in sidecar_ports(self.routing, self.documents, sidecar))
        return (*(port for _, port in self.gateway_ports), *beside)

    @cached_property
    def rules(self) -> tuple[RoutedRule, ...]:
        """Every rule that some proxy serves; once for each host that has it."""
        return tuple(rule for port in self._ports for host in _hosts(port) for rule in host.rules)

    @cached_property
    def backends(self) -> frozenset[Backend]:
        """All that some proxy sends requests to."""
        return frozenset(backend for port in self._ports for backend in self._backends(port))

    def _backends(self, port: RoutedPort) -> Iterator[Backend]:
        for host in _hosts(port):
            yield from host.backends
        for chain in port.bound.chains:
            match chain:
                case StreamListener():
                    yield from (backend for backend, _ in chain.targets)
                case HttpListener():
                    for need in needs(chain.asked):
                        if isinstance(need, ServiceKey):
                            yield self.routing.backend(*need)


def _hosts(port: RoutedPort) -> Iterator[RoutedHost]:
    for hosts in port.hosts.values():
        yield from hosts
