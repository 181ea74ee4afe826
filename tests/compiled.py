"""What documents compile to, as JSON in Envoy's field names, for tables of expectations; and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from betterproto2 import Casing
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from policy.compiler.compiler import Compiler
from policy.compiler.http_filters import HTTP_FILTERS
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Protocol, Service
from tests.meshes import documents, gateway, route
from xds.resource_types import CLUSTER, LISTENER, ROUTE
from xds.snapshot import Snapshot

PORT = 80


@dataclass(frozen=True)
class Compiled:
    """The gateway "edge" with the route "payment" of one rule, "pay"."""

    snapshot: Snapshot

    @property
    def manager(self) -> Mapping[str, Any]:
        """The HTTP connection manager."""
        resource = self.snapshot.get(LISTENER, f"default/edge/{PORT}")
        assert resource is not None
        packed = Listener.parse(resource.body).filter_chains[0].filters[0].typed_config
        assert packed is not None
        return HttpConnectionManager.parse(packed.value).to_dict(casing=Casing.SNAKE)

    @property
    def filters(self) -> Mapping[str, Any]:
        """The configurations of all HTTP filters but the router, which is the last one, in their order."""
        return {entry["name"]: entry["typed_config"] for entry in self.manager["http_filters"][:-1]}

    @property
    def chain(self) -> Mapping[str, Any]:
        """Those of the filters that are there because a policy asked for them."""
        always = {row.name for row in HTTP_FILTERS if row.constant}
        return {name: config for name, config in self.filters.items() if name not in always}

    @property
    def route(self) -> Mapping[str, Any]:
        """The route that all requests meet."""
        resource = self.snapshot.get(ROUTE, f"default/edge/{PORT}")
        assert resource is not None
        compiled = RouteConfiguration.parse(resource.body).to_dict(casing=Casing.SNAKE)
        route: dict[str, Any] = compiled["virtual_hosts"][0]["routes"][0]
        return route

    @property
    def on_route(self) -> Mapping[str, Any]:
        """What the route says of filters, by their names."""
        return self.route.get("typed_per_filter_config", {})  # type: ignore[no-any-return]  # JSON

    @property
    def clusters(self) -> set[str]:
        return set(self.snapshot.resources(CLUSTER))


def mesh(*texts: str) -> Mesh:
    """The gateway and the route, the services payment and auth (HTTP/2), and the documents in `texts`."""
    named = route("payment").replace("- matches:", "- name: pay\n      matches:")
    items: list[Item] = [Service("default", "payment"), Service("default", "auth", 9000, Protocol.HTTP2)]
    text = documents(gateway(PORT), named, *texts).encode()
    items += [item.to_document() for item in read_documents(text, source="test")]
    return Mesh().after(Change(None, item) for item in items)


def compiled(*texts: str) -> Compiled:
    """What the documents in `texts`, which must be right, compile to on top of the gateway and the route."""
    made = mesh(*texts)
    assert validate(made).problems == ()
    return Compiled(Compiler().compile(made)["default/edge"])


def problem(*texts: str) -> str:
    """The one problem of the documents in `texts`."""
    try:
        found = validate(mesh(*texts)).problems
    except PolicyError as error:
        found = error.problems
    assert len(found) == 1, found
    return str(found[0])
