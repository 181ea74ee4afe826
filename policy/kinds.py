"""The kinds of document, as one table. A new kind is one row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeAlias
from weakref import WeakKeyDictionary

from policy.attached import AttachedPolicy
from policy.authentication_policy import AuthenticationPolicy
from policy.authorization_policy import AuthorizationPolicy
from policy.backend_policy import BackendPolicy
from policy.backend_tls import BackendTLSPolicy
from policy.cache_policy import CachePolicy
from policy.compression_policy import CompressionPolicy
from policy.envoy_patch import EnvoyPatch
from policy.external_service import ExternalService
from policy.fault_policy import FaultPolicy
from policy.gateway import Gateway
from policy.grpc_route import GRPCRoute
from policy.http_route import HTTPRoute
from policy.rate_limit_policy import RateLimitPolicy
from policy.reference_grant import ReferenceGrant
from policy.retry_policy import RetryPolicy
from policy.route import Route
from policy.running_policies import AlertPolicy, ReportPolicy, RolloutPolicy, ScalingPolicy
from policy.shapes import BaseDocument, slim
from policy.sidecar import Sidecar
from policy.stream_route import TCPRoute, TLSRoute
from policy.telemetry_policy import TelemetryPolicy
from policy.threat_policy import ThreatPolicy
from policy.timeout_policy import TimeoutPolicy
from registry.mesh import Mesh
from registry.model import Document

PolicyDocument: TypeAlias = BaseDocument

_TABLE: tuple[type[BaseDocument], ...] = (
    # what exists beside the registry
    ExternalService,
    Sidecar,
    # Gateway API
    Gateway,
    GRPCRoute,
    HTTPRoute,
    ReferenceGrant,
    TCPRoute,
    TLSRoute,
    # attached policies, alphabetically
    BackendTLSPolicy,
    AuthenticationPolicy,
    AuthorizationPolicy,
    RateLimitPolicy,
    BackendPolicy,
    CachePolicy,
    CompressionPolicy,
    EnvoyPatch,
    FaultPolicy,
    RetryPolicy,
    TelemetryPolicy,
    ThreatPolicy,
    TimeoutPolicy,
    # about running, kept until something acts on them
    AlertPolicy,
    ReportPolicy,
    RolloutPolicy,
    ScalingPolicy,
)

KINDS: dict[tuple[str, str], type[BaseDocument]] = {
    (version, kind.KIND): kind for kind in _TABLE for version in (kind.API_VERSION, *kind.OLDER_VERSIONS)
}
"""By apiVersion and kind."""

POLICY_KINDS: tuple[type[AttachedPolicy], ...] = tuple(kind for kind in _TABLE if issubclass(kind, AttachedPolicy))

ROUTE_KINDS: tuple[type[Route], ...] = tuple(kind for kind in _TABLE if issubclass(kind, Route))

_BY_KIND = {kind.KIND: kind for kind in _TABLE}


FORMS: WeakKeyDictionary[Document, BaseDocument] = WeakKeyDictionary()
"""The typed forms of documents, for as long as a mesh has them. Those of all that ever were would outgrow it."""


def typed(document: Document) -> BaseDocument:
    """The typed form of a document that was validated before it was stored."""
    found = FORMS.get(document)
    if found is None:
        found = FORMS[document] = slim(_BY_KIND[document.kind].model_validate(json.loads(document.body)))
    return found


def gateways(mesh: Mesh) -> Iterator[Gateway]:
    """The Gateways of `mesh`, sorted by namespace and name."""
    for document in mesh.documents_of(Gateway.KIND):
        gateway = typed(document)
        assert isinstance(gateway, Gateway)
        yield gateway


def http_routes(mesh: Mesh) -> Iterator[HTTPRoute]:
    """The HTTPRoutes of `mesh`, sorted by namespace and name."""
    for document in mesh.documents_of(HTTPRoute.KIND):
        route = typed(document)
        assert isinstance(route, HTTPRoute)
        yield route
