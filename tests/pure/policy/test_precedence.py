"""Precedence and conflicts as Gateway API has them: which listener, hostname, rule, route and certificate wins.

Each table is a rule of the standard; where it says "the oldest", the alphabetically first stands in (decision 0040).
"""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Protocol, Service
from tests.examples import AllIdentities
from tests.meshes import documents
from xds.resource_types import LISTENER, ROUTE
from xds.snapshot import Snapshot

HTTPS = "protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: shop}]}"


def gateway(*listeners: str) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge}}
spec: {{listeners: [{", ".join(f"{{{listener}}}" for listener in listeners)}]}}
"""


def route(
    name: str,
    *,
    kind: str = "HTTPRoute",
    hosts: str = "",
    rules: str = "",
    listener: str = "",
    namespace: str = "default",
) -> str:
    section = f", sectionName: {listener}" if listener else ""
    backend = "grpc" if kind == "GRPCRoute" else "payment"
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  parentRefs: [{{name: edge, namespace: default{section}}}]
  {f"hostnames: [{hosts}]" if hosts else ""}
  rules: {rules or f"[{{backendRefs: [{{name: {backend}, namespace: default}}]}}]"}
"""


GRANT = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: all}
spec: {from: [{kind: HTTPRoute, namespace: another}], to: [{kind: Service}]}
"""


def mesh(*texts: str) -> Mesh:
    items: list[Item] = [Service("default", "payment"), Service("default", "grpc", protocol=Protocol.HTTP2)]
    items += [item.to_document() for item in read_documents(documents(*texts).encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def compiled(*texts: str) -> Snapshot:
    assert validate(mesh(*texts), identities=AllIdentities()).problems == ()
    return Compiler(AllIdentities()).compile(mesh(*texts))["default/edge"]


def served(snapshot: Snapshot, name: str) -> dict[str, list[str]]:
    """The routes that each hostname of a route configuration meets, in Envoy's order, as "NAME RULE"."""
    resource = snapshot.get(ROUTE, f"default/edge/{name}")
    assert resource is not None
    made = RouteConfiguration.parse(resource.body)
    return {
        host.name: [f"{route.name.split()[1].partition('/')[2]} {route.name.split()[3]}" for route in host.routes]
        for host in made.virtual_hosts
    }


PLAIN = "name: any, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: All}}"
WILD = "name: wild, protocol: HTTP, port: 80, hostname: '*.example'"
EXACT = "name: exact, protocol: HTTP, port: 80, hostname: shop.example"


@pytest.mark.parametrize(
    ("listeners", "routes", "hosts"),
    [
        # One listener: the hostnames of its routes, as they are.
        ((PLAIN,), (route("a"), route("b", hosts="shop.example")), {"*": ["a 0"], "shop.example": ["b 0"]}),
        # A listener's hostname narrows a route without hostnames.
        ((WILD,), (route("a"),), {"*.example": ["a 0"]}),
        ((EXACT,), (route("a", hosts="'*.example'"),), {"shop.example": ["a 0"]}),
        # A request is the most specific listener's alone, routes of the others do not count for it ...
        (
            (PLAIN, WILD, EXACT),
            (route("a", listener="any"), route("w", listener="wild"), route("e", listener="exact")),
            {"*": ["a 0"], "*.example": ["w 0"], "shop.example": ["e 0"]},
        ),
        (
            (WILD, EXACT),
            (route("w", listener="wild", hosts="shop.example"), route("e", listener="exact")),
            {"*.example": [], "shop.example": ["e 0"]},
        ),
        # ... and also where the most specific listener has no route for it.
        ((WILD, EXACT), (route("w", listener="wild"),), {"*.example": ["w 0"], "shop.example": []}),
        # A route that names no listener is attached to all of them.
        ((WILD, EXACT), (route("a"),), {"*.example": ["a 0"], "shop.example": ["a 0"]}),
        # A longer wildcard is more specific than a shorter one.
        (
            (WILD, "name: deep, protocol: HTTP, port: 80, hostname: '*.shop.example'"),
            (route("w", listener="wild", hosts="'*.shop.example'"), route("d", listener="deep")),
            {"*.example": [], "*.shop.example": ["d 0"]},
        ),
    ],
)
def test_the_most_specific_listener_and_hostname(
    listeners: tuple[str, ...], routes: tuple[str, ...], hosts: dict[str, list[str]]
) -> None:
    texts = (gateway(*listeners), *routes)
    # What no listener takes is refused when it is applied; here it is what compiling makes of it that counts.
    made = Compiler().compile(mesh(*texts))["default/edge"]
    assert served(made, "80") == hosts


def match(text: str) -> str:
    return f"{{matches: [{text}], backendRefs: [{{name: payment, namespace: default}}]}}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{path: {type: Exact, value: /a}}", "{path: {value: /a/very/long/prefix}}"),
        ("{path: {type: Exact, value: /a}}", "{path: {type: RegularExpression, value: '/.*'}, method: GET}"),
        ("{path: {value: /longer}}", "{path: {value: /long}, method: GET}"),
        ("{path: {value: /a}, method: GET}", "{path: {value: /a}, headers: [{name: a, value: b}]}"),
        (
            "{path: {value: /a}, headers: [{name: a, value: b}, {name: c, value: d}]}",
            "{path: {value: /a}, headers: [{name: a, value: b}], queryParams: [{name: q, value: r}]}",
        ),
        (
            "{path: {value: /a}, queryParams: [{name: q, value: r}, {name: s, value: t}]}",
            "{path: {value: /a}, queryParams: [{name: q, value: r}]}",
        ),
    ],
)
def test_the_most_specific_match(first: str, second: str) -> None:
    for rules in (f"[{match(first)}, {match(second)}]", f"[{match(second)}, {match(first)}]"):
        order = served(compiled(gateway(PLAIN), route("r", rules=rules)), "80")["*"]
        assert order == (["r 0", "r 1"] if rules.startswith(f"[{match(first)}") else ["r 1", "r 0"])


def test_of_equal_matches_the_first_by_namespace_and_name_then_the_first_rule() -> None:
    two = f"[{match('{path: {value: /}}')}, {match('{path: {value: /}}')}]"
    texts = (GRANT, route("b", rules=two), route("a"), route("c", namespace="another"))
    assert served(compiled(gateway(PLAIN), *texts), "80")["*"] == ["c 0", "a 0", "b 0", "b 1"]


GRPC = "[{matches: [METHOD], backendRefs: [{name: grpc}]}]"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{method: {service: a.B, method: C}}", "{method: {service: a.B}}"),
        ("{method: {service: a.B}}", "{method: {service: a}}"),
        ("{method: {service: a.B}, headers: [{name: a, value: b}]}", "{method: {service: a.B}}"),
        ("{method: {service: a.B}}", "{}"),
    ],
)
def test_the_most_specific_call(first: str, second: str) -> None:
    texts = (
        route("a", kind="GRPCRoute", rules=GRPC.replace("METHOD", second)),
        route("b", kind="GRPCRoute", rules=GRPC.replace("METHOD", first)),
    )
    assert served(compiled(gateway(PLAIN), *texts), "80")["*"] == ["b 0", "a 0"]


def test_a_hostname_is_for_http_routes_or_for_grpc_routes() -> None:
    texts = (route("a", hosts="shop.example"), route("b", kind="GRPCRoute", hosts="shop.example, grpc.example"))
    [problem] = validate(mesh(gateway(PLAIN), *texts)).problems
    assert str(problem) == (
        "GRPCRoute default/b: spec.hostnames: got shop.example on listener any of Gateway default/edge, which HTTPRoute "
        "default/a has, want a hostname without a HTTPRoute"
    )
    compiled(gateway(PLAIN), route("a", hosts="shop.example"), route("b", kind="GRPCRoute", hosts="grpc.example"))


def chains(*texts: str) -> list[tuple[str, list[str]]]:
    resource = compiled(*texts).get(LISTENER, "default/edge/443")
    assert resource is not None
    return [
        (
            chain.name.removeprefix("default/edge/443/"),
            chain.filter_chain_match.server_names if chain.filter_chain_match else [],
        )
        for chain in Listener.parse(resource.body).filter_chains
    ]


PASS = "name: pass, protocol: TLS, port: 443, tls: {mode: Passthrough}"


def test_each_tls_listener_is_asked_for_by_its_own_name() -> None:
    listeners = (f"name: shop, hostname: shop.example, {HTTPS}", f"name: wild, hostname: '*.example', {HTTPS}", PASS)
    tls = route("t", kind="TLSRoute", hosts="'*.other'")
    assert chains(gateway(*listeners), tls) == [
        ("shop", ["shop.example"]), ("wild", ["*.example"]), ("pass/default/t", ["*.other"]),
    ]  # fmt: skip


def test_a_name_that_a_more_specific_listener_has_is_not_passed_through() -> None:
    listeners = (f"name: shop, hostname: shop.example, {HTTPS}", PASS)
    tls = route("t", kind="TLSRoute", listener="pass", hosts="shop.example, bank.example")
    assert chains(gateway(*listeners), tls) == [("shop", ["shop.example"]), ("pass/default/t", ["bank.example"])]


def test_of_two_routes_for_one_name_the_first_has_it_and_the_other_is_told() -> None:
    texts = (
        gateway(PASS),
        route("b", kind="TLSRoute", hosts="shop.example, bank.example"),
        route("a", kind="TLSRoute", hosts="shop.example"),
    )
    assert chains(*texts) == [("pass/default/a", ["shop.example"]), ("pass/default/b", ["bank.example"])]
    [warning] = [text for text in validate(mesh(*texts)).warnings if "comes first" in text]
    assert warning == (
        "TLSRoute default/b: TLSRoute default/a comes first and has the connections of listener pass for shop.example "
        "of Gateway default/edge"
    )


def test_a_tcp_listener_is_one_routes() -> None:
    texts = (gateway("name: tcp, protocol: TCP, port: 443"), route("b", kind="TCPRoute"), route("a", kind="TCPRoute"))
    assert chains(*texts) == [("tcp/default/a", [])]


@pytest.mark.parametrize(
    ("listeners", "words"),
    [
        ((PLAIN, "name: any, protocol: HTTP, port: 81"), "want listeners with names of their own, and any is there twice"),
        ((PLAIN, "name: b, protocol: HTTP, port: 80"), "want one listener for each port and hostname, and port 80, any host"),
        ((EXACT, EXACT.replace("exact", "b")), "want one listener for each port and hostname, and port 80, shop.example"),
        ((PLAIN, f"name: b, {HTTPS.replace('443', '80')}"), "want listeners that can share a port"),
    ],
)  # fmt: skip
def test_listeners_in_conflict_are_refused(listeners: tuple[str, ...], words: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read_documents(gateway(*listeners).encode(), source="test")
    assert words in str(refused.value)
