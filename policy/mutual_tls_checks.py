"""What is missing for the mutual TLS that AuthenticationPolicies ask for: certificates, sidecars. Pure; warnings all.

A certificate is a file that comes and goes by itself, so that there is none makes no document invalid; but with Strict
it closes a port, and whoever applies it should know before.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.authentication_policy import AuthenticationPolicy
from policy.backends import standing
from policy.documents import Documents
from policy.gateway import Gateway
from policy.identities import Identities, Identity
from policy.problems import listed
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey


def mutual_tls_findings(mesh: Mesh, documents: Documents, identities: Identities) -> Iterator[str]:
    """Warnings about each Service that a policy with mutualTls applies to."""
    for policy in documents.all(AuthenticationPolicy):
        if policy.spec.mutual_tls is None:
            continue
        is_strict = policy.spec.mutual_tls.mode == "Strict"
        for index, ref in enumerate(policy.spec.target_refs):
            service = ServiceKey(policy.key.namespace, ref.name)
            if ref.kind != "Service" or service not in mesh.services:
                continue
            if documents.attachments.on_inbound(service).one(AuthenticationPolicy) is not policy:
                continue  # another one comes first there, which is told elsewhere
            where = f"{policy.key}: spec.targetRefs[{index}]"
            if documents.get(Sidecar, *service) is None:
                yield f"{where}: {service} has no Sidecar that would take TLS: calls with a certificate get 503"
            elif (lacking := _lacking(identities, service)) and is_strict:
                yield f"{where}: {service} has {lacking}: with Strict, its sidecars' port stays closed until it has"
            elif lacking:
                yield f"{where}: {service} has {lacking}: its sidecars take plain calls alone, and TLS gets 503"
            if is_strict:
                callers = [str(key) for key in _callers(mesh, documents, service) if _lacking(identities, key[1:])]
                if callers:
                    yield f"{where}: {listed(callers)} call {service} without a certificate: with Strict, they get 503"


def _lacking(identities: Identities, key: tuple[str, str]) -> str:
    """What `key` (namespace and name) needs for mutual TLS and has not, in words; "" for nothing."""
    identity = Identity(*key)
    lacking = [
        words
        for words, found in (
            ("no certificate", identities.certificate(identity)),
            ("nobody to believe (ca.crt)", identities.trust(identity)),
        )
        if found is None
    ]
    return " and ".join(lacking)


def _callers(mesh: Mesh, documents: Documents, service: ServiceKey) -> Iterator[DocumentKey]:
    """The Sidecars that declare `service`, or a version of it, and the Gateways that a route sends to it from."""

    def leads_there(namespace: str, name: str) -> bool:
        backend = standing(mesh, namespace=namespace, name=name)
        return backend is not None and backend.service == service

    for sidecar in documents.all(Sidecar):
        home = sidecar.key.namespace
        if any(leads_there(item.namespace or home, item.name) for item in sidecar.spec.dependencies):
            yield sidecar.key
    gateways: set[DocumentKey] = set()
    for route in documents.routes:
        home = route.key.namespace
        if any(leads_there(ref.namespace or home, ref.name) for _, ref in route.backend_refs()):
            gateways.update(
                DocumentKey(Gateway.KIND, ref.namespace or home, ref.name)
                for ref in route.spec.parent_refs
                if ref.kind == Gateway.KIND
            )
    yield from sorted(gateways & {gateway.key for gateway in documents.all(Gateway)})
