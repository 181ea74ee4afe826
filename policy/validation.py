"""Whether the documents of a mesh fit each other and what exists. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from policy.attachment import admits, refers_to, selects, shared_hostnames
from policy.backends import resolve, splits, standing
from policy.errors import Problem
from policy.gateway import Gateway
from policy.http_route import HTTPBackendRef, HTTPRoute, ParentReference
from policy.kinds import gateways, http_routes
from policy.problems import nearest
from registry.mesh import Mesh
from registry.model import DocumentKey, ItemKey, ServiceKey

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and what is worth a look."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def validate(mesh: Mesh, *, changed: Collection[ItemKey] | None = None) -> Findings:
    """Judges the whole mesh.

    changed: the documents that are being applied (None: all). Only of these is it asked that every version which they
    name exists now: endpoints come and go, and do not make standing documents invalid (docs/decisions/0005).
    """
    found: list[Problem] = []
    warnings: list[str] = []
    known = list(gateways(mesh))
    for route in http_routes(mesh):
        fresh = changed is None or route.key in changed
        for finding in (*_parents(known, route), *_backends(mesh, route, fresh=fresh), *_idle_rules(route)):
            if isinstance(finding, Problem):
                found.append(finding)
            else:
                warnings.append(finding)
    warnings.extend(_shared_ports(known))
    return Findings(tuple(found), tuple(warnings))


def _parents(known: list[Gateway], route: HTTPRoute) -> Iterator[Problem]:
    for index, parent in enumerate(route.spec.parent_refs):
        where = f"spec.parentRefs[{index}]"
        gateway = next((gateway for gateway in known if refers_to(route, parent, gateway)), None)
        name = f"{parent.namespace or route.key.namespace}/{parent.name}"
        if gateway is None:
            names = [f"{g.key.namespace}/{g.key.name}" for g in known]
            want = f"a Gateway that exists: {_list(names)}{nearest(name, names)}" if names else "a Gateway that exists"
            yield _problem(route, where, f"{name}, which does not exist", want)
        else:
            yield from _listeners(route, parent, gateway, where)


def _listeners(route: HTTPRoute, parent: ParentReference, gateway: Gateway, where: str) -> Iterator[Problem]:
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
        yield _problem(route, where, f"{got}, which {gateway.key} does not have", f"one of {_list(wanted)}")
        return
    admitted = [listener for listener in selected if admits(gateway, listener, route)]
    if not admitted:
        got = f"a listener of {gateway.key}, which takes routes of its own namespace only"
        yield _problem(route, where, got, "allowedRoutes.namespaces.from: All there, or the route in that namespace")
    elif not any(shared_hostnames(listener.hostname, route.spec.hostnames) for listener in admitted):
        served = _list(sorted({listener.hostname for listener in admitted if listener.hostname}))
        got = f"{_list(route.spec.hostnames)}, none of which {gateway.key} serves"
        yield _problem(route, "spec.hostnames", got, f"hostnames within {served}")


def _backends(mesh: Mesh, route: HTTPRoute, *, fresh: bool) -> Iterator[Problem | str]:
    for rule_index, rule in enumerate(route.spec.rules):
        for ref_index, ref in enumerate(rule.backend_refs):
            yield from _backend(mesh, route, ref, f"spec.rules[{rule_index}].backendRefs[{ref_index}]", fresh=fresh)


def _backend(mesh: Mesh, route: HTTPRoute, ref: HTTPBackendRef, where: str, *, fresh: bool) -> Iterator[Problem | str]:
    namespace = ref.namespace or route.key.namespace
    if namespace != route.key.namespace:
        got = f"{namespace}/{ref.name}, in another namespace"
        yield _problem(route, where, got, f"a service in {route.key.namespace}: no ReferenceGrant exists yet")
        return
    find = resolve if fresh else standing
    backend = find(mesh, namespace=namespace, name=ref.name)
    if backend is None:
        yield _missing(mesh, route, ServiceKey(namespace, ref.name), where)
        return
    service = mesh.services[backend.service]
    if ref.port is not None and ref.port != service.port:
        yield _problem(route, f"{where}.port", str(ref.port), f"{service.port}, the port of {service.key}, or none")
    if not any(backend.among(mesh.endpoints_of(backend.service))):
        share = (
            "its share of requests gets"
            if len(route.spec.rules) > 1 or ref.weight
            else "if it had weight, it would get"
        )
        yield f"{route.key}: {where}: {backend} has no endpoints: {share} 503"


def _missing(mesh: Mesh, route: HTTPRoute, name: ServiceKey, where: str) -> Problem:
    for owner, version in splits(mesh, name):
        versions = mesh.versions_of(owner)
        if versions or version.startswith("v"):
            got = f"{name.name}: no endpoint of {owner.name} has the version {version}"
            return _problem(route, f"{where}.name", got, f"a version of {owner.name}: {_list(versions) or 'none yet'}")
    names = sorted(key.name for key in mesh.services if key.namespace == name.namespace)
    want = (
        f"a service of {name.namespace}: {_list(names)}{nearest(name.name, names)}"
        if names
        else (f"a service of {name.namespace}, which has none")
    )
    return _problem(route, f"{where}.name", f"{name.name}, which does not exist", want)


def _idle_rules(route: HTTPRoute) -> Iterator[str]:
    seen: set[object] = set()
    for index, rule in enumerate(route.spec.rules):
        redirects = any(item.request_redirect is not None for item in rule.filters)
        if not redirects and sum(ref.weight for ref in rule.backend_refs) == 0:
            reason = "every backendRef has weight 0" if rule.backend_refs else "it has no backendRefs"
            yield f"{route.key}: spec.rules[{index}]: {reason}: its requests get 500"
        for number, match in enumerate(rule.matches):
            if match in seen:
                where = f"spec.rules[{index}].matches[{number}]"
                yield f"{route.key}: {where}: an earlier rule has the same match, and wins"
            seen.add(match)


def _shared_ports(known: list[Gateway]) -> Iterator[str]:
    """Two Gateways may run on two machines, so sharing an address and port is worth a word but not wrong."""
    users: dict[tuple[str, int], set[DocumentKey]] = {}
    for gateway in known:
        for listener in gateway.spec.listeners:
            for address in gateway.addresses or ("every address",):
                users.setdefault((address, listener.port), set()).add(gateway.key)
    for (address, port), keys in sorted(users.items()):
        if len(keys) > 1:
            sharing = _list([str(key) for key in sorted(keys)])
            yield f"{sharing} listen on {address}, port {port}: one machine can run one"


def _problem(route: HTTPRoute, path: str, got: str, want: str) -> Problem:
    return Problem(str(route.key), path, got, want)


def _list(words: Collection[str]) -> str:
    shown = list(words)[:_LISTED]
    return ", ".join(shown) + (", …" if len(words) > _LISTED else "")
