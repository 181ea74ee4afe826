"""Checks of what nobody reaches: policies without requests, services without routes, listeners without hosts."""

from __future__ import annotations

from collections.abc import Iterator

from policy.analysis.finding import Finding, Severity
from policy.analysis.served import Served
from policy.attached import Target
from policy.gateway import Gateway
from policy.route import Route
from policy.sidecar import Sidecar
from registry.model import DocumentKey, ServiceKey


def idle_policies(served: Served) -> Iterator[Finding]:
    """Policies on what no request meets."""
    routes = {rule.route.key for rule in served.rules}
    services = {backend.service for backend in served.backends}
    services |= {ServiceKey(*sidecar.key[1:]) for sidecar in served.documents.all(Sidecar)}
    streams = {key for _, port in served.gateway_ports for key in port.streams}
    for policy in served.documents.policies:
        for index, target in enumerate(policy.targets()):
            if (reason := _idle(served, target, routes, services, streams)) is not None:
                yield Finding(
                    Severity.WARNING,
                    "idle-policy",
                    str(policy.key),
                    f"spec.targetRefs[{index}]",
                    f"has no effect: {reason}",
                    "route requests to its target, or remove the policy",
                )


def _idle(
    served: Served, target: Target, routes: set[DocumentKey], services: set[ServiceKey], streams: set[str]
) -> str | None:
    document = served.documents.find(DocumentKey(*target[:3]))
    match document:
        case Gateway():
            if not served.documents.routes_of(document):
                return f"no route is attached to {document.key}"
        case Route():
            if document.key not in routes and str(document.key) not in streams:
                return f"no listener serves {document.key}"
        case _:
            service = ServiceKey(target.namespace, target.name)
            if target.kind == "Service" and service in served.mesh.services and service not in services:
                return f"nobody sends requests to {service}"
    return None


def unrouted_services(served: Served) -> Iterator[Finding]:
    """Registered services that no route, policy or sidecar leads to."""
    reached = {backend.service for backend in served.backends}
    reached |= {ServiceKey(*sidecar.key[1:]) for sidecar in served.documents.all(Sidecar)}
    for service in sorted(served.mesh.services.keys() - reached):
        yield Finding(
            Severity.INFO,
            "unrouted",
            f"Service {service}",
            "",
            "nothing routes to it",
            "name it in a route's backendRefs, or deregister it",
        )


def empty_listeners(served: Served) -> Iterator[Finding]:
    """Gateways to which no route is attached: they answer 404, or close connections."""
    for gateway in served.documents.all(Gateway):
        if not served.documents.routes_of(gateway):
            yield Finding(
                Severity.WARNING,
                "empty",
                str(gateway.key),
                "spec.listeners",
                "no route is attached, so every request gets 404",
                "attach a route by its parentRefs",
            )
