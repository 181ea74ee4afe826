"""The kinds of document, as one table, and typed access to those of a mesh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from policy.gateway import Gateway
from policy.http_route import HTTPRoute
from registry.mesh import Mesh
from registry.model import Document

PolicyDocument: TypeAlias = Gateway | HTTPRoute

KINDS: dict[tuple[str, str], type[Gateway] | type[HTTPRoute]] = {
    (kind.API_VERSION, kind.KIND): kind for kind in (Gateway, HTTPRoute)
}
"""By apiVersion and kind."""

_BY_KIND = {kind: model for (_, kind), model in KINDS.items()}


@lru_cache(maxsize=20_000)
def typed(document: Document) -> PolicyDocument:
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
