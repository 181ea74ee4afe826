"""Whether the documents of a mesh fit each other and what exists. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from policy.backend_refs import BackendRefs
from policy.backends import standing
from policy.caching import cache_findings
from policy.documents import Documents
from policy.errors import Problem
from policy.external_service import ExternalService, external_findings, with_external
from policy.fault_policy import FaultPolicy
from policy.gateway import Gateway
from policy.grpc_route import GRPCRoute
from policy.http_route import HTTPRoute
from policy.identities import Identities, NoIdentities
from policy.listener_checks import (
    authority_findings,
    gateway_findings,
    hostname_findings,
    parent_findings,
    shared_ports,
    stream_findings,
)
from policy.mutual_tls_checks import mutual_tls_findings
from policy.policy_findings import PolicyFindings
from policy.policy_targets import PolicyJudge, disagreements
from policy.problems import listed, nearest
from policy.protocol_checks import protocol_findings
from policy.redirect_checks import redirect_findings
from policy.route import Route
from policy.route_findings import RouteFindings
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import ItemKey, Protocol, ServiceKey


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and what is worth a look."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from one judgement to the next."""

    routes: RouteFindings = field(default_factory=RouteFindings)
    policies: PolicyFindings = field(default_factory=PolicyFindings)


def validate(
    mesh: Mesh,
    *,
    changed: Collection[ItemKey] | None = None,
    identities: Identities | None = None,
    now: datetime | None = None,
    memory: Memory | None = None,
) -> Findings:
    """Judges the whole mesh.

    changed: what is being applied or removed (None: all). Only of these documents, and of the backendRefs that name
    these services, is it asked that every version, and every certificate, which they name exists now: endpoints come
    and go, and do not make standing documents invalid (docs/decisions/0005).
    identities: where certificates come from.
    now: without it, nothing is said about what expires. Time makes no standing document invalid.
    memory: of an earlier mesh (None: of the one that was judged last). It saves time and changes nothing.
    """
    documents = Documents.of(mesh)
    registered, mesh = mesh, with_external(mesh, documents.all(ExternalService))
    identities = identities or NoIdentities()
    known = {(gateway.key.namespace, gateway.key.name): gateway for gateway in documents.all(Gateway)}
    backend_refs = BackendRefs(mesh, documents.grants, changed=changed)
    of_policy = PolicyJudge(mesh, documents, backend_refs).findings
    remembered = memory or _LAST

    def of_route(route: Route) -> Iterator[Problem | str]:
        idle = _idle_rules(route) if isinstance(route, HTTPRoute | GRPCRoute) else ()
        looping = redirect_findings(known, route) if isinstance(route, HTTPRoute) else ()
        return chain(parent_findings(mesh, documents, known, route), backend_refs.findings(route), idle, looping)

    findings: Iterator[Problem | str] = chain(
        chain.from_iterable(map(of_route, documents.routes))
        if changed is None
        else remembered.routes.of(registered, documents, changed=changed, judge=of_route),
        chain.from_iterable(
            chain(_sidecar(registered, sidecar), backend_refs.findings(sidecar)) for sidecar in documents.all(Sidecar)
        ),
        _grpc_backends(mesh, documents),
        hostname_findings(documents),
        gateway_findings(documents, identities, changed),
        authority_findings(documents, identities, changed),
        external_findings(registered, documents.all(ExternalService)),
        stream_findings(documents),
        chain.from_iterable(map(of_policy, documents.policies))
        if changed is None
        else remembered.policies.of(registered, documents, changed=changed, judge=of_policy),
        disagreements(documents),
        shared_ports(known.values()),
        cache_findings(documents),
        protocol_findings(mesh, documents),
        mutual_tls_findings(mesh, documents, identities),
        chain.from_iterable(fault.findings_at(now) for fault in documents.all(FaultPolicy) if now is not None),
    )
    found: list[Problem] = []
    warnings: list[str] = []
    for finding in findings:
        if isinstance(finding, Problem):
            found.append(finding)
        else:
            warnings.append(finding)
    return Findings(tuple(found), tuple(warnings))


_LAST = Memory()
"""Of the mesh that was judged last, whoever asked."""


def _sidecar(mesh: Mesh, sidecar: Sidecar) -> Iterator[Problem]:
    service = ServiceKey(*sidecar.key[1:])
    if service not in mesh.services:
        names = sorted(key.name for key in mesh.services if key.namespace == service.namespace)
        want = (
            f"the name of a service of {service.namespace}: {listed(names) or 'none yet'}{nearest(service.name, names)}"
        )
        yield Problem(str(sidecar.key), "metadata.name", f"{service.name}, which is no registered service", want)


def _idle_rules(route: HTTPRoute | GRPCRoute) -> Iterator[str]:
    seen: set[object] = set()
    for index, rule in enumerate(route.http_rules):
        redirects = any(item.request_redirect is not None for item in rule.filters)
        if not redirects and sum(ref.weight for ref in rule.backend_refs) == 0:
            reason = "every backendRef has weight 0" if rule.backend_refs else "it has no backendRefs"
            yield f"{route.key}: spec.rules[{index}]: {reason}: its requests get 500"
        for number, match in enumerate(rule.matches):
            if match in seen:
                where = f"spec.rules[{index}].matches[{number}]"
                yield f"{route.key}: {where}: the same match stands earlier, and wins"
            seen.add(match)


def _grpc_backends(mesh: Mesh, documents: Documents) -> Iterator[Problem]:
    """gRPC is HTTP/2, so a service of a GRPCRoute must speak it."""
    for route in documents.all(GRPCRoute):
        for where, ref in route.backend_refs():
            backend = standing(mesh, namespace=ref.namespace or route.key.namespace, name=ref.name)
            service = mesh.services.get(backend.service) if backend is not None else None
            if service is not None and service.protocol is not Protocol.HTTP2:
                got = f"{service.key}, which speaks {service.protocol.value}"
                yield Problem(str(route.key), where, got, "a service with the protocol http2: calls are HTTP/2")
