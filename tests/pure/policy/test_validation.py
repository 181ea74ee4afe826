"""Whether documents fit each other and what exists; endpoints come and go without making any of them wrong."""

from __future__ import annotations

import pytest

from policy.reading import read_documents
from policy.validation import Findings, validate
from registry.mesh import Mesh
from registry.model import Change, DocumentKey, Endpoint, Item, Service, ServiceKey, labels
from tests.meshes import documents, gateway, route


def mesh(text: str, *versions: str, also: tuple[Item, ...] = ()) -> Mesh:
    items: list[Item] = [Service("default", "payment", 8080), *also]
    items += [
        Endpoint("default", "payment", f"10.0.0.{number}", 80, labels({"version": version}))
        for number, version in enumerate(versions, start=1)
    ]
    items += [document.to_document() for document in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def problems(findings: Findings) -> list[str]:
    return [str(problem) for problem in findings.problems]


EDGE = gateway(80)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (route("payment", parent="nowhere"), "got default/nowhere, which does not exist"),
        (route("payment").replace("{name: edge}", "{name: edge, sectionName: https}"), "got sectionName https, which"),
        (route("payment").replace("{name: edge}", "{name: edge, port: 81}"), "want one of http (port 80)"),
        (
            route("payment").replace("name: payment,", "name: payment, port: 81,"),
            "got 81, want 8080, the port of default/",
        ),
        (
            route("payment").replace("name: payment,", "name: payment, namespace: shop,"),
            "a ReferenceGrant in shop from HTTPRoute in default to Service payment",
        ),
        (route("ghost"), "got ghost, which does not exist, want a service of default: payment"),
        (route("payment-v9"), "no endpoint of payment has the version v9, want a version of payment: v1"),
    ],
)
def test_what_refers_to_nothing_is_a_problem(text: str, words: str) -> None:
    [problem] = problems(validate(mesh(documents(EDGE, text), "v1")))
    assert words in problem


def test_a_route_from_another_namespace_needs_to_be_let_in() -> None:
    away = (
        route("payment")
        .replace("{name: payment}", "{name: payment, namespace: shop}")
        .replace("{name: edge}", "{name: edge, namespace: default}")
    )
    shop = (Service("shop", "payment"),)
    [problem] = problems(validate(mesh(documents(EDGE, away), also=shop)))
    assert "takes routes of its own namespace only" in problem
    opened = EDGE.replace("port: 80}", "port: 80, allowedRoutes: {namespaces: {from: All}}}")
    assert problems(validate(mesh(documents(opened, away), also=shop))) == []


def test_a_hostname_that_no_listener_serves_is_a_problem() -> None:
    named = EDGE.replace("port: 80}", "port: 80, hostname: '*.shop.example'}")
    other = route("payment").replace("  rules:", "  hostnames: [bank.example]\n  rules:")
    [problem] = problems(validate(mesh(documents(named, other), "v1")))
    assert (
        "got bank.example, none of which Gateway default/edge serves, want hostnames within *.shop.example" in problem
    )


def test_a_version_that_lost_its_last_endpoint_is_a_warning_for_standing_documents_only() -> None:
    text = documents(EDGE, route("payment-v2"))
    standing = validate(mesh(text, "v1"), changed=set())
    assert problems(standing) == []
    assert standing.warnings == (
        "HTTPRoute default/payment: spec.rules[0].backendRefs[0]: default/payment-v2 has no endpoints: "
        "its share of requests gets 503",
    )
    applied = validate(mesh(text, "v1"), changed={DocumentKey("HTTPRoute", "default", "payment")})
    assert len(applied.problems) == 1


def test_a_removed_service_does_not_pass_for_a_version_of_another() -> None:
    """payment-canary was a service; once it is gone, a route to it does not quietly mean "canary" of payment."""
    text = documents(EDGE, route("payment-canary"))
    findings = validate(mesh(text, "v1"), changed={ServiceKey("default", "payment-canary")})
    assert len(findings.problems) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (route("payment-v1=0"), "every backendRef has weight 0: its requests get 500"),
        (route("payment-v1").partition("      backendRefs")[0], "it has no backendRefs: its requests get 500"),
        (
            route("payment-v1") + "    - backendRefs: [{name: payment-v1}]\n",
            "spec.rules[1].matches[0]: the same match stands earlier, and wins",
        ),
        (
            documents(route("payment-v1"), gateway(80, name="twin")),
            "listen on 127.0.0.1, port 80: one machine can run one",
        ),
    ],
)
def test_what_is_odd_is_a_warning(text: str, words: str) -> None:
    findings = validate(mesh(documents(EDGE, text), "v1"))
    assert findings.problems == ()
    assert any(words in warning for warning in findings.warnings), findings.warnings
