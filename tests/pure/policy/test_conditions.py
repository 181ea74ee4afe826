"""Conditions in the words of Gateway API. Standing documents can be in states that applying them would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from policy.conditions import Condition, Conditions, ConditionType
from policy.identities import CertificateChain, Identities, Identity, NoIdentities, TrustBundle
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, DocumentKey, Item, Protocol, Service
from tests.meshes import documents, gateway, route
from tests.shop import policy

PROGRAMMED = Condition(ConditionType.PROGRAMMED, True, "Programmed")
ROUTE = DocumentKey("HTTPRoute", "default", "payment")


class Known:
    """Has a certificate of "shop", and no authorities."""

    def certificate(self, identity: Identity) -> CertificateChain | None:
        return CertificateChain("chain", "key") if identity == Identity("default", "shop") else None

    def trust(self, identity: Identity) -> TrustBundle | None:
        return None


def status(key: DocumentKey, *texts: str, identities: Identities | None = None) -> dict[str, Any]:
    items: list[Item] = [Service("default", "payment"), Service("default", "grpc", protocol=Protocol.HTTP2)]
    items += [item.to_document() for item in read_documents(documents(*texts).encode(), source="test")]
    mesh = Mesh().after((Change(None, item) for item in items), revision=7)
    return Conditions(mesh, identities or NoIdentities()).status(key, PROGRAMMED)


def reasons(part: dict[str, Any]) -> dict[str, str]:
    return {item["type"]: item["reason"] for item in part["conditions"]}


def test_a_route_that_all_is_well_with() -> None:
    made = status(ROUTE, gateway(80), route("payment"))
    assert made == {
        "parents": [
            {
                "parentRef": {"name": "edge"},
                "controllerName": "apg.mesh/gateway-controller",
                "conditions": [
                    {"type": type, "status": "True", "reason": reason, "message": ""}
                    for type, reason in (
                        ("Accepted", "Accepted"), ("ResolvedRefs", "ResolvedRefs"), ("Programmed", "Programmed"),
                    )
                ],
            }
        ]
    }  # fmt: skip


NAMED = gateway(80).replace("port: 80}", "port: 80, hostname: '*.shop.example'}")


@pytest.mark.parametrize(
    ("texts", "accepted"),
    [
        ((route("payment"),), "NoMatchingParent"),
        ((gateway(80), route("payment").replace("{name: edge}", "{name: edge, sectionName: x}")), "NoMatchingParent"),
        ((gateway(80), route("payment").replace("{name: edge}", "{name: edge, port: 81}")), "NoMatchingParent"),
        (
            (gateway(80).replace("80}", "80, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}"), route("payment")),
            "NotAllowedByListeners",
        ),
        (
            (NAMED, route("payment").replace("  rules:", "  hostnames: [bank.example]\n  rules:")),
            "NoMatchingListenerHostname",
        ),
        ((NAMED, route("payment").replace("  rules:", "  hostnames: [a.shop.example]\n  rules:")), "Accepted"),
    ],
)
def test_why_a_route_is_accepted_or_not(texts: tuple[str, ...], accepted: str) -> None:
    [parent] = status(ROUTE, *texts)["parents"]
    assert reasons(parent)["Accepted"] == accepted


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        (route("payment"), "ResolvedRefs"),
        (route("ghost"), "BackendNotFound"),
        (
            route("payment").replace("name: payment, weight", "name: payment, namespace: bank, weight"),
            "RefNotPermitted",
        ),
    ],
)
def test_what_a_route_names(text: str, resolved: str) -> None:
    [parent] = status(ROUTE, gateway(80), text)["parents"]
    assert reasons(parent)["ResolvedRefs"] == resolved


def test_a_grpc_route_to_what_speaks_no_http2() -> None:
    def grpc(backend: str) -> str:
        return route(backend).replace("kind: HTTPRoute", "kind: GRPCRoute").partition("    - matches")[0] + (
            f"    - backendRefs: [{{name: {backend}}}]\n"
        )

    key = DocumentKey("GRPCRoute", "default", "payment")
    for backend, resolved in (("payment", "UnsupportedProtocol"), ("grpc", "ResolvedRefs")):
        [parent] = status(key, gateway(80), grpc(backend))["parents"]
        assert reasons(parent)["ResolvedRefs"] == resolved


def test_of_two_routes_for_the_same_connections_the_second_is_in_conflict() -> None:
    def tcp(name: str) -> str:
        return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {{name: {name}}}
spec: {{parentRefs: [{{name: edge}}], rules: [{{backendRefs: [{{name: payment}}]}}]}}
"""

    texts = (gateway(80).replace("protocol: HTTP", "protocol: TCP"), tcp("a"), tcp("b"))
    for name, accepted in (("a", "Accepted"), ("b", "Conflicted")):
        [parent] = status(DocumentKey("TCPRoute", "default", name), *texts)["parents"]
        assert reasons(parent)["Accepted"] == accepted


def test_a_gateway_says_of_each_listener_whether_it_has_its_certificate() -> None:
    text = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  listeners:
    - {name: good, protocol: HTTPS, port: 443, hostname: a.example, tls: {certificateRefs: [{name: shop}]}}
    - {name: bad, protocol: HTTPS, port: 443, hostname: b.example, tls: {certificateRefs: [{name: bank}]}}
    - {name: away, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: bank, namespace: bank}]}}
"""
    made = status(DocumentKey("Gateway", "default", "edge"), text, route("payment"), identities=Known())
    assert reasons(made) == {"Accepted": "ListenersNotValid", "Programmed": "Programmed"}
    assert [(item["name"], reasons(item), item["attachedRoutes"]) for item in made["listeners"]] == [
        ("good", {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs", "Programmed": "Programmed"}, 1),
        ("bad", {"Accepted": "Accepted", "ResolvedRefs": "InvalidCertificateRef", "Programmed": "Invalid"}, 1),
        ("away", {"Accepted": "Accepted", "ResolvedRefs": "RefNotPermitted", "Programmed": "Invalid"}, 1),
    ]
    assert made["listeners"][0]["supportedKinds"] == [
        {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"},
        {"group": "gateway.networking.k8s.io", "kind": "GRPCRoute"},
    ]


def test_a_policy_says_of_each_target_whether_it_has_an_effect_there() -> None:
    targets = "{kind: HTTPRoute, name: payment}, {kind: Gateway, name: edge}, {kind: Gateway, name: ghost}"
    texts = (
        gateway(80),
        route("payment"),
        policy("RetryPolicy", "attempts: 1", name="a"),
        policy("RetryPolicy", "attempts: 2", name="b", target=targets),
    )
    ancestors = status(DocumentKey("RetryPolicy", "default", "b"), *texts)["ancestors"]
    assert [(item["ancestorRef"]["name"], reasons(item)["Accepted"]) for item in ancestors] == [
        ("payment", "Conflicted"), ("edge", "Accepted"), ("ghost", "TargetNotFound"),
    ]  # fmt: skip
    assert reasons(ancestors[0])["Programmed"] == "Invalid"
    assert ancestors[0]["conditions"][0]["message"] == "RetryPolicy default/a has the same target"


def test_authorities_that_are_not_known() -> None:
    text = """
apiVersion: apg.mesh/v1
kind: ExternalService
metadata: {name: outside}
spec: {host: outside.example, tls: {caCertificateRefs: [{name: ghost}]}}
"""
    made = status(DocumentKey("ExternalService", "default", "outside"), text, identities=Known())
    assert reasons(made)["ResolvedRefs"] == "InvalidCACertificateRef"


def test_a_document_that_is_not_there_has_none() -> None:
    assert status(ROUTE, gateway(80)) == {}
