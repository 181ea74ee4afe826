"""The names of compiled resources. Operators meet them in Envoy's statistics, so they say what they are."""

from __future__ import annotations

import re

from policy.backends import Backend
from registry.model import DocumentKey


def group(gateway: DocumentKey) -> str:
    """The group of proxies that serve a Gateway: their `node.cluster`."""
    return f"{gateway.namespace}/{gateway.name}"


def sidecar_group(sidecar: DocumentKey) -> str:
    """The group of the proxies beside a service's instances."""
    return f"sidecar/{sidecar.namespace}/{sidecar.name}"


def outbound_routes(sidecar: DocumentKey) -> str:
    """The route configuration of what a sidecar's application calls, and its listener."""
    return f"{sidecar_group(sidecar)}/outbound"


def listener(gateway: DocumentKey, port: int) -> str:
    """An Envoy listener: all of a Gateway's listeners on one port. Of a plain HTTP port, its routes, too."""
    return f"{gateway.namespace}/{gateway.name}/{port}"


def listener_routes(gateway: DocumentKey, port: int, listener: str) -> str:
    """The route configuration of one listener of a TLS port, or the statistics of one that carries connections."""
    return f"{gateway.namespace}/{gateway.name}/{port}/{listener}"


def cluster(backend: Backend) -> str:
    """A cluster and its load assignment: a service, or one version of it."""
    return str(backend)


def route(document: DocumentKey | str, rule: int, match: int) -> str:
    """An Envoy route: one match of one rule of a document."""
    return f"{document} rule {rule} match {match}"


_ROUTE = re.compile(r"(?P<kind>\w+) (?P<namespace>[^ /]+)/(?P<name>[^ /]+) rule (?P<rule>\d+) match (?P<match>\d+)")


def route_source(name: str) -> tuple[DocumentKey, int, int] | None:
    """What `route` made a name from: the document, its rule and match; None if it did not."""
    found = _ROUTE.fullmatch(name)
    if found is None:
        return None
    return DocumentKey(found["kind"], found["namespace"], found["name"]), int(found["rule"]), int(found["match"])
