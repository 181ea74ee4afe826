"""The kinds of document, as one table. A new kind is one row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from policy.attached import AttachedPolicy
from policy.backend_policy import BackendPolicy
from policy.cache_policy import CachePolicy
from policy.compression_policy import CompressionPolicy
from policy.fault_policy import FaultPolicy
from policy.gateway import Gateway
from policy.http_route import HTTPRoute
from policy.retry_policy import RetryPolicy
from policy.shapes import BaseDocument
from policy.timeout_policy import TimeoutPolicy
from registry.mesh import Mesh
from registry.model import Document

PolicyDocument: TypeAlias = BaseDocument

_TABLE: tuple[type[BaseDocument], ...] = (
    # Gateway API
    Gateway,
    HTTPRoute,
    # attached policies, alphabetically
    BackendPolicy,
    CachePolicy,
    CompressionPolicy,
    FaultPolicy,
    RetryPolicy,
    TimeoutPolicy,
)

KINDS: dict[tuple[str, str], type[BaseDocument]] = {(kind.API_VERSION, kind.KIND): kind for kind in _TABLE}
"""By apiVersion and kind."""

POLICY_KINDS: tuple[type[AttachedPolicy], ...] = tuple(kind for kind in _TABLE if issubclass(kind, AttachedPolicy))

_BY_KIND = {kind.KIND: kind for kind in _TABLE}


@lru_cache(maxsize=40_000)
def typed(document: Document) -> BaseDocument:
    """The typed form of a document that was validated before it was stored."""
    return _BY_KIND[document.kind].model_validate(json.loads(document.body))


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
