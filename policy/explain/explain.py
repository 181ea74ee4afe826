"""Which listener, host, route, rule, policies and backends a request would meet, in order. Pure.

Told from the typed documents. Where a request goes by chance (weights) or by what others do (limits), it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policy.attached import AttachedPolicy
from policy.attachment import ANY_HOST, covers, owner
from policy.backends import Backend
from policy.compiler import names
from policy.compiler.inputs import RoutedHost, RoutedRule, StreamListener
from policy.compiler.matches import precedence
from policy.compiler.routing import RoutedPort, Routing
from policy.documents import Documents
from policy.explain.changes import (
    changed_path,
    header_steps,
    location,
    other_steps,
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
from policy.explain.matching import meets_path, unmet, words
from policy.explain.policies import policy_step
from policy.explain.request import Request
from policy.external_service import ExternalService, with_external
from policy.gateway import Gateway, Listener
from policy.http_route import HTTPRouteMatch
from policy.identities import Identities, NoIdentities
from policy.problems import listed
from policy.shapes import format_duration
from registry.mesh import Mesh
from registry.model import DocumentKey

_PASSED_OVER = 5
_PROTOCOLS = {"http": ("HTTP", "TCP"), "https": ("HTTPS", "TLS", "TCP")}


def explain(
    mesh: Mesh, request: Request, *, gateway: DocumentKey | None = None, identities: Identities | None = None
) -> Explanation:
    """What `request` would meet. gateway: where it arrives; None: at the one that listens on the URL's port.
    identities: where certificates come from."""
    documents = Documents.of(mesh)
    found = _arrival(documents, request, gateway)
    if isinstance(found, NotServed):
        return Explanation(request, "", "", "", None, (), found)
    chosen, listeners = found
    mesh = with_external(mesh, documents.all(ExternalService))
    routing = Routing(mesh, documents, identities if identities is not None else NoIdentities())
    port = next((item for item in routing.ports(chosen) if item.bound.port == listeners[0].port), None)
    return _Arriving(mesh, documents, request, str(chosen.key), listeners, port, chosen).explanation()


def _arrival(
    documents: Documents, request: Request, wanted: DocumentKey | None
) -> tuple[Gateway, Sequence[Listener]] | NotServed:
    """The Gateway, and its listeners on the port where the request arrives."""
    known = [item for item in documents.all(Gateway) if wanted in (None, item.key)]
    if not known:
        return NotServed(f"there is no {wanted}" if wanted is not None else "there is no Gateway")
    served = [(gateway, listener) for gateway in known for listener in gateway.spec.listeners]
    fitting = [pair for pair in served if pair[1].protocol in _PROTOCOLS[request.scheme]]
    on_port = [pair for pair in fitting if pair[1].port == request.port]
    if not on_port and not request.port_given:
        # http://shop/pay is how people speak of a Gateway, whatever port a laptop lets it listen on.
        on_port = fitting
    places = {(gateway.key, listener.port): gateway for gateway, listener in on_port}
    if not places:
        ports = listed(
            sorted({f"{gateway.key} on {listener.port} ({listener.protocol})" for gateway, listener in served})
        )
        return NotServed(f"nothing listens on port {request.port} for {request.scheme}; what listens: {ports}")
    if len(places) > 1:
        names = listed([f"{key} on {port}" for key, port in places])
        return NotServed(f"it could arrive at {names}: name the port in the URL, or the Gateway")
    [((_, port), gateway)] = places.items()
    return gateway, [listener for listener in gateway.spec.listeners if listener.port == port]


@dataclass(frozen=True, slots=True)
class Explaining:
    """One request at one port. where: the document that says that it listens."""

    mesh: Mesh
    documents: Documents
    request: Request
    where: str
    listeners: Sequence[Listener]
    port: RoutedPort | None

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

    def by_http(self, routes: str) -> Explanation:
        """The explanation by the hosts of one route configuration."""
        hosts = self.port.hosts[routes] if self.port is not None else ()
        request = self.request
        if request.redirect is not None:
            target = with_query(request.redirect, request)
            reason = "its path holds an escaped slash, which is not the same as a slash to everybody"
            step = self.arrived(self.listeners[0])
            return self._ended(self.listeners[0], "", [step], Answered(307, reason, target))
        host = self.served(hosts)
        if host is None:
            listener = self.listeners[0]
            return self._ended(listener, "", [self.arrived(listener)], self.unknown())
        listener = owner(self.listeners, host.hostname)
        steps = [self.arrived(listener), self.known_as(host)]
        chosen, passed_over = self._match(host)
        if chosen is None:
            reason = f"no rule for {host.hostname} matches"
            return self._ended(listener, host.hostname, steps, Answered(404, reason), passed_over=passed_over)
        rule, number, match = chosen
        document, where = str(rule.route.key), f"spec.rules[{rule.index}]"
        steps.append(Step("route", Effect.PASSES, words(match), document, f"{where}.matches[{number}]"))
        steps += [policy_step(policy, request) for policy in self._policies(rule)]
        steps += header_steps(rule.rule.filters, document=document, path=f"{where}.filters")
        extra = list(other_steps(rule.rule.filters, request, document=document, path=f"{where}.filters"))
        steps += extra
        matched = Matched(document, rule.index, rule.rule.name or "", number)
        if any(step.effect is Effect.ANSWERS for step in extra):
            answered = Answered(200, "a preflight that is answered by the proxy")
            return self._ended(listener, host.hostname, steps, answered, matched, passed_over)
        told, outcome = self._outcome(rule, match, document, where)
        return self._ended(listener, host.hostname, [*steps, *told], outcome, matched, passed_over)

    def _ended(
        self,
        listener: Listener,
        hostname: str,
        steps: Sequence[Step],
        outcome: Outcome,
        matched: Matched | None = None,
        passed_over: Sequence[str] = (),
    ) -> Explanation:
        return Explanation(
            self.request,
            self.where,
            listener.name,
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
        self, routed: RoutedRule, match: HTTPRouteMatch, document: str, where: str
    ) -> tuple[list[Step], Outcome]:
        rule, request = routed.rule, self.request
        if (redirect := redirect_of(rule.filters)) is not None:
            target = location(redirect, match, request)
            step = Step(
                "redirect", Effect.ANSWERS, f"answered with {redirect.status_code} to {target}", document, where
            )
            return [step], Answered(redirect.status_code, "a RequestRedirect", target)
        total = sum(ref.weight for ref in rule.backend_refs)
        if total == 0:
            reason = "the rule has no backend with a weight"
            return [Step("backends", Effect.REFUSES, reason, document, where)], Answered(500, reason)
        steps: list[Step] = []
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

    def explanation(self) -> Explanation:
        listener = self.listeners[0]
        if listener.protocol == "HTTP":
            return self.by_http(names.listener(self.gateway.key, listener.port))
        listener = _by_server_name(self.listeners, self.request.host)
        name = names.listener_routes(self.gateway.key, listener.port, listener.name)
        if listener.is_http and self.port is not None and name in self.port.hosts:
            return self.by_http(name)
        chains = self.port.bound.chains if self.port is not None else ()
        carried = [chain for chain in chains if isinstance(chain, StreamListener) and chain.name.startswith(f"{name}/")]
        chosen = _for_server_name(carried, self.request.host)
        if chosen is None:
            reason = (
                "its listener has no certificate to show"
                if listener.is_http
                else f"no route of its listener carries connections for {self.request.host}"
            )
            return self._ended(listener, "", [self.arrived(listener)], NotServed(f"the connection is closed: {reason}"))
        policies = [policy_step(policy, self.request) for policy in chosen.policies.policies]
        total = sum(weight for _, weight in chosen.targets)
        shares = tuple(self._share(backend, weight / total) for backend, weight in chosen.targets if weight)
        what = "its connection is carried as it is, and nobody looks into it"
        steps = [self.arrived(listener), *policies, Step("connection", Effect.PASSES, what)]
        outcome = Forwarded(shares, self.request.authority, with_query(self.request.path, self.request))
        return self._ended(listener, "", steps, outcome)

    def arrived(self, listener: Listener) -> Step:
        index = self.gateway.spec.listeners.index(listener)
        what = f"arrives at the listener {listener.name}, {listener.protocol} on port {listener.port}"
        return Step("listener", Effect.PASSES, what, str(self.gateway.key), f"spec.listeners[{index}]")


def _by_server_name(listeners: Sequence[Listener], host: str) -> Listener:
    """The listener of a TLS port whose hostname fits best."""
    fitting = [
        listener for listener in listeners if listener.hostname in (None, host) or covers(listener.hostname or "", host)
    ]
    best = max(fitting, key=lambda item: (item.hostname == host, len(item.hostname or "")), default=None)
    return best or listeners[0]


def _for_server_name(chains: Sequence[StreamListener], host: str) -> StreamListener | None:
    """Envoy, FilterChainMatch.server_names: exact, then the longest wildcard, then those for any name."""

    def rank(chain: StreamListener) -> int:
        fitting = [name for name in chain.server_names if name == host or covers(name, host)]
        return max((len(name) + (name == host) for name in fitting), default=-1 if chain.server_names else 0)

    return max((chain for chain in chains if rank(chain) >= 0), key=rank, default=None)


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
