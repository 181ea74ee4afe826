"""The hosts of one route configuration, kept from mesh to mesh: a changed route touches the hosts that serve it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from policy.attachment import ANY_HOST, served_under
from policy.compiler.inputs import RoutedHost, RoutedRule
from policy.documents import Documents
from policy.gateway import Gateway, Listener
from policy.grpc_route import GRPCRoute
from policy.http_route import HTTPRoute
from policy.kinds import ROUTE_KINDS
from registry.model import DocumentKey

Resolve: TypeAlias = Callable[[HTTPRoute | GRPCRoute, Listener], tuple[RoutedRule, ...]]
"""A route's rules as a listener serves them."""

_KIND_ORDER = {kind.KIND: index for index, kind in enumerate(ROUTE_KINDS)}


class HostTable:
    """The hostnames that `listeners` of a Gateway serve by HTTP. rivals: all listeners of their port.

    Gateway API, Listener: a request is the most specific listener's alone, so `*.example` gets nothing that
    `shop.example` could take, also where `shop.example` has no route for it.
    """

    def __init__(self, gateway: Gateway, listeners: Sequence[Listener], rivals: Sequence[Listener]) -> None:
        self._gateway = gateway
        self._listeners = listeners
        self._rivals = rivals
        self._owned = {listener.hostname or ANY_HOST for listener in listeners} if len(listeners) > 1 else set()
        self._hostnames: dict[DocumentKey, tuple[str, ...]] = {}
        self._members: dict[str, dict[DocumentKey, tuple[RoutedRule, ...]]] = {name: {} for name in self._owned}
        self._hosts: dict[str, RoutedHost] = {name: RoutedHost(name, ()) for name in self._owned}
        self._sorted: tuple[RoutedHost, ...] | None = None

    def is_for(self, gateway: Gateway) -> bool:
        """Whether the table was made of this very document."""
        return self._gateway is gateway

    @property
    def hosts(self) -> tuple[RoutedHost, ...]:
        """All hosts, sorted by hostname. As long as nothing changes, the identical tuple."""
        if self._sorted is None:
            self._sorted = tuple(host for _, host in sorted(self._hosts.items()))
        return self._sorted

    def update(self, documents: Documents, routes: Iterable[DocumentKey], resolve: Resolve) -> None:
        """Looks anew at `routes`, which may have come, changed or gone; all others are as they were."""
        touched: set[str] = set()
        for key in routes:
            for hostname in self._hostnames.pop(key, ()):
                del self._members[hostname][key]
                touched.add(hostname)
            route = documents.find(key)
            if isinstance(route, HTTPRoute | GRPCRoute):
                touched.update(self._add(route, resolve))
        for hostname in touched:
            self._build(hostname)
        if touched:
            self._sorted = None

    def _add(self, route: HTTPRoute | GRPCRoute, resolve: Resolve) -> tuple[str, ...]:
        """Puts `route` under its hostnames, and returns those."""
        found: dict[str, Listener] = {}
        for listener, hostname in served_under(route, self._gateway, self._listeners, rivals=self._rivals):
            found.setdefault(hostname, listener)
        rules: dict[str, tuple[RoutedRule, ...]] = {}
        for hostname, listener in found.items():
            if listener.name not in rules:
                rules[listener.name] = resolve(route, listener)
            self._members.setdefault(hostname, {})[route.key] = rules[listener.name]
        if found:
            self._hostnames[route.key] = tuple(found)
        return tuple(found)

    def _build(self, hostname: str) -> None:
        members = self._members[hostname]
        if members or hostname in self._owned:
            ordered = sorted(members.items(), key=lambda item: (_KIND_ORDER[item[0].kind], item[0]))
            self._hosts[hostname] = RoutedHost(hostname, tuple(rule for _, rules in ordered for rule in rules))
        else:
            del self._members[hostname]
            self._hosts.pop(hostname, None)
