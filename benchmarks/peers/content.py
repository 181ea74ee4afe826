"""What all sides serve: a route that changes, others that do not, and the services behind those.

The first route, for every host, answers by itself: it redirects to "/version/N", and a change is another N. Each other
route leads from a path to a service; ten of them share a host, a document and a service, and a service has three
endpoints. Each side is told this in its own documents: `gateway_api` for ours and Envoy Gateway's, `istio` for
istiod's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROUTES_OF_A_HOST = 10
SERVICE_PORT = 80
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")  # of the endpoints of each service; all are this machine
GATEWAY = "bench"


@dataclass(frozen=True, slots=True)
class Host:
    """A host with its routes and the service that all of them lead to; the first one lacks the route that changes."""

    number: int

    @property
    def name(self) -> str:
        return f"host-{self.number}"

    @property
    def domain(self) -> str:
        return f"{self.name}.example.com"

    @property
    def service(self) -> str:
        return f"service-{self.number}"

    @property
    def paths(self) -> Sequence[str]:
        """What the paths of its routes begin with."""
        first = self.number * ROUTES_OF_A_HOST
        return [f"/path-{number}" for number in range(max(first, 1), first + ROUTES_OF_A_HOST)]


def hosts(first: int, routes: int) -> Sequence[Host]:
    """What makes `routes` routes of `first`, the one that changes counted in both.

    Raises:
        ValueError: either is neither 1 nor a multiple of ten.
    """
    for number in (first, routes):
        if number != 1 and (number < 1 or number % ROUTES_OF_A_HOST):
            raise ValueError(f"routes: got {number}, want 1 or a multiple of {ROUTES_OF_A_HOST}")
    return [Host(number) for number in range(first // ROUTES_OF_A_HOST, routes // ROUTES_OF_A_HOST)]


def location(version: int) -> str:
    """Where the first route redirects to, in its `version`th version."""
    return f"/version/{version}"
