"""Whether the documents of a mesh fit each other and what exists. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from policy.attachment import admits, selects, shared_hostnames
from policy.backend_refs import BackendRefs
from policy.caching import cache_findings
from policy.documents import Documents
from policy.errors import Problem
from policy.fault_policy import FaultPolicy
from policy.gateway import Gateway
from policy.http_route import HTTPRoute, ParentReference
from policy.policy_targets import policy_findings
from policy.problems import listed, nearest
from registry.mesh import Mesh
from registry.model import DocumentKey, ItemKey


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and what is worth a look."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def validate(mesh: Mesh, *, changed: Collection[ItemKey] | None = None, now: datetime | None = None) -> Findings:
    """Judges the whole mesh.

    changed: what is being applied or removed (None: all). Only of these documents, and of the backendRefs that name
    these services, is it asked that every version which they name exists now: endpoints come and go, and do not make
    standing documents invalid (docs/decisions/0005).
    now: without it, nothing is said about what expires. Time makes no standing document invalid.
    """
    found: list[Problem] = []
    warnings: list[str] = []
    documents = Documents.of(mesh)
    known = {(gateway.key.namespace, gateway.key.name): gateway for gateway in documents.all(Gateway)}
    backend_refs = BackendRefs(mesh, changed=changed)
    findings: Iterator[Problem | str] = chain(
        chain.from_iterable(
            chain(_parents(known, route), backend_refs.findings(route), _idle_rules(route))
            for route in documents.all(HTTPRoute)
        ),
        policy_findings(mesh, documents, backend_refs),
        cache_findings(documents),
        chain.from_iterable(fault.findings_at(now) for fault in documents.all(FaultPolicy) if now is not None),
    )
    for finding in findings:
        if isinstance(finding, Problem):
            found.append(finding)
        else:
            warnings.append(finding)
    warnings.extend(_shared_ports(known.values()))
    return Findings(tuple(found), tuple(warnings))


def _parents(known: Mapping[tuple[str, str], Gateway], route: HTTPRoute) -> Iterator[Problem]:
    for index, parent in enumerate(route.spec.parent_refs):
        where = f"spec.parentRefs[{index}]"
        key = (parent.namespace or route.key.namespace, parent.name)
        if key in known:
            yield from _listeners(route, parent, known[key], where)
            continue
        name, names = "/".join(key), ["/".join(other) for other in known]
        want = f"a Gateway that exists: {listed(names)}{nearest(name, names)}" if names else "a Gateway that exists"
        yield _problem(route, where, f"{name}, which does not exist", want)


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
        yield _problem(route, where, f"{got}, which {gateway.key} does not have", f"one of {listed(wanted)}")
        return
    admitted = [listener for listener in selected if admits(gateway, listener, route)]
    if not admitted:
        got = f"a listener of {gateway.key}, which takes routes of its own namespace only"
        yield _problem(route, where, got, "allowedRoutes.namespaces.from: All there, or the route in that namespace")
    elif not any(shared_hostnames(listener.hostname, route.spec.hostnames) for listener in admitted):
        served = listed(sorted({listener.hostname for listener in admitted if listener.hostname}))
        got = f"{listed(route.spec.hostnames)}, none of which {gateway.key} serves"
        yield _problem(route, "spec.hostnames", got, f"hostnames within {served}")


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
                yield f"{route.key}: {where}: the same match stands earlier, and wins"
            seen.add(match)


def _shared_ports(known: Iterable[Gateway]) -> Iterator[str]:
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


def _problem(route: HTTPRoute, path: str, got: str, want: str) -> Problem:
    return Problem(str(route.key), path, got, want)
