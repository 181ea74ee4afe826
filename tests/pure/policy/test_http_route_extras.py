"""HTTPRoute's newer fields: what each compiles to, and what helps whoever wrote one wrong."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway, route
from xds.resource_types import CLUSTER, ROUTE


def document(text: str) -> str:
    return (
        route("payment").partition("      backendRefs")[0] + f"      backendRefs: [{{name: payment}}]\n      {text}\n"
    )


def compiled(text: str) -> tuple[dict[str, Any], set[str]]:
    """The route that the rule comes to, and the clusters beside."""
    items: list[Item] = [Service("default", "payment"), Service("default", "cart")]
    texts = documents(gateway(80), document(text))
    items += [item.to_document() for item in read_documents(texts.encode(), source="test")]
    snapshot = Compiler().compile(Mesh().after(Change(None, item) for item in items))["default/edge"]
    resource = snapshot.get(ROUTE, "default/edge/80")
    assert resource is not None
    made = RouteConfiguration.parse(resource.body).to_dict(casing=Casing.SNAKE)
    return made["virtual_hosts"][0]["routes"][0], set(snapshot.resources(CLUSTER))


def mirror(share: str) -> str:
    return f"filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{name: cart}}{share}}}}}]"


@pytest.mark.parametrize(
    ("share", "numerator"),
    [
        ("", 1_000_000),
        (", percent: 20", 200_000),
        (", fraction: {numerator: 1, denominator: 3}", 333_333),
    ],
)
def test_a_mirror_in_envoys_words(share: str, numerator: int) -> None:
    made, clusters = compiled(mirror(share))
    assert made["route"]["request_mirror_policies"] == [
        {
            "cluster": "default/cart",
            "runtime_fraction": {"default_value": {"numerator": numerator, "denominator": "MILLION"}},
        }
    ]
    assert clusters == {"default/payment", "default/cart"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("retry: {}", {"retry_on": "connect-failure,refused-stream,reset", "num_retries": 2}),
        (
            "retry: {codes: [500, 503], attempts: 4, backoff: 100ms}",
            {
                "retry_on": "connect-failure,refused-stream,reset,retriable-status-codes",
                "num_retries": 4,
                "retriable_status_codes": [500, 503],
                "retry_back_off": {"base_interval": "0.100s"},
            },
        ),
    ],
)
def test_a_rules_own_retries_in_envoys_words(text: str, wanted: dict[str, Any]) -> None:
    made, _ = compiled(text)
    assert made["route"]["retry_policy"] == wanted


def cors(fields: str) -> str:
    return f"filters: [{{type: CORS, cors: {{{fields}}}}}]"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("retry: {attempts: 0}", "spec.rules[0].retry.attempts: got 0, want 1 to 10"),
        ("retry: {codes: [200]}", "spec.rules[0].retry.codes[0]: got 200, want 400 to 599"),
        ("retry: {backoff: 5}", "spec.rules[0].retry.backoff: got 5, want a duration with its unit"),
        (mirror(", percent: 101"), "spec.rules[0].filters[0].requestMirror.percent: got 101, want 0 to 100"),
        (
            mirror(", percent: 1, fraction: {numerator: 1}"),
            "spec.rules[0].filters[0].requestMirror: got an object, want percent or fraction, not both",
        ),
        (
            mirror(", fraction: {numerator: 101}"),
            "spec.rules[0].filters[0].requestMirror.fraction: got an object, want a numerator that is not above",
        ),
        (cors("allowOrigins: []"), "spec.rules[0].filters[0].cors.allowOrigins: got 0 items, want at least 1"),
        (
            cors("allowOrigins: [shop.example]"),
            'spec.rules[0].filters[0].cors.allowOrigins[0]: got the text "shop.example", want an origin, such as',
        ),
        (
            cors("allowOrigins: ['*'], allowCredentials: true, allowHeaders: ['*']"),
            "spec.rules[0].filters[0].cors: got an object, want names in allowHeaders: with allowCredentials",
        ),
        (
            "sessionPersistence: {idleTimeout: 1h}",
            'spec.rules[0].sessionPersistence.idleTimeout: got the text "1h", want no idleTimeout: it would take',
        ),
        (
            "sessionPersistence: {absoluteTimeout: 1h}",
            "spec.rules[0].sessionPersistence: got an object, want cookieConfig.lifetimeType: Permanent beside",
        ),
        (
            "sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}",
            "spec.rules[0].sessionPersistence: got an object, want an absoluteTimeout for a Permanent cookie",
        ),
    ],
)
def test_a_wrong_one_is_refused_with_what_would_be_right(text: str, wanted: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read_documents(document(text).encode(), source="test")
    [problem] = refused.value.problems
    assert str(problem).startswith(f"HTTPRoute default/payment: {wanted}"), problem
