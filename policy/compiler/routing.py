"""From a mesh to the builders' inputs: what each port of a Gateway serves, and which policies apply where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policy.attachment import ANY_HOST, served_streams
from policy.authentication_policy import AuthenticationPolicy
from policy.backend_tls import BackendTLSPolicy
from policy.backends import Backend, standing
from policy.compiler import names
from policy.compiler.filters import redirect_port
from policy.compiler.hosts import HostTable
from policy.compiler.http_filters import together_of
from policy.compiler.inputs import BoundPort, HttpListener, ReachedBackend, RoutedHost, RoutedRule, StreamListener, Tls
from policy.documents import Documents
from policy.effective import Effective
from policy.external_service import ExternalService
from policy.gateway import Gateway, Listener
from policy.grpc_route import GRPCRoute
from policy.http_route import HTTPRoute
from policy.identities import Identities, Identity
from policy.route import BackendObjectReference
from registry.mesh import Mesh
from registry.model import DocumentKey, Service, ServiceKey


@dataclass(frozen=True, slots=True)
class RoutedPort:
    """A port, the hosts of each of its route configurations by name, and the documents that its streams come from.
    local: the application beside the proxy, where that is what the port leads to."""

    bound: BoundPort
    hosts: Mapping[str, tuple[RoutedHost, ...]]
    streams: tuple[str, ...] = ()
    local: ReachedBackend | None = None


class Routing:
    """Resolves what the documents of a mesh say; each route's backends once."""

    def __init__(
        self,
        mesh: Mesh,
        documents: Documents,
        identities: Identities,
        *,
        tables: dict[str, HostTable] | None = None,
        changed: Collection[DocumentKey] | None = None,
    ) -> None:
        """tables: the hosts of each route configuration, as an earlier mesh left them. changed: the routes that may be
        others since then; None: all."""
        self._tables = tables if tables is not None else {}
        self._changed = changed
        self._mesh = mesh
        self._documents = documents
        self._identities = identities
        self._resolved: dict[HTTPRoute | GRPCRoute, tuple[tuple[tuple[Backend, ...], tuple[Backend, ...]], ...]] = {}

    @property
    def mesh(self) -> Mesh:
        return self._mesh

    def ports(self, gateway: Gateway) -> Iterator[RoutedPort]:
        """The ports of `gateway` that have something to serve."""
        for port in sorted({listener.port for listener in gateway.spec.listeners}):
            rivals = [listener for listener in gateway.spec.listeners if listener.port == port]
            chains: list[HttpListener | StreamListener] = []
            hosts: dict[str, tuple[RoutedHost, ...]] = {}
            streams: list[str] = []
            if rivals[0].protocol == "HTTP":
                name = names.listener(gateway.key, port)
                hosts[name] = self._hosts(gateway, name, rivals, rivals)
                chains.append(self._http(gateway, name, rivals, hosts[name]))
            else:
                for listener in rivals:
                    certificates = self.certificates(gateway, listener)
                    if listener.tls is not None and listener.tls.certificate_refs and not certificates:
                        continue  # nobody to be: the other listeners of the port go on
                    if listener.is_http:
                        name = names.listener_routes(gateway.key, port, listener.name)
                        hosts[name] = self._hosts(gateway, name, [listener], rivals)
                        chains.append(self._http(gateway, name, [listener], hosts[name], certificates))
                    else:
                        for route, chain in self._streams(gateway, listener, rivals, certificates):
                            chains.append(chain)
                            streams += [str(route), *chain.policies.origins]
            if chains:
                bound = BoundPort(names.listener(gateway.key, port), gateway.addresses, port, tuple(chains))
                yield RoutedPort(bound, hosts, tuple(streams))

    def certificates(self, gateway: Gateway, listener: Listener) -> tuple[Identity, ...]:
        """The identities of `listener` that have a certificate."""
        refs = listener.tls.certificate_refs if listener.tls is not None else ()
        named = (Identity(ref.namespace or gateway.key.namespace, ref.name) for ref in refs)
        return tuple(identity for identity in named if self._identities.certificate(identity) is not None)

    def backend(self, namespace: str, name: str) -> Backend:
        """What a standing document means by a name; a name without a service, which validation refuses, stands for a
        service without endpoints."""
        found = standing(self._mesh, namespace=namespace, name=name)
        return found or Backend(ServiceKey(namespace, name), None)

    def is_known(self, identity: Identity) -> bool:
        """Whether `identity` can prove who it is, and knows whom to believe."""
        known = self._identities
        return known.certificate(identity) is not None and known.trust(identity) is not None

    def reached(self, backend: Backend, *, caller: Identity | None = None) -> tuple[ReachedBackend, tuple[str, ...]]:
        """How `caller`, the proxies that ask, are to reach `backend`, and the documents that say so."""
        service = self._mesh.services.get(backend.service) or Service(*backend.service)
        policies = self._documents.attachments.on_backend(backend)
        external = self._external(backend)
        tls = _backend_tls(policies)
        inbound = self._documents.attachments.on_inbound(backend.service)
        asked = inbound.one(AuthenticationPolicy)
        mutual = asked.spec.mutual_tls if asked is not None else None
        if mutual is not None and caller is not None and self.is_known(caller):
            namespace, name = backend.service
            uri = mutual.identity_of(namespace, name)
            tls = Tls(f"{name}.{namespace}", uris=(uri,), trust=caller, identity=caller)
        elif tls is None and external is not None and external.spec.tls is not None:
            trust = next((identity for _, identity in external.authorities()), None)
            tls = Tls(external.spec.tls.sni or external.spec.host, trust=trust)
        reached = ReachedBackend(
            backend,
            service.protocol,
            policies,
            tls=tls,
            address=(external.spec.host, external.spec.port) if external is not None else None,
            trusted=tls is None or tls.trust is None or self._identities.trust(tls.trust) is not None,
        )
        origin = str(external.key) if external is not None else f"Service {backend.service}"
        return reached, (origin, *policies.origins, *(inbound.origins if mutual is not None else ()))

    def is_external(self, backend: Backend) -> bool:
        return self._external(backend) is not None

    def _external(self, backend: Backend) -> ExternalService | None:
        return self._documents.get(ExternalService, *backend.service)

    def rules(self, route: HTTPRoute | GRPCRoute) -> tuple[tuple[tuple[Backend, ...], tuple[Backend, ...]], ...]:
        """Per rule: the backends that it sends requests to, and those that it mirrors them to."""
        if route not in self._resolved:
            self._resolved[route] = tuple(
                (
                    self._named(route, rule.backend_refs),
                    self._named(
                        route,
                        (item.request_mirror.backend_ref for item in rule.filters if item.request_mirror is not None),
                    ),
                )
                for rule in route.http_rules
            )
        return self._resolved[route]

    def _named(self, route: HTTPRoute | GRPCRoute, refs: Iterable[BackendObjectReference]) -> tuple[Backend, ...]:
        return tuple(self.backend(ref.namespace or route.key.namespace, ref.name) for ref in refs)

    def _hosts(
        self, gateway: Gateway, name: str, listeners: Sequence[Listener], rivals: Sequence[Listener]
    ) -> tuple[RoutedHost, ...]:
        """The hosts of the route configuration `name`."""
        table, changed = self._tables.get(name), self._changed
        if table is None or changed is None or not table.is_for(gateway):
            table = self._tables[name] = HostTable(gateway, listeners, rivals)
            changed = [route.key for route in self._documents.routes_of(gateway)]
        table.update(self._documents, changed, lambda route, listener: self._rules(gateway, listener, route))
        return table.hosts

    def _rules(self, gateway: Gateway, listener: Listener, route: HTTPRoute | GRPCRoute) -> tuple[RoutedRule, ...]:
        attachments = self._documents.attachments
        scheme = listener.protocol.lower()
        return tuple(
            RoutedRule(
                route,
                index,
                backends,
                attachments.on_rule(gateway.key, listener.name, route.key, route.rule_names[index]),
                mirrors,
                any(self.is_external(backend) for backend in backends),
                redirect_port=redirect_port(route.http_rules[index].filters, scheme=scheme, port=listener.port),
            )
            for index, (backends, mirrors) in enumerate(self.rules(route))
        )

    def _http(
        self,
        gateway: Gateway,
        name: str,
        listeners: Sequence[Listener],
        hosts: Sequence[RoutedHost],
        certificates: tuple[Identity, ...] = (),
    ) -> HttpListener:
        return HttpListener(
            name=name,
            policies=self._documents.attachments.on_listeners(gateway.key, (listener.name for listener in listeners)),
            asked=together_of(hosts),
            server_names=_server_names(listeners[0].hostname) if certificates else (),
            certificates=certificates,
        )

    def _streams(
        self, gateway: Gateway, listener: Listener, rivals: Sequence[Listener], certificates: tuple[Identity, ...]
    ) -> Iterator[tuple[object, StreamListener]]:
        for served in served_streams(self._documents, gateway, listener, rivals=rivals):
            [rule] = served.route.spec.rules
            home = served.route.key.namespace
            targets = tuple((self.backend(ref.namespace or home, ref.name), ref.weight) for ref in rule.backend_refs)
            if not any(weight for _, weight in targets):
                continue  # no chain: the connection is closed, as the standard wants it
            name = f"{names.listener_routes(gateway.key, listener.port, listener.name)}/{home}/{served.route.key.name}"
            yield (
                served.route.key,
                StreamListener(
                    name=name,
                    targets=targets,
                    policies=self._documents.attachments.on_rule(
                        gateway.key, listener.name, served.route.key, rule.name
                    ),
                    server_names=() if served.hostnames == (ANY_HOST,) else served.hostnames,
                    certificates=certificates,
                ),
            )


def _backend_tls(policies: Effective) -> Tls | None:
    policy = policies.one(BackendTLSPolicy)
    if policy is None:
        return None
    validation = policy.spec.validation
    return Tls(
        validation.hostname,
        names=tuple(name.hostname for name in validation.subject_alt_names if name.hostname is not None),
        uris=tuple(name.uri for name in validation.subject_alt_names if name.uri is not None),
        trust=next((identity for _, identity in policy.authorities()), None),
    )


def _server_names(hostname: str | None) -> tuple[str, ...]:
    return (hostname,) if hostname is not None else ()
