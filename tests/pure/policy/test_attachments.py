"""Which attached policy applies where, which two are in conflict, and what is wrong with targets."""

from __future__ import annotations

import pytest

from policy.backends import Backend
from policy.documents import Documents
from policy.effective import Effective
from policy.reading import read_documents
from policy.retry_policy import RetryPolicy
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, DocumentKey, Endpoint, Item, Service, ServiceKey, labels
from tests.meshes import documents, gateway, route
from tests.shop import policy

GATEWAY = DocumentKey("Gateway", "default", "edge")
ROUTE = DocumentKey("HTTPRoute", "default", "payment")
NAMED = route("payment").replace("- matches:", "- name: pay\n      matches:")


def mesh(*texts: str) -> Mesh:
    items: list[Item] = [
        Service("default", "payment"),
        Endpoint("default", "payment", "10.0.0.1", 80, labels({"version": "v1"})),
        *(item.to_document() for item in read_documents(documents(gateway(80), NAMED, *texts).encode(), source="test")),
    ]
    return Mesh().after(Change(None, item) for item in items)


def retry(name: str, *targets: str, attempts: int = 1) -> str:
    return policy("RetryPolicy", f"attempts: {attempts}", name=name, target=", ".join(targets))


def budget(name: str, target: str) -> str:
    return policy("RetryPolicy", "budget: {percent: 10}", name=name, target=target)


ON_GATEWAY = "{kind: Gateway, name: edge}"
ON_LISTENER = "{kind: Gateway, name: edge, sectionName: http}"
ON_ROUTE = "{kind: HTTPRoute, name: payment}"
ON_RULE = "{kind: HTTPRoute, name: payment, sectionName: pay}"
ON_SERVICE = "{kind: Service, name: payment}"
ON_VERSION = "{kind: Service, name: payment, sectionName: v1}"


def winner(effective: Effective) -> str | None:
    found = effective.one(RetryPolicy)
    return found.metadata.name if found is not None else None


@pytest.mark.parametrize(
    ("targets", "wins"),
    [
        ([], None),
        ([ON_GATEWAY], "p0"),
        ([ON_GATEWAY, ON_LISTENER], "p1"),
        ([ON_LISTENER, ON_GATEWAY], "p0"),
        ([ON_GATEWAY, ON_LISTENER, ON_ROUTE], "p2"),
        ([ON_RULE, ON_ROUTE, ON_LISTENER, ON_GATEWAY], "p0"),
    ],
)
def test_the_most_specific_policy_applies_to_a_rule(targets: list[str], wins: str | None) -> None:
    texts = [retry(f"p{number}", target) for number, target in enumerate(targets)]
    attachments = Documents.of(mesh(*texts)).attachments
    assert winner(attachments.on_rule(GATEWAY, "http", ROUTE, "pay")) == wins


def test_a_policy_on_one_rule_listener_or_version_leaves_the_others_alone() -> None:
    attachments = Documents.of(mesh(retry("a", ON_RULE), retry("b", ON_LISTENER), budget("c", ON_VERSION))).attachments
    assert winner(attachments.on_rule(GATEWAY, "http", ROUTE, None)) == "b"
    assert winner(attachments.on_rule(GATEWAY, "other", ROUTE, "other")) is None
    assert winner(attachments.on_backend(Backend(ServiceKey("default", "payment"), "v1"))) == "c"
    assert winner(attachments.on_backend(Backend(ServiceKey("default", "payment"), "v2"))) is None
    assert winner(attachments.on_backend(Backend(ServiceKey("default", "payment"), None))) is None


def test_a_policy_on_a_service_applies_to_its_versions_unless_they_have_their_own() -> None:
    attachments = Documents.of(mesh(budget("all", ON_SERVICE), budget("v1", ON_VERSION))).attachments
    assert winner(attachments.on_backend(Backend(ServiceKey("default", "payment"), "v2"))) == "all"
    assert winner(attachments.on_backend(Backend(ServiceKey("default", "payment"), "v1"))) == "v1"


def test_of_two_on_the_same_target_the_first_by_name_applies_and_the_other_is_told() -> None:
    conflicting = mesh(retry("b", ON_ROUTE), retry("a", ON_RULE, ON_ROUTE))
    [conflict] = Documents.of(conflicting).attachments.conflicts
    assert (conflict.winner.metadata.name, conflict.loser.metadata.name) == ("a", "b")
    assert validate(conflicting).warnings == (
        "RetryPolicy default/b: spec.targetRefs[0]: conflicts with RetryPolicy default/a, which has the same target, "
        "HTTPRoute default/payment, and comes first: it has no effect there",
    )


def test_rules_with_the_same_policies_share_one_value() -> None:
    attachments = Documents.of(mesh(retry("a", ON_GATEWAY))).attachments
    one = attachments.on_rule(GATEWAY, "http", ROUTE, "pay")
    other = attachments.on_rule(GATEWAY, "http", DocumentKey("HTTPRoute", "default", "cart"), None)
    assert one is other


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            retry("p", "{kind: HTTPRoute, name: paymet}"),
            "spec.targetRefs[0].name: got HTTPRoute default/paymet, which does not exist, want an HTTPRoute of default: "
            "payment; did you mean payment?",
        ),
        (
            retry("p", "{kind: Gateway, name: edge, sectionName: htp}"),
            "spec.targetRefs[0].sectionName: got htp, which Gateway default/edge does not have, want a listener: http; "
            "did you mean http?",
        ),
        (
            retry("p", "{kind: HTTPRoute, name: payment, sectionName: refund}"),
            "spec.targetRefs[0].sectionName: got refund, which HTTPRoute default/payment does not have, want a rule "
            "with a name: pay",
        ),
        (
            budget("p", "{kind: Service, name: cart}"),
            "spec.targetRefs[0].name: got Service default/cart, which does not exist, want a Service of default: payment",
        ),
        (
            retry("p", "{kind: TCPRoute, name: payment}"),
            "spec.targetRefs[0].kind: got TCPRoute, which RetryPolicy does not fit, want one of Gateway, HTTPRoute, GRPCRoute, Service",
        ),
        (
            retry("p", ON_ROUTE, ON_ROUTE),
            "spec.targetRefs[1]: got HTTPRoute default/payment a second time, want each target once",
        ),
    ],
)
def test_what_is_wrong_with_a_target_is_told_with_what_would_be_right(text: str, wanted: str) -> None:
    [problem] = validate(mesh(text)).problems
    assert str(problem) == f"RetryPolicy default/p: {wanted}"


def test_a_version_without_endpoints_is_a_warning() -> None:
    findings = validate(mesh(budget("p", "{kind: Service, name: payment, sectionName: v9}")))
    assert findings.problems == ()
    assert findings.warnings == (
        "RetryPolicy default/p: spec.targetRefs[0].sectionName: no endpoint of default/payment has the version v9",
    )
