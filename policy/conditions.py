"""Conditions of documents, in the words and shapes of Gateway API: what is accepted, what resolves, what proxies have.

Pure. Whether proxies have taken what a document came to is not known here, but given (`Programmed`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from policy.attached import AttachedPolicy
from policy.attachment import admits, selects, served_streams, shared_hostnames
from policy.backends import standing
from policy.documents import Documents
from policy.external_service import ExternalService, with_external
from policy.gateway import Gateway, Listener
from policy.grpc_route import GRPCRoute
from policy.identities import Identities, Identity
from policy.reference_grant import ReferenceGrant
from policy.route import ParentReference, Route
from policy.shapes import BaseDocument
from policy.sidecar import Sidecar
from policy.stream_route import StreamRoute
from registry.mesh import Mesh
from registry.model import DocumentKey, Protocol, ServiceKey

CONTROLLER = "apg.mesh/gateway-controller"


class ConditionType(enum.Enum):
    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `reason` is one of Gateway API's, `message` is for people."""

    type: ConditionType
    holds: bool
    reason: str
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As Kubernetes writes it, but for since when it is so and of which generation it is told: who keeps books of
        that adds it."""
        return {
            "type": self.type.value,
            "status": "True" if self.holds else "False",
            "reason": self.reason,
            "message": self.message,
        }


ACCEPTED = Condition(ConditionType.ACCEPTED, True, "Accepted")
RESOLVED = Condition(ConditionType.RESOLVED_REFS, True, "ResolvedRefs")


class Conditions:
    """Judges the standing documents of one mesh."""

    def __init__(self, mesh: Mesh, identities: Identities) -> None:
        self._documents = Documents.of(mesh)
        self._mesh = with_external(mesh, self._documents.all(ExternalService))
        self._identities = identities

    def status(self, key: DocumentKey, programmed: Condition) -> dict[str, Any]:
        """The `status` of a document, as its kind has it in Gateway API; {} for a document that is not there.

        programmed: whether the proxies have taken what the document came to.
        """
        document = self._documents.find(key)
        match document:
            case None:
                return {}
            case Gateway():
                return self._gateway(document, programmed)
            case Route():
                return {"parents": [self._parent(document, parent, programmed) for parent in document.spec.parent_refs]}
            case AttachedPolicy():
                return {"ancestors": list(self._ancestors(document, programmed))}
            case ReferenceGrant():
                return {"conditions": self._dicts([ACCEPTED])}  # it is a permission: no proxy has it
            case _:
                return {"conditions": self._dicts([ACCEPTED, self._references(document), programmed])}

    def _dicts(self, conditions: Sequence[Condition]) -> list[dict[str, Any]]:
        return [condition.to_dict() for condition in conditions]

    # --- Gateways ---

    def _gateway(self, gateway: Gateway, programmed: Condition) -> dict[str, Any]:
        judged = [(listener, self._certificates(gateway, listener)) for listener in gateway.spec.listeners]
        bad = [listener.name for listener, resolved in judged if not resolved.holds]
        accepted = ACCEPTED
        if bad:
            accepted = Condition(ConditionType.ACCEPTED, True, "ListenersNotValid", f"left out: {', '.join(bad)}")
        return {
            "conditions": self._dicts([accepted, programmed]),
            "listeners": [
                {
                    "name": listener.name,
                    "supportedKinds": [
                        {"group": "gateway.networking.k8s.io", "kind": kind} for kind in listener.route_kinds
                    ],
                    "attachedRoutes": sum(1 for _ in self._attached(gateway, listener)),
                    "conditions": self._dicts(
                        [
                            ACCEPTED,
                            resolved,
                            programmed
                            if resolved.holds
                            else Condition(ConditionType.PROGRAMMED, False, "Invalid", resolved.message),
                        ]
                    ),
                }
                for listener, resolved in judged
            ],
        }

    def _certificates(self, gateway: Gateway, listener: Listener) -> Condition:
        kind = ConditionType.RESOLVED_REFS
        for ref in listener.tls.certificate_refs if listener.tls is not None else ():
            identity = Identity(ref.namespace or gateway.key.namespace, ref.name)
            if not self._documents.grants.allow(
                gateway, kind="Secret", namespace=identity.namespace, name=identity.name
            ):
                return Condition(kind, False, "RefNotPermitted", f"{identity} lies in another namespace")
            if self._identities.certificate(identity) is None:
                return Condition(kind, False, "InvalidCertificateRef", f"there is no certificate of {identity}")
        return RESOLVED

    def _attached(self, gateway: Gateway, listener: Listener) -> Iterator[Route]:
        for route in self._documents.routes_of(gateway):
            if any(
                self._accepted_by(route, parent, gateway, listener) is None
                for parent in route.spec.parent_refs
                if _means(route, parent, gateway)
            ):
                yield route

    # --- routes ---

    def _parent(self, route: Route, parent: ParentReference, programmed: Condition) -> dict[str, Any]:
        conditions = [self._accepted(route, parent), self._references(route), programmed]
        return {
            "parentRef": parent.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "controllerName": CONTROLLER,
            "conditions": self._dicts(conditions),
        }

    def _accepted(self, route: Route, parent: ParentReference) -> Condition:
        """Gateway API, RouteConditionReason."""
        kind, namespace = ConditionType.ACCEPTED, parent.namespace or route.key.namespace
        if parent.kind == "Service":
            if ServiceKey(namespace, parent.name) in self._mesh.services:
                return ACCEPTED
            return Condition(kind, False, "NoMatchingParent", f"there is no service {namespace}/{parent.name}")
        gateway = self._documents.get(Gateway, namespace, parent.name)
        if gateway is None:
            return Condition(kind, False, "NoMatchingParent", f"there is no Gateway {namespace}/{parent.name}")
        reasons = [self._accepted_by(route, parent, gateway, listener) for listener in gateway.spec.listeners]
        if None in reasons:
            return ACCEPTED
        # The reason of the listener that came nearest to accepting it.
        for reason in ("Conflicted", "NoMatchingListenerHostname", "NotAllowedByListeners"):
            if reason in reasons:
                return Condition(kind, False, reason, f"no listener of {gateway.key} takes it")
        return Condition(kind, False, "NoMatchingParent", f"{gateway.key} has no such listener")

    def _accepted_by(self, route: Route, parent: ParentReference, gateway: Gateway, listener: Listener) -> str | None:
        """Why `listener` does not take `route`; None if it does."""
        if not selects(parent, listener):
            return "NoMatchingParent"
        if not admits(gateway, listener, route):
            return "NotAllowedByListeners"
        if not shared_hostnames(listener.hostname, route.hostnames):
            return "NoMatchingListenerHostname"
        if isinstance(route, StreamRoute):
            rivals = [other for other in gateway.spec.listeners if other.port == listener.port]
            served = served_streams(self._documents, gateway, listener, rivals=rivals)
            if all(stream.route is not route for stream in served):
                return "Conflicted"
        return None

    # --- references ---

    def _references(self, document: BaseDocument) -> Condition:
        """Whether what the document names is there, may be named, and fits."""
        kind = ConditionType.RESOLVED_REFS
        if isinstance(document, Route | Sidecar | AttachedPolicy):
            for where, ref in document.backend_refs():
                namespace = ref.namespace or document.key.namespace
                if not self._documents.grants.allow(document, kind="Service", namespace=namespace, name=ref.name):
                    return Condition(kind, False, "RefNotPermitted", f"{where}: {namespace}/{ref.name}")
                backend = standing(self._mesh, namespace=namespace, name=ref.name)
                if backend is None or backend.service not in self._mesh.services:
                    return Condition(kind, False, "BackendNotFound", f"{where}: {namespace}/{ref.name}")
                service = self._mesh.services[backend.service]
                if isinstance(document, GRPCRoute) and service.protocol is not Protocol.HTTP2:
                    return Condition(kind, False, "UnsupportedProtocol", f"{where}: {service.key} speaks HTTP/1.1")
        if isinstance(document, AttachedPolicy | ExternalService):
            for where, identity in document.authorities():
                if self._identities.trust(identity) is None:
                    return Condition(kind, False, "InvalidCACertificateRef", f"{where}: {identity}")
        return RESOLVED

    # --- policies ---

    def _ancestors(self, policy: AttachedPolicy, programmed: Condition) -> Iterator[dict[str, Any]]:
        """Gateway API, PolicyStatus; an ancestor is a target here."""
        for ref, target in zip(policy.spec.target_refs, policy.targets(), strict=True):
            conflict = next(
                (
                    conflict
                    for conflict in self._documents.attachments.conflicts
                    if conflict.loser is policy and conflict.target == target
                ),
                None,
            )
            if conflict is not None:
                accepted = Condition(
                    ConditionType.ACCEPTED, False, "Conflicted", f"{conflict.winner.key} has the same target"
                )
                mine = Condition(ConditionType.PROGRAMMED, False, "Invalid", "it has no effect there")
            elif not self._exists(target.kind, target.namespace, target.name):
                accepted = Condition(ConditionType.ACCEPTED, False, "TargetNotFound", f"there is no {target}")
                mine = programmed
            else:
                accepted, mine = ACCEPTED, programmed
            yield {
                "ancestorRef": ref.model_dump(mode="json", by_alias=True, exclude_defaults=True),
                "controllerName": CONTROLLER,
                "conditions": self._dicts([accepted, self._references(policy), mine]),
            }

    def _exists(self, kind: str, namespace: str, name: str) -> bool:
        if kind == "Service":
            return ServiceKey(namespace, name) in self._mesh.services
        return self._documents.find(DocumentKey(kind, namespace, name)) is not None


def _means(route: Route, parent: ParentReference, gateway: Gateway) -> bool:
    named = (parent.kind, parent.namespace or route.key.namespace, parent.name)
    return named == ("Gateway", gateway.key.namespace, gateway.key.name)
