"""RetryPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway, route
from tests.shop import policy
from xds.resource_types import CLUSTER, ROUTE

SERVICE = "{kind: Service, name: payment}"


def mesh(text: str, *, timeouts: str = "") -> Mesh:
    texts = documents(gateway(80), route("payment") + (f"      timeouts: {{{timeouts}}}\n" if timeouts else ""), text)
    items: list[Item] = [Service("default", "payment")]
    items += [item.to_document() for item in read_documents(texts.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def action(text: str, *, timeouts: str = "") -> dict[str, Any]:
    snapshot = Compiler().compile(mesh(text, timeouts=timeouts))["default/edge"]
    resource = snapshot.get(ROUTE, "default/edge/80")
    assert resource is not None
    assert resource.origin == ("Gateway default/edge", "HTTPRoute default/payment", "RetryPolicy default/test")
    compiled = RouteConfiguration.parse(resource.body).to_dict(casing=Casing.SNAKE)
    route_action: dict[str, Any] = compiled["virtual_hosts"][0]["routes"][0]["route"]
    return {key: value for key, value in route_action.items() if key != "cluster"}


@pytest.mark.parametrize(
    ("spec", "timeouts", "wanted"),
    [
        (
            "attempts: 3",
            "",
            {"retry_policy": {"retry_on": "connect-failure,refused-stream,gateway-error", "num_retries": 3}},
        ),
        (
            "statusCodes: [503, 429]",
            "",
            {
                "retry_policy": {
                    "retry_on": "retriable-status-codes",
                    "num_retries": 2,
                    "retriable_status_codes": [503, 429],
                }
            },
        ),
        (
            "retryOn: [reset], statusCodes: [500], perTryTimeout: 1s, backOff: {base: 50ms, max: 1s}",
            "request: 5s",
            {
                "timeout": "5s",
                "retry_policy": {
                    "retry_on": "reset,retriable-status-codes",
                    "num_retries": 2,
                    "per_try_timeout": "1s",
                    "retriable_status_codes": [500],
                    "retry_back_off": {"base_interval": "0.050s", "max_interval": "1s"},
                },
            },
        ),
        (
            "retryOn: [unavailable]",
            "request: 5s, backendRequest: 2s",
            {
                "timeout": "5s",
                "retry_policy": {"retry_on": "unavailable", "num_retries": 2, "per_try_timeout": "2s"},
            },
        ),
        (
            "retryOn: [unavailable]",
            "backendRequest: 2s",
            {
                "timeout": "0s",
                "retry_policy": {"retry_on": "unavailable", "num_retries": 2, "per_try_timeout": "2s"},
            },
        ),
    ],
)
def test_retries_in_envoys_words(spec: str, timeouts: str, wanted: dict[str, Any]) -> None:
    assert action(policy("RetryPolicy", spec), timeouts=timeouts) == wanted


def test_a_budget_in_envoys_words() -> None:
    text = policy("RetryPolicy", "budget: {percent: 10, minConcurrent: 2}", target=SERVICE)
    resource = Compiler().compile(mesh(text))["default/edge"].get(CLUSTER, "default/payment")
    assert resource is not None
    assert resource.origin == ("Service default/payment", "RetryPolicy default/test")
    cluster = Cluster.parse(resource.body).to_dict(casing=Casing.SNAKE)
    assert cluster["circuit_breakers"] == {
        "thresholds": [{"retry_budget": {"budget_percent": {"value": 10.0}, "min_retry_concurrency": 2}}]
    }


@pytest.mark.parametrize(
    ("spec", "target", "wanted"),
    [
        ("attempts: 11", "", "spec.attempts: got 11, want 1 to 10"),
        ("attempts: 0", "", "spec.attempts: got 0, want 1 to 10"),
        ("perTryTimeout: 10", "", 'spec.perTryTimeout: got 10, want a duration with its unit, such as "10s", "1m30s"'),
        ("retryOn: [5xxx]", "", "spec.retryOn[0]: got the text \"5xxx\", want 5xx, gateway-error"),
        ("statusCodes: [200]", "", "spec.statusCodes[0]: got 200, want 400 to 599"),
        ("backOff: {base: 1s, max: 10ms}", "", "spec.backOff: got an object, want a max that is not shorter than base"),
        ("backOff: {base: 0s}", "", "spec.backOff: got an object, want a base of 1ms or more"),
        ("atempts: 3", "", "spec.atempts: got a field that does not exist, want one of"),
        ("", "", "spec: got neither retries nor a budget"),
        (
            "budget: {percent: 10}, attempts: 2", "",
            "spec.targetRefs[0]: got HTTPRoute, with a budget in the same policy, want a Service as the target",
        ),
        ("budget: {percent: 101}", SERVICE, "spec.budget.percent: got 101, want 1 to 100"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, target: str, wanted: str) -> None:
    text = policy("RetryPolicy", spec, target=target) if target else policy("RetryPolicy", spec)
    try:
        found = validate(mesh(text)).problems
    except PolicyError as error:
        found = error.problems
    assert [str(problem).startswith(f"RetryPolicy default/test: {wanted}") for problem in found] == [True], found
