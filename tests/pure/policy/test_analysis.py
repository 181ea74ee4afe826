"""What is worth a look, and what is not."""

from __future__ import annotations

import pytest

from policy.analysis.analysis import analyze, new_findings
from policy.analysis.finding import Finding, Severity
from policy.identities import NoIdentities
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Service
from tests.meshes import documents, gateway, route
from tests.pure.policy.test_compiler import mesh, service


def shop(*more: str, name: str = "payment") -> Mesh:
    return mesh(*service("payment", "v1", "v2"), text=documents(gateway(8080), route(name, path="/pay"), *more))


def found(where: Mesh, check: str) -> list[Finding]:
    return [finding for finding in analyze(where) if finding.check == check]


KEYS = """
apiVersion: apg.mesh/v1
kind: AuthenticationPolicy
metadata: {name: keys}
spec:
  targetRefs: [{kind: HTTPRoute, name: payment}]
  apiKeys: {clients: [{name: alice, key: "replace-me-0123456789abcdef"}], from: [{header: x-api-key}]}
"""


def test_a_mesh_in_order_has_nothing_worth_a_look() -> None:
    assert analyze(shop()) == ()


def test_a_match_that_another_takes_first_on_every_host_is_shadowed() -> None:
    where = shop(route("payment-v2", name="second", path="/pay"))
    [finding] = found(where, "shadowed")
    assert (finding.document, finding.path) == ("HTTPRoute default/second", "spec.rules[0].matches[0]")
    assert finding.severity is Severity.WARNING
    assert finding.words == (
        "no request gets here: HTTPRoute default/payment, spec.rules[0].matches[0], has the same match and comes first"
    )


def test_a_regular_expression_for_all_paths_shadows_every_prefix() -> None:
    everything = route("payment", name="all", path="/.*").replace("PathPrefix", "RegularExpression")
    [finding] = found(shop(everything), "shadowed")
    assert finding.document == "HTTPRoute default/payment"
    assert "regular expressions go before prefixes" in finding.words


def test_a_match_that_is_reached_on_another_host_is_not_shadowed() -> None:
    hosts = route("payment", name="a-first", path="/pay").replace("  rules:", "  hostnames: [a.test]\n  rules:")
    assert found(shop(hosts), "shadowed") == []


@pytest.mark.parametrize(
    ("backends", "words"),
    [
        (
            ("payment-v1=90", "payment-v2=5"),
            "the weights add up to 95, so the shares are payment-v1 95%, payment-v2 5%",
        ),
        (("payment-v1=90", "payment-v2=10"), None),
        (("payment-v1=1", "payment-v2=2"), None),
        (("payment-v1=50", "payment-v2=50"), None),
        (("payment-v1=30", "payment-v2=30"), None),
        (("payment-v1=100", "payment-v2=0"), None),
    ],
)
def test_weights_that_look_like_percentages_add_up_to_100(backends: tuple[str, ...], words: str | None) -> None:
    where = shop(route(*backends, name="split", path="/split"))
    assert [finding.words for finding in found(where, "split")] == ([words] if words else [])


def test_a_rule_that_asks_nobody_beside_one_that_does_is_open() -> None:
    where = shop(KEYS, route("payment", name="admin", path="/admin"))
    [finding] = found(where, "open")
    assert (finding.document, finding.path) == ("HTTPRoute default/admin", "spec.rules[0]")
    assert "AuthenticationPolicy default/keys guards HTTPRoute default/payment" in finding.words
    assert found(shop(KEYS), "open") == []


def test_backends_without_endpoints_fail_requests() -> None:
    where = shop(route("cart", name="cart", path="/cart")).after([Change(None, Service("default", "cart"))])
    [finding] = found(where, "no-endpoints")
    assert finding.severity is Severity.ERROR
    assert finding.document == "HTTPRoute default/cart"
    assert finding.path == "spec.rules[0].backendRefs[0]"


def test_services_that_nothing_routes_to_are_told() -> None:
    where = shop().after([Change(None, Service("default", "lonely"))])
    assert [(finding.document, finding.severity) for finding in found(where, "unrouted")] == [
        ("Service default/lonely", Severity.INFO)
    ]


def test_a_policy_on_what_no_request_meets_is_idle() -> None:
    retries = """
apiVersion: apg.mesh/v1
kind: RetryPolicy
metadata: {name: lonely}
spec: {targetRefs: [{kind: Service, name: lonely}], budget: {percent: 10}}
"""
    where = shop(retries).after([Change(None, Service("default", "lonely"))])
    [finding] = found(where, "idle-policy")
    assert (finding.document, finding.path) == ("RetryPolicy default/lonely", "spec.targetRefs[0]")


def test_a_gateway_without_routes_and_two_on_one_port_are_told() -> None:
    where = shop(gateway(8080, name="other"))
    assert [finding.document for finding in found(where, "empty")] == ["Gateway default/other"]
    assert len(found(where, "shared-port")) == 1


def test_the_gravest_come_first_and_each_says_what_to_do() -> None:
    where = shop(route("cart", name="cart", path="/cart"), route("payment-v1=90", "payment-v2=5", name="split"))
    where = where.after([Change(None, Service("default", name)) for name in ("cart", "lonely")])
    findings = analyze(where)
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=lambda severity: severity.rank
    )
    assert {finding.check for finding in findings} == {"no-endpoints", "split", "unrouted"}
    assert all(finding.advice for finding in findings)


def test_a_change_is_told_what_it_adds() -> None:
    before = shop(route("payment-v2", name="second", path="/pay"))
    [third] = read_documents(route("payment", name="third", path="/pay").encode(), source="test")
    after = before.after([Change(None, third.to_document())])
    assert [finding.document for finding in new_findings(before, after, identities=NoIdentities())] == [
        "HTTPRoute default/third"
    ]
