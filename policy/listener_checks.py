"""Whether listeners and routes fit each other: parents, kinds, namespaces, hostnames, certificates, shared ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from policy.attached import AttachedPolicy
from policy.attachment import admits, admits_namespace, selects, shared_hostnames
from policy.documents import Documents
from policy.errors import Problem
from policy.external_service import ExternalService
from policy.gateway import Gateway
from policy.grpc_route import GRPCRoute
from policy.identities import Identities, Identity
from policy.problems import listed, nearest
from policy.route import ParentReference, Route
from policy.stream_route import StreamRoute, TCPRoute, TLSRoute
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey


def parent_findings(
    mesh: Mesh, documents: Documents, known: Mapping[tuple[str, str], Gateway], route: Route
) -> Iterator[Problem]:
    """What is wrong with the Gateways, and the Services, that `route` attaches to."""
    for index, parent in enumerate(route.spec.parent_refs):
        where = f"spec.parentRefs[{index}]"
        if parent.kind != Gateway.KIND:
            yield from _service(mesh, documents, route, parent, where)
            continue
        key = (parent.namespace or route.key.namespace, parent.name)
        if key in known:
            yield from _listeners(route, parent, known[key], where)
            continue
        name, names = "/".join(key), ["/".join(other) for other in known]
        want = f"a Gateway that exists: {listed(names)}{nearest(name, names)}" if names else "a Gateway that exists"
        yield _problem(route, where, f"{name}, which does not exist", want)


def _service(mesh: Mesh, documents: Documents, route: Route, parent: ParentReference, where: str) -> Iterator[Problem]:
    name = ServiceKey(parent.namespace or route.key.namespace, parent.name)
    if route.key.kind not in ("HTTPRoute", "GRPCRoute"):
        yield _problem(route, f"{where}.kind", f"Service for a {route.key.kind}", "an HTTPRoute or a GRPCRoute")
    elif not documents.grants.allow(route, kind="Service", namespace=name.namespace, name=name.name):
        want = f"a service in {route.key.namespace}, or a ReferenceGrant in {name.namespace}"
        yield _problem(route, where, f"{name}, in another namespace", want)
    elif name not in mesh.services:
        names = sorted(key.name for key in mesh.services if key.namespace == name.namespace)
        want = f"a service of {name.namespace}: {listed(names) or 'none yet'}{nearest(name.name, names)}"
        yield _problem(route, f"{where}.name", f"{name.name}, which does not exist", want)


def _listeners(route: Route, parent: ParentReference, gateway: Gateway, where: str) -> Iterator[Problem]:
    selected = [listener for listener in gateway.spec.listeners if selects(parent, listener)]
    if not selected:
        wanted = [f"{listener.name} (port {listener.port})" for listener in gateway.spec.listeners]
        got = " and ".join(
            text
            for text in (
                f"sectionName {parent.section_name}" if parent.section_name else "",
                f"port {parent.port}" if parent.port else "",
            )
            if text
        )
        yield _problem(route, where, f"{got}, which {gateway.key} does not have", f"one of {listed(wanted)}")
        return
    fitting = [listener for listener in selected if route.key.kind in listener.route_kinds]
    admitted = [listener for listener in fitting if admits(gateway, listener, route)]
    if not fitting:
        names = listed([listener.name for listener in selected])
        got = f"{gateway.key}, whose listeners ({names}) take no {route.key.kind}"
        kinds = sorted({kind for listener in selected for kind in listener.route_kinds})
        yield _problem(route, where, got, f"a listener for it, or a route of kind {' or '.join(kinds)}")
    elif not admitted:
        got = f"a listener of {gateway.key}, which takes routes of its own namespace only"
        assert not any(admits_namespace(gateway, listener, route) for listener in fitting)
        yield _problem(route, where, got, "allowedRoutes.namespaces.from: All there, or the route in that namespace")
    elif not any(shared_hostnames(listener.hostname, route.hostnames) for listener in admitted):
        served = listed(sorted({listener.hostname for listener in admitted if listener.hostname}))
        got = f"{listed(route.hostnames)}, none of which {gateway.key} serves"
        yield _problem(route, "spec.hostnames", got, f"hostnames within {served}")


def gateway_findings(
    documents: Documents, identities: Identities, changed: Iterable[object] | None
) -> Iterator[Problem | str]:
    """What is wrong with the listeners of Gateways. A certificate that a standing document lost is a warning."""
    fresh = frozenset(changed) if changed is not None else None
    for gateway in documents.all(Gateway):
        for index, listener in enumerate(gateway.spec.listeners):
            refs = listener.tls.certificate_refs if listener.tls is not None else ()
            for number, ref in enumerate(refs):
                where = f"spec.listeners[{index}].tls.certificateRefs[{number}]"
                identity = Identity(ref.namespace or gateway.key.namespace, ref.name)
                if not documents.grants.allow(gateway, kind="Secret", namespace=identity.namespace, name=identity.name):
                    want = (
                        f"one of {gateway.key.namespace}, or a ReferenceGrant in {identity.namespace} from Gateway in "
                        f"{gateway.key.namespace} to Secret {identity.name}"
                    )
                    yield _problem(gateway, where, f"{identity}, in another namespace", want)
                elif identities.certificate(identity) is None:
                    if fresh is None or gateway.key in fresh:
                        want = f"a certificate and key: tls.crt and tls.key in {identity} of the certificates' folder"
                        yield _problem(gateway, where, f"{identity}, of which there is no certificate", want)
                    else:
                        yield f"{gateway.key}: {where}: there is no certificate of {identity}: the listener is left out"


def authority_findings(
    documents: Documents, identities: Identities, changed: Iterable[object] | None
) -> Iterator[Problem | str]:
    """Trust bundles that documents name and nobody has."""
    fresh = frozenset(changed) if changed is not None else None
    named: tuple[AttachedPolicy | ExternalService, ...] = (*documents.policies, *documents.all(ExternalService))
    for document in named:
        for where, identity in document.authorities():
            if identities.trust(identity) is not None:
                continue
            if fresh is None or document.key in fresh:
                want = f"authorities: ca.crt in {identity} of the certificates' folder"
                yield Problem(str(document.key), where, f"{identity}, of which no authorities are known", want)
            else:
                yield f"{document.key}: {where}: no authorities of {identity} are known: requests get 503"


def stream_findings(documents: Documents) -> Iterator[str]:
    """Routes of whole connections that want what another has already."""
    if not documents.all(TCPRoute) and not documents.all(TLSRoute):
        return
    for gateway in documents.all(Gateway):
        routes = [route for route in documents.routes_of(gateway) if isinstance(route, StreamRoute)]
        if not routes:
            continue
        for listener in gateway.spec.listeners:
            first: dict[str, Route] = {}
            for route in routes:
                if not any(selects(parent, listener) for parent in route.spec.parent_refs) or not admits(
                    gateway, listener, route
                ):
                    continue
                for hostname in shared_hostnames(listener.hostname, route.hostnames):
                    holder = first.setdefault(hostname, route)
                    if holder is not route:
                        name = f"the connections of listener {listener.name}" + (
                            f" for {hostname}" if route.hostnames else ""
                        )
                        yield f"{route.key}: {holder.key} comes first and has {name} of {gateway.key}"


def hostname_findings(documents: Documents) -> Iterator[Problem]:
    """Gateway API, GRPCRouteSpec.hostnames: a hostname of a listener is for HTTPRoutes or for GRPCRoutes."""
    if not documents.all(GRPCRoute):
        return
    for gateway in documents.all(Gateway):
        routes = documents.routes_of(gateway)
        if not any(route.key.kind == "GRPCRoute" for route in routes):
            continue
        for listener in gateway.spec.listeners:
            first: dict[str, Route] = {}
            for route in sorted(routes, key=lambda route: route.key[1:]):
                if not listener.is_http or not admits(gateway, listener, route):
                    continue
                if not any(selects(parent, listener) for parent in route.spec.parent_refs):
                    continue
                for hostname in shared_hostnames(listener.hostname, route.hostnames):
                    holder = first.setdefault(hostname, route)
                    if holder.key.kind != route.key.kind:
                        got = f"{hostname} on listener {listener.name} of {gateway.key}, which {holder.key} has"
                        yield _problem(route, "spec.hostnames", got, f"a hostname without a {holder.key.kind}")


def shared_ports(known: Iterable[Gateway]) -> Iterator[str]:
    """Two Gateways may run on two machines, so sharing an address and port is worth a word but not wrong."""
    users: dict[tuple[str, int], set[DocumentKey]] = {}
    for gateway in known:
        for listener in gateway.spec.listeners:
            for address in gateway.addresses or ("every address",):
                users.setdefault((address, listener.port), set()).add(gateway.key)
    for (address, port), keys in sorted(users.items()):
        if len(keys) > 1:
            sharing = listed([str(key) for key in sorted(keys)])
            yield f"{sharing} listen on {address}, port {port}: one machine can run one"


def _problem(document: Route | Gateway, path: str, got: str, want: str) -> Problem:
    return Problem(str(document.key), path, got, want)
