"""What a call of the application beside a sidecar meets on its way out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from policy.compiler.http_filters import asked
from policy.compiler.inputs import RoutedHost
from policy.compiler.names import outbound_routes, sidecar_group
from policy.compiler.routing import Routing
from policy.compiler.sidecars import sidecar_ports
from policy.documents import Documents
from policy.explain.explain import Explaining
from policy.explain.explanation import Answered, Effect, Explanation, NotServed, Step
from policy.explain.request import Request
from policy.external_service import ExternalService, with_external
from policy.gateway import Listener
from policy.identities import Identities, NoIdentities
from policy.on_demand import named
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey

_PATH = "spec.outbound"


def explain_call(
    mesh: Mesh, request: Request, *, sidecar: DocumentKey, now: datetime, identities: Identities | None = None
) -> Explanation:
    """What `request` would meet on its way out through the proxy of `sidecar` at the time `now`."""
    documents = Documents.of(mesh)
    found = documents.get(Sidecar, sidecar.namespace, sidecar.name)
    if found is None:
        return Explanation(request, "", "", "", None, (), NotServed(f"there is no {sidecar}"))
    if request.scheme != "http":
        reason = "its proxy routes http by host: what is encrypted, it cannot look into"
        return Explanation(request, str(found.key), "outbound", "", None, (), NotServed(reason))
    home = found.key.namespace
    declared = {ServiceKey(item.namespace or home, item.name) for item in found.spec.dependencies}
    meant = named(mesh, documents, found, request.host)
    undeclared = {meant} - declared if meant is not None else set()
    mesh = with_external(mesh, documents.all(ExternalService))
    routing = Routing(mesh, documents, identities if identities is not None else NoIdentities())
    name = outbound_routes(found.key)
    port = next(item for item in sidecar_ports(routing, documents, found, undeclared) if item.bound.name == name)
    listener = Listener(name="outbound", protocol="HTTP", port=port.bound.port)
    calling = _Calling(mesh, documents, request, str(found.key), (listener,), port, now, found, meant in undeclared)
    return calling.by_http(name, calling.listeners)


@dataclass(frozen=True, slots=True)
class _Calling(Explaining):
    sidecar: Sidecar
    is_found: bool

    @property
    def group(self) -> str:
        return sidecar_group(self.sidecar.key)

    def arrived(self, listener: Listener) -> Step:
        what = f"goes out through port {listener.port} of the proxy"
        return Step("listener", Effect.PASSES, what, str(self.sidecar.key), f"{_PATH}.port")

    def served(self, hosts: Sequence[RoutedHost]) -> RoutedHost | None:
        host = self.request.host
        return next((item for item in hosts if host in (item.hostname, *item.aliases)), None)

    def known_as(self, host: RoutedHost) -> Step:
        if not self.is_found:
            return Step("host", Effect.PASSES, f"{self.request.host} is {host.hostname}, a dependency")
        words = f"{self.request.host} is {host.hostname}, no dependency: the first call waits until it is found"
        if any(asked(rule) for rule in host.rules):
            words += ", and gets 503, because it could not meet what its route asks for"
        return Step("host", Effect.PASSES, words, str(self.sidecar.key), f"{_PATH}.undeclared")

    def unknown(self) -> Answered:
        refuses = self.sidecar.spec.outbound.undeclared == "Refuse"
        reason = "no dependency of its service" if refuses else "no service that it may call"
        return Answered(404, f"{self.request.host or 'a host that it does not name'} is {reason}")
