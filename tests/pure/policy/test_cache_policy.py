"""CachePolicy: what it compiles to, where it has no effect, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import CompositePerRoute, ExecuteFilterAction

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Service
from tests.meshes import documents, gateway, route
from tests.shop import policy
from xds.resource_types import ROUTE

ROUTE_TO_PAYMENT = route("payment")
OUTSIDE = """
apiVersion: apg.mesh/v1
kind: ExternalService
metadata: {name: api}
spec: {host: api.example.com, port: 80}
"""
DIRECTORY = "directory: /var/cache/apg"
FILTER = "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x]}}]"


def mesh(*texts: str) -> Mesh:
    text = documents(gateway(80), *texts)
    items: list[Item] = [Service("default", "payment"), Endpoint("default", "payment", "10.0.0.1", 80)]
    items += [item.to_document() for item in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def per_route(*texts: str) -> dict[str, Any]:
    resource = Compiler().compile(mesh(*texts))["default/edge"].get(ROUTE, "default/edge/80")
    assert resource is not None
    [entry] = RouteConfiguration.parse(resource.body).virtual_hosts[0].routes
    return {name: packed.unpack() for name, packed in entry.typed_per_filter_config.items()}


def test_a_cache_in_envoys_words() -> None:
    made = per_route(ROUTE_TO_PAYMENT, policy("CachePolicy", f"{DIRECTORY}, varyOn: [Accept]"))
    assert made.keys() == {"apg.cache", "apg.cache-cookies"}
    composite = made["apg.cache"]
    assert isinstance(composite, CompositePerRoute)
    action = composite.matcher.on_no_match.action.typed_config.unpack()  # type: ignore[union-attr]
    assert isinstance(action, ExecuteFilterAction)
    config = action.typed_config.typed_config.unpack().to_dict(casing=Casing.SNAKE)  # type: ignore[union-attr]
    store = config.pop("typed_config")
    assert config == {"allowed_vary_headers": [{"exact": "Accept", "ignore_case": True}]}
    assert store["cache_path"] == "/var/cache/apg/"
    assert (store["max_cache_size_bytes"], store["max_individual_cache_entry_size_bytes"]) == (1 << 30, 1 << 24)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([ROUTE_TO_PAYMENT + f"      {FILTER}\n"], "its filters"),
        ([ROUTE_TO_PAYMENT + "      timeouts: {request: 5s}\n"], "its timeouts"),
        (
            [ROUTE_TO_PAYMENT.replace("weight: 1}", f"weight: 1, {FILTER}}}")],
            "the filters of its backendRefs",
        ),
        (
            [OUTSIDE, ROUTE_TO_PAYMENT.replace("name: payment, weight", "name: api, weight")],
            "the name of its host outside",
        ),
        ([ROUTE_TO_PAYMENT, policy("RetryPolicy", "attempts: 1", name="again")], "RetryPolicy default/again"),
        (
            [ROUTE_TO_PAYMENT, policy("TimeoutPolicy", "request: 1s", name="soon")],
            "the request timeout of TimeoutPolicy default/soon",
        ),
    ],
)
def test_where_the_router_has_work_to_do_nothing_is_cached_and_that_is_told(texts: list[str], why: str) -> None:
    texts = [*texts, policy("CachePolicy", DIRECTORY)]
    assert per_route(*texts) == {}
    assert validate(mesh(*texts)).warnings == (
        f"CachePolicy default/test: nothing is cached for spec.rules[0] of HTTPRoute default/payment: {why} would have "
        "no effect on what the cache asks the backend for",
    )


def test_what_costs_the_cache_nothing_does_not_hinder_it() -> None:
    texts = [ROUTE_TO_PAYMENT, policy("TimeoutPolicy", "idle: 1s"), policy("CachePolicy", DIRECTORY)]
    assert "apg.cache" in per_route(*texts)
    assert validate(mesh(*texts)).warnings == ()


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("", "spec.directory: got nothing, want a value: this field is required"),
        ("directory: cache", 'spec.directory: got the text "cache", want a directory of the proxies, such as "/var/cache/apg"'),
        ("directory: /var/../etc", 'spec.directory: got the text "/var/../etc", want a directory of the proxies, such as "/var/cache/apg"'),
        ("directory: /var/cache/", 'spec.directory: got the text "/var/cache/", want a directory of the proxies, such as "/var/cache/apg"'),
        (f"{DIRECTORY}, vary: [Accept]", "spec.vary: got a field that does not exist, want one of targetRefs, directory, varyOn, ignoreRequestCacheControl; did you mean varyOn?"),
        (f"{DIRECTORY}, varyOn: ['a b']", "spec.varyOn[0]: got the text \"a b\", want a name of letters, digits and !#$%&'*+-.^_`|~"),
        (f"{DIRECTORY}, ignoreRequestCacheControl: 'yes'", 'spec.ignoreRequestCacheControl: got the text "yes", want true or false'),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    with pytest.raises(PolicyError) as caught:
        mesh(ROUTE_TO_PAYMENT, policy("CachePolicy", spec))
    assert [str(problem) for problem in caught.value.problems] == [f"CachePolicy default/test: {wanted}"]
