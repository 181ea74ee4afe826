"""What an explanation says. That it is true, a real Envoy says: tests/real/test_explain.py."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policy.errors import PolicyError
from policy.explain.explain import explain
from policy.explain.explanation import Answered, Effect, Explanation, Forwarded, NotServed, Share
from policy.explain.request import request
from registry.mesh import Mesh
from registry.model import DocumentKey
from tests.meshes import documents, gateway, route
from tests.pure.policy.test_compiler import mesh, service

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RETRIES = """
apiVersion: apg.mesh/v1
kind: RetryPolicy
metadata: {name: often}
spec: {targetRefs: [{kind: HTTPRoute, name: payment}], attempts: 3, retryOn: [reset], perTryTimeout: 1s}
"""
BETA = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: beta}
spec:
  parentRefs: [{name: edge}]
  rules:
    - name: testers
      matches: [{path: {type: PathPrefix, value: /pay}, headers: [{name: x-beta, value: "1"}]}]
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-who, value: tester}]}}]
      backendRefs: [{name: payment-v2}]
      timeouts: {request: 2s}
"""


def shop(*more: str) -> Mesh:
    text = documents(gateway(8080), route("payment-v1=9", "payment-v2=1", path="/pay"), *more)
    return mesh(*service("payment", "v1", "v2"), *service("cart"), text=text)


def told(
    where: Mesh, url: str, *headers: tuple[str, str], method: str = "GET", to: DocumentKey | None = None
) -> Explanation:
    return explain(where, request(method, url, headers), gateway=to, now=NOW)


def test_each_step_names_what_asks_for_it_in_the_order_of_the_request() -> None:
    explained = told(shop(RETRIES, BETA), "http://shop:8080/pay/1?x=y", ("X-Beta", "1"))
    assert [(step.stage, step.document, step.path) for step in explained.steps] == [
        ("listener", "Gateway default/edge", "spec.listeners[0]"),
        ("host", "", ""),
        ("route", "HTTPRoute default/beta", "spec.rules[0].matches[0]"),
        ("request headers", "HTTPRoute default/beta", "spec.rules[0].filters[0]"),
        ("timeout", "HTTPRoute default/beta", "spec.rules[0].timeouts"),
    ]
    assert explained.matched is not None
    assert explained.matched.rule_name == "testers"
    assert explained.outcome == Forwarded((Share("default/payment-v2", 1.0, 1),), "shop", "/pay/1?x=y")


def test_what_would_have_gone_first_is_named_with_why_it_does_not_apply() -> None:
    explained = told(shop(RETRIES, BETA), "http://shop:8080/pay")
    assert explained.passed_over == ("HTTPRoute default/beta: spec.rules[0].matches[0]: there is no header x-beta",)
    [retries] = [step for step in explained.steps if step.stage == "RetryPolicy"]
    assert retries.document == "RetryPolicy default/often"
    assert retries.words == "tried again after reset, 3 times at most; each try may take 1s"
    assert isinstance(explained.outcome, Forwarded)
    assert [(share.backend, share.share) for share in explained.outcome.backends] == [
        ("default/payment-v1", 0.9),
        ("default/payment-v2", 0.1),
    ]


def test_a_backend_without_endpoints_refuses() -> None:
    explained = told(shop(route("cart", name="cart", path="/cart")), "http://shop:8080/cart")
    assert (explained.steps[-1].effect, explained.steps[-1].words) == (
        Effect.REFUSES,
        "default/cart has no endpoints: 503",
    )


def test_a_share_without_endpoints_may_refuse() -> None:
    explained = told(shop(route("cart", "payment", name="cart", path="/cart")), "http://shop:8080/cart")
    assert explained.steps[-1].effect is Effect.MAY_REFUSE


def test_no_rule_no_backend_no_listener_each_says_so() -> None:
    where = shop(route("cart=0", name="cart", path="/cart"))
    assert told(where, "http://shop:8080/elsewhere").outcome == Answered(404, "no rule for * matches")
    assert told(where, "http://shop:8080/cart").outcome == Answered(500, "the rule has no backend with a weight")
    missing = told(where, "http://shop:9999/").outcome
    assert missing == NotServed(
        "nothing listens on port 9999 for http; what listens: Gateway default/edge on 8080 (HTTP)"
    )
    assert isinstance(told(where, "https://shop/").outcome, NotServed)
    assert told(Mesh(), "http://shop/").outcome == NotServed("there is no Gateway")
    other = DocumentKey("Gateway", "default", "other")
    assert told(where, "http://shop:8080/", to=other).outcome == NotServed("there is no Gateway default/other")


def test_without_a_port_the_only_gateway_is_meant_and_of_two_one_has_to_be_named() -> None:
    where = shop()
    assert told(where, "http://shop/pay").gateway == "Gateway default/edge"
    two = shop(gateway(9090, name="inner"))
    assert told(two, "http://shop/pay").outcome == NotServed(
        "it could arrive at Gateway default/edge on 8080, Gateway default/inner on 9090: "
        "name the port in the URL, or the Gateway"
    )
    assert told(two, "http://shop:9090/pay").gateway == "Gateway default/inner"


@pytest.mark.parametrize(
    ("method", "url", "want"),
    [
        ("GET", "/pay", "an absolute URL"),
        ("GET", "ftp://shop/", "an absolute URL"),
        ("GET", "http://shop:99999/", "a port"),
        ("GET", "http://[::1/", "an absolute URL"),
        ("get it", "http://shop/", "a method"),
    ],
)
def test_what_is_no_request_is_refused_in_words(method: str, url: str, want: str) -> None:
    with pytest.raises(PolicyError, match=want):
        request(method, url)
