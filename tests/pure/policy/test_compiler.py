"""What documents compile to, and what is compiled anew when something changes."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from policy.attachment import shared_hostnames
from policy.compiler.compiler import Compiler
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Service, labels
from tests.meshes import documents, gateway, route
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE
from xds.snapshot import Snapshot

GROUP = "default/edge"


def service(name: str, *versions: str) -> list[Item]:
    endpoints = [
        Endpoint("default", name, f"10.0.0.{number}", 8080, labels({"version": version}))
        for number, version in enumerate(versions, start=1)
    ]
    return [Service("default", name), *endpoints]


def mesh(*items: Item, text: str = "") -> Mesh:
    changes = [Change(None, item) for item in items]
    if text:
        changes += [Change(None, item.to_document()) for item in read_documents(text.encode(), source="test")]
    return Mesh().after(changes)


def routes_of(snapshot: Snapshot, name: str = f"{GROUP}/8080") -> dict[str, Any]:
    resource = snapshot.get(ROUTE, name)
    assert resource is not None
    return RouteConfiguration.parse(resource.body).to_dict(casing=Casing.SNAKE)


def order(snapshot: Snapshot) -> list[str]:
    [host] = routes_of(snapshot)["virtual_hosts"]
    return [entry["name"].removeprefix("HTTPRoute default/") for entry in host["routes"]]


def rule(text: str) -> dict[str, Any]:
    """The one Envoy route of an HTTPRoute whose one rule is `text`."""
    document = route("payment").partition("  rules:")[0] + f"  rules:\n    - {text}\n"
    compiled = Compiler().compile(mesh(*service("payment", "v1", "v2"), text=documents(gateway(8080), document)))
    [host] = routes_of(compiled[GROUP])["virtual_hosts"]
    [entry] = host["routes"]
    return {key: value for key, value in entry.items() if key != "name"}


REF = "backendRefs: [{name: payment}]"
TO_PAYMENT = {"route": {"cluster": "default/payment"}}


def within(timeout: str) -> dict[str, Any]:
    return {"match": {"prefix": "/"}, "route": {"cluster": "default/payment", "timeout": timeout}}


POST = {"path": "/pay", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (REF, {"match": {"prefix": "/"}, **TO_PAYMENT}),
        (
            "matches: [{path: {type: PathPrefix, value: /pay/}}]\n      " + REF,
            {"match": {"path_separated_prefix": "/pay"}, **TO_PAYMENT},
        ),
        (
            "matches: [{path: {type: Exact, value: /pay}, method: POST}]\n      " + REF,
            {
                "match": {"path": "/pay", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]},
                **TO_PAYMENT,
            },
        ),
        (
            "matches: [{queryParams: [{name: a, type: RegularExpression, value: 'b+'}]}]\n      " + REF,
            {
                "match": {
                    "prefix": "/",
                    "query_parameters": [{"name": "a", "string_match": {"safe_regex": {"regex": "b+"}}}],
                },
                **TO_PAYMENT,
            },
        ),
        (
            "backendRefs: [{name: payment-v1, weight: 9}, {name: payment-v2, weight: 0}]",
            {
                "match": {"prefix": "/"},
                "route": {
                    "weighted_clusters": {
                        "clusters": [
                            {"name": "default/payment-v1", "weight": 9},
                            {"name": "default/payment-v2", "weight": 0},
                        ]
                    }
                },
            },
        ),
        (
            REF + "\n      timeouts: {request: 1m30s}",
            {"match": {"prefix": "/"}, "route": {**TO_PAYMENT["route"], "timeout": "90s"}},
        ),
        (
            REF + "\n      timeouts: {request: 10s, backendRequest: 500ms}",
            {"match": {"prefix": "/"}, "route": {**TO_PAYMENT["route"], "timeout": "0.500s"}},
        ),
        (
            REF + "\n      timeouts: {request: 0s}",
            {"match": {"prefix": "/"}, "route": {**TO_PAYMENT["route"], "timeout": "0s"}},
        ),
        (
            "filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]",
            {"match": {"prefix": "/"}, "redirect": {"scheme_redirect": "https"}},
        ),
        (
            "filters:\n        - type: RequestHeaderModifier\n"
            "          requestHeaderModifier: {set: [{name: a, value: b}], remove: [c]}\n      " + REF,
            {
                "match": {"prefix": "/"},
                **TO_PAYMENT,
                "request_headers_to_add": [
                    {"header": {"key": "a", "value": "b"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                ],
                "request_headers_to_remove": ["c"],
            },
        ),
        (
            "backendRefs: [{name: payment, weight: 0}]",
            {
                "match": {"prefix": "/"},
                "direct_response": {
                    "status": 500,
                    "body": {
                        "inline_string": "no backend: every backendRef of this rule has weight 0, or there is none\n"
                    },
                },
            },
        ),
    ],
)
def test_a_rule_in_envoys_words(text: str, wanted: dict[str, Any]) -> None:
    assert rule(text) == wanted


def test_the_most_specific_match_goes_first_and_ties_go_by_name() -> None:
    def matching(name: str, match: str) -> str:
        return route("payment", name=name).replace("{path: {type: PathPrefix, value: /}}", match)

    text = documents(
        gateway(8080),
        matching("a-prefix", "{path: {type: PathPrefix, value: /pay}}"),
        matching("b-regex", "{path: {type: RegularExpression, value: '/p.*'}}"),
        matching("c-exact", "{path: {type: Exact, value: /pay}}"),
        matching("d-longer", "{path: {type: PathPrefix, value: /pay/card}}"),
        matching("e-method", "{path: {type: PathPrefix, value: /pay}, method: GET}"),
        matching("f-header", "{path: {type: PathPrefix, value: /pay}, headers: [{name: a, value: b}]}"),
        matching("g-query", "{path: {type: PathPrefix, value: /pay}, queryParams: [{name: a, value: b}]}"),
        matching("h-same-as-a", "{path: {type: PathPrefix, value: /pay}}"),
    )
    compiled = Compiler().compile(mesh(*service("payment", "v1"), text=text))
    assert [name.split(" ")[0] for name in order(compiled[GROUP])] == [
        "c-exact", "b-regex", "d-longer", "e-method", "f-header", "g-query", "a-prefix", "h-same-as-a",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("listener", "asked", "shared"),
    [
        (None, (), ("*",)),
        ("a.example", (), ("a.example",)),
        (None, ("a.example",), ("a.example",)),
        ("*.example", ("a.example", "b.other"), ("a.example",)),
        ("a.example", ("*.example",), ("a.example",)),
        ("*.example", ("*.b.example",), ("*.b.example",)),
        ("*.example", ("example",), ()),
        ("a.example", ("b.example",), ()),
    ],
)
def test_a_route_serves_the_hostnames_that_it_shares_with_its_listener(
    listener: str | None, asked: tuple[str, ...], shared: tuple[str, ...]
) -> None:
    assert shared_hostnames(listener, asked) == shared


def test_a_group_is_sent_only_what_its_routes_need() -> None:
    text = documents(
        gateway(8080), route("payment-v1"), gateway(8081, name="inner"), route("cart", name="c", parent="inner")
    )
    compiled = Compiler().compile(mesh(*service("payment", "v1", "v2"), *service("cart", "v1"), text=text))
    assert set(compiled) == {"default/edge", "default/inner"}
    assert set(compiled["default/edge"].resources(CLUSTER)) == {"default/payment-v1"}
    assert set(compiled["default/inner"].resources(ENDPOINT)) == {"default/cart"}
    assert set(compiled["default/inner"].resources(LISTENER)) == {"default/inner/8081"}


def test_a_backend_that_lost_its_endpoints_stays_and_is_empty() -> None:
    base = mesh(*service("payment", "v1", "v2"), text=documents(gateway(8080), route("payment-v1", "payment-v2")))
    [gone] = [endpoint for endpoint in base.endpoints_of(Service("default", "payment").key) if endpoint.version == "v2"]
    compiled = Compiler().compile(base.after([Change(gone, None)]))
    assignment = compiled[GROUP].get(ENDPOINT, "default/payment-v2")
    assert assignment is not None
    assert b"10.0.0" not in assignment.body


def test_one_changed_endpoint_makes_one_resource_anew() -> None:
    compiler = Compiler()
    base = mesh(
        *service("payment", "v1"), *service("cart", "v1"), text=documents(gateway(8080), route("payment", "cart"))
    )
    before = compiler.compile(base)[GROUP]
    fresh = Endpoint("default", "cart", "10.9.9.9", 80)
    after = compiler.compile(base.after([Change(None, fresh)]))[GROUP]
    assert after.changes_since(before) == {ENDPOINT: frozenset({"default/cart"})}
    for type in (CLUSTER, LISTENER, ROUTE):
        for name, resource in before.resources(type).items():
            assert after.get(type, name) is resource


def test_compiling_the_same_again_gives_the_identical_snapshot_also_after_a_plan() -> None:
    compiler = Compiler()
    base = mesh(*service("payment", "v1", "v2"), text=documents(gateway(8080), route("payment-v1")))
    first = compiler.compile(base)[GROUP]
    planned = base.after(
        [
            Change(base.documents[item.key], item.to_document())
            for item in read_documents(route("payment-v2").encode(), source="t")
        ]
    )
    assert compiler.compile(planned)[GROUP] is not first
    assert compiler.compile(base)[GROUP] is first


def test_two_compilers_agree_on_every_version() -> None:
    base = mesh(*service("payment", "v1", "v2"), text=documents(gateway(8080), route("payment-v1=1", "payment-v2=2")))
    one, other = Compiler().compile(base)[GROUP], Compiler().compile(base)[GROUP]
    assert one.same_as(other)


def test_every_resource_says_what_it_was_made_from() -> None:
    compiled = Compiler().compile(mesh(*service("payment", "v1"), text=documents(gateway(8080), route("payment"))))
    routes = compiled[GROUP].get(ROUTE, "default/edge/8080")
    cluster = compiled[GROUP].get(CLUSTER, "default/payment")
    assert routes is not None
    assert routes.origin == ("Gateway default/edge", "HTTPRoute default/payment")
    assert cluster is not None
    assert cluster.origin == ("Service default/payment",)
