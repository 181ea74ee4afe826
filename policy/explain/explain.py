"""Which listener, host, route, rule, policies and backends a request would meet, in order. Pure.

Told from the typed documents. Where a request goes by chance (weights) or by what others do (limits), it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from policy.attached import AttachedPolicy
from policy.attachment import ANY_HOST, covers, owner
from policy.backends import Backend
from policy.compiler import names
from policy.compiler.inputs import HttpListener, RoutedHost, RoutedRule, StreamListener
from policy.compiler.matches import precedence
from policy.compiler.routing import RoutedPort, Routing
from policy.documents import Documents
from policy.effective import NOTHING, Effective
from policy.explain.arrival import arrival, by_server_name, client_address, for_server_name
from policy.explain.changes import (
    changed_path,
    header_steps,
    location,
    mirror_steps,
    redirect_of,
    rewrite_of,
    with_query,
)
from policy.explain.explanation import (
    Answered,
    Effect,
    Explanation,
    Forwarded,
    Matched,
    NotServed,
    Outcome,
    Share,
    Step,
)
from policy.explain.filters import through_filters, without_effect
from policy.explain.inbound import inbound
from policy.explain.matching import meets_path, unmet, words
from policy.explain.meeting import Place
from policy.explain.policies import at_listener, at_router
from policy.explain.request import Request
from policy.external_service import ExternalService, with_external
from policy.gateway import Gateway, Listener
from policy.http_route import HTTPRouteMatch
from policy.identities import Identities, NoIdentities
from policy.shapes import format_duration
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey

_PASSED_OVER = 5
_FINE = 200


def explain(
    mesh: Mesh,
    request: Request,
    *,
    now: datetime,
    gateway: DocumentKey | None = None,
    service: ServiceKey | None = None,
    identities: Identities | None = None,
) -> Explanation:
    """What `request` would meet at the time `now`. gateway: where it arrives; None: at the one that listens on the
    URL's port. service: it arrives at the sidecars of this service. identities: where certificates come from. Lists of
    addresses are filled into `mesh` already (`policy.address_lists`)."""
    documents = Documents.of(mesh)
    mesh = with_external(mesh, documents.all(ExternalService))
    routing = Routing(mesh, documents, identities if identities is not None else NoIdentities())
    if service is not None:
        return inbound(routing, documents, service, request, now)
    found = arrival(documents, request, gateway)
    if isinstance(found, NotServed):
        return Explanation(request, "", "", "", None, (), found)
    chosen, listeners = found
    port = next((item for item in routing.ports(chosen) if item.bound.port == listeners[0].port), None)
    return _Arriving(mesh, documents, request, str(chosen.key), listeners, port, now, chosen).explanation()


@dataclass(frozen=True, slots=True)
class Explaining:
    """One request at one port. where: the document that says that it listens."""

    mesh: Mesh
    documents: Documents
    request: Request
    where: str
    listeners: Sequence[Listener]
    port: RoutedPort | None
    now: datetime

    @property
    def group(self) -> str:
        """The proxies that it arrives at."""
        raise NotImplementedError

    def arrived(self, listener: Listener) -> Step:
        """The first step."""
        raise NotImplementedError

    def served(self, hosts: Sequence[RoutedHost]) -> RoutedHost | None:
        """What of `hosts` the request is for."""
        return _served(hosts, self.request.host)

    def known_as(self, host: RoutedHost) -> Step:
        return Step("host", Effect.PASSES, f"{self.request.host} is served as {host.hostname}")

    def unknown(self) -> Answered:
        """What becomes of a request for a host that is not served."""
        port = self.listeners[0].port
        return Answered(404, f"no route of port {port} is for the host {self.request.host or 'that it does not name'}")

    def by_http(self, routes: str, listeners: Sequence[Listener]) -> Explanation:
        """The explanation by the hosts of one route configuration, which is that of `listeners`."""
        hosts = self.port.hosts[routes] if self.port is not None else ()
        common, first = self._common(routes), listeners[0]
        address = client_address(self.request, common)
        request = replace(self.request, address=address)
        always = list(self._always(common.policies, request))
        if request.redirect is not None:
            target = with_query(request.redirect, request)
            reason = "its path holds an escaped slash, which is not the same as a slash to everybody"
            return self._ended(first, "", [self.arrived(first), *always], Answered(307, reason, target))
        host = self.served(hosts)
        if host is None:
            return self._ended(first, "", [self.arrived(first), *always], self.unknown())
        listener = owner(listeners, host.hostname)
        steps = [self.arrived(listener), *always, self.known_as(host)]
        chosen, passed_over = self._match(host)
        if chosen is None:
            reason = f"no rule for {host.hostname} matches"
            return self._ended(listener, host.hostname, steps, Answered(404, reason), passed_over=passed_over)
        rule, number, match = chosen
        document, where = str(rule.route.key), f"spec.rules[{rule.index}]"
        matched = Matched(document, rule.index, rule.rule.name or "", number)
        steps.append(Step("route", Effect.PASSES, words(match), document, f"{where}.matches[{number}]"))
        place = Place(rule, self.now)
        met = through_filters(place, request)
        steps += met.steps
        request = met.request
        if met.answer is not None:
            return self._ended(listener, host.hostname, steps, met.answer, matched, passed_over)
        steps += without_effect(place)
        steps += header_steps(rule.rule.filters, document=document, path=f"{where}.filters")
        told, outcome = self._outcome(rule, match, request, document, where)
        return self._ended(listener, host.hostname, [*steps, *told], outcome, matched, passed_over)

    def _always(self, policies: tuple[AttachedPolicy, ...], request: Request) -> Iterator[Step]:
        return at_listener(self.documents, self.group, policies, request)

    def _common(self, routes: str) -> Effective:
        """The policies of what all requests meet that are routed by `routes`."""
        chains = self.port.bound.chains if self.port is not None else ()
        return next((c.policies for c in chains if isinstance(c, HttpListener) and c.name == routes), NOTHING)

    def _ended(
        self,
        listener: Listener | None,
        hostname: str,
        steps: Sequence[Step],
        outcome: Outcome,
        matched: Matched | None = None,
        passed_over: Sequence[str] = (),
    ) -> Explanation:
        if isinstance(outcome, Answered) and outcome.status != _FINE and self.request.is_grpc:
            outcome = outcome.in_grpc()
        return Explanation(
            self.request,
            self.where,
            listener.name if listener is not None else "",
            hostname,
            matched,
            tuple(steps),
            outcome,
            tuple(passed_over),
        )

    def _match(self, host: RoutedHost) -> tuple[tuple[RoutedRule, int, HTTPRouteMatch] | None, list[str]]:
        """The first match that holds, in the order of precedence, and what stood before it."""
        entries = [(rule, number, match) for rule in host.rules for number, match in enumerate(rule.rule.matches)]
        entries.sort(key=lambda entry: precedence(entry[2]))
        before: list[tuple[bool, str]] = []
        for rule, number, match in entries:
            reason = unmet(match, self.request)
            if reason is None:
                return (rule, number, match), _telling(before)
            where = f"{rule.route.key}: spec.rules[{rule.index}].matches[{number}]"
            before.append((meets_path(match, self.request), f"{where}: {reason}"))
        return None, _telling(before)

    def _policies(self, rule: RoutedRule) -> Iterator[AttachedPolicy]:
        yield from rule.policies.policies
        seen = set(rule.policies.policies)
        for ref, backend in zip(rule.rule.backend_refs, rule.backends, strict=True):
            if ref.weight:
                for policy in self.documents.attachments.on_backend(backend).policies:
                    if policy not in seen:
                        seen.add(policy)
                        yield policy

    def _outcome(
        self, routed: RoutedRule, match: HTTPRouteMatch, request: Request, document: str, where: str
    ) -> tuple[list[Step], Outcome]:
        rule = routed.rule
        if (redirect := redirect_of(rule.filters)) is not None:
            target = location(redirect, match, request, port=self.listeners[0].port)
            step = Step(
                "redirect", Effect.ANSWERS, f"answered with {redirect.status_code} to {target}", document, where
            )
            return [step], Answered(redirect.status_code, "a RequestRedirect", target)
        total = sum(ref.weight for ref in rule.backend_refs)
        if total == 0:
            reason = "the rule has no backend with a weight"
            return [Step("backends", Effect.REFUSES, reason, document, where)], Answered(500, reason)
        steps = list(mirror_steps(rule.filters, document=document, path=f"{where}.filters"))
        steps += at_router(tuple(self._policies(routed)), request)
        host, path = request.authority, request.path
        if (rewrite := rewrite_of(rule.filters)) is not None:
            host = rewrite.hostname or host
            path = changed_path(rewrite.path, match, path) if rewrite.path is not None else path
            steps.append(Step("rewrite", Effect.CHANGES, f"goes on as {host}{path}", document, f"{where}.filters"))
        if rule.timeouts is not None and rule.timeouts.request:
            limit = format_duration(rule.timeouts.request)
            said = f"answered with 504 after {limit} without an answer"
            steps.append(Step("timeout", Effect.MAY_REFUSE, said, document, f"{where}.timeouts"))
        shares = [
            self._share(backend, ref.weight / total)
            for ref, backend in zip(rule.backend_refs, routed.backends, strict=True)
        ]
        for index, (share, ref) in enumerate(zip(shares, rule.backend_refs, strict=True)):
            if not ref.weight:
                continue
            steps += header_steps(ref.filters, document=document, path=f"{where}.backendRefs[{index}].filters")
            if not share.endpoints:
                effect = Effect.REFUSES if share.share == 1 else Effect.MAY_REFUSE
                said = f"{share.backend} has no endpoints: 503"
                steps.append(Step("backend", effect, said, document, f"{where}.backendRefs[{index}]"))
        return steps, Forwarded(tuple(share for share in shares if share.share), host, with_query(path, request))

    def _share(self, backend: Backend, share: float) -> Share:
        return Share(str(backend), share, sum(1 for _ in backend.among(self.mesh.endpoints_of(backend.service))))


@dataclass(frozen=True, slots=True)
class _Arriving(Explaining):
    gateway: Gateway

    @property
    def group(self) -> str:
        return names.group(self.gateway.key)

    def explanation(self) -> Explanation:
        listener: Listener | None = self.listeners[0]
        assert listener is not None
        if listener.protocol == "HTTP":
            return self.by_http(names.listener(self.gateway.key, listener.port), self.listeners)
        asked, port = self.request.server_name, listener.port
        listener = by_server_name(self.listeners, asked)
        if listener is None:
            reason = f"no listener of port {port} is for the server name {asked or 'that it does not ask for'}"
            return self._ended(None, "", [], NotServed(f"the connection is closed: {reason}"))
        name = names.listener_routes(self.gateway.key, port, listener.name)
        if listener.is_http and self.port is not None and name in self.port.hosts:
            return self.by_http(name, [listener])
        chains = self.port.bound.chains if self.port is not None else ()
        carried = [chain for chain in chains if isinstance(chain, StreamListener) and chain.name.startswith(f"{name}/")]
        chosen = for_server_name(carried, asked)
        if chosen is None:
            reason = (
                "its listener has no certificate to show"
                if listener.is_http
                else f"no route of its listener carries connections for {asked or 'no server name'}"
            )
            return self._ended(listener, "", [self.arrived(listener)], NotServed(f"the connection is closed: {reason}"))
        policies = chosen.policies.policies
        total = sum(weight for _, weight in chosen.targets)
        shares = tuple(self._share(backend, weight / total) for backend, weight in chosen.targets if weight)
        what = "its connection is carried as it is, and nobody looks into it"
        steps = [
            self.arrived(listener),
            *self._always(policies, self.request),
            Step("connection", Effect.PASSES, what),
            *at_router(policies, self.request),
        ]
        outcome = Forwarded(shares, self.request.authority, with_query(self.request.path, self.request))
        return self._ended(listener, "", steps, outcome)

    def arrived(self, listener: Listener) -> Step:
        index = self.gateway.spec.listeners.index(listener)
        what = f"arrives at the listener {listener.name}, {listener.protocol} on port {listener.port}"
        return Step("listener", Effect.PASSES, what, str(self.gateway.key), f"spec.listeners[{index}]")


def _served(hosts: Sequence[RoutedHost], host: str) -> RoutedHost | None:
    """The most specific of the hostnames that stand for `host` (Envoy, VirtualHost.domains: exact, longest wildcard,
    any)."""
    by_name = {item.hostname: item for item in hosts}
    if host in by_name and host != ANY_HOST:
        return by_name[host]
    wildcards = [item for item in hosts if item.hostname != ANY_HOST and covers(item.hostname, host)]
    return max(wildcards, key=lambda item: len(item.hostname), default=by_name.get(ANY_HOST))


def _telling(before: Sequence[tuple[bool, str]]) -> list[str]:
    """The few reasons that help: of those whose path fits, the nearest first."""
    on_path = [reason for fits, reason in before if fits]
    return (on_path or [reason for _, reason in before])[:_PASSED_OVER]
