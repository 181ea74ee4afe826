"""TimeoutPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway, route
from tests.shop import policy
from xds.resource_types import LISTENER, ROUTE

GATEWAY = "{kind: Gateway, name: edge}"
SERVICE = "{kind: Service, name: payment}"


def mesh(*texts: str, timeouts: str = "") -> Mesh:
    own = f"      timeouts: {{{timeouts}}}\n" if timeouts else ""
    text = documents(gateway(80), route("payment") + own, *texts)
    items: list[Item] = [Service("default", "payment")]
    items += [item.to_document() for item in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def action(*texts: str, timeouts: str = "") -> dict[str, Any]:
    resource = Compiler().compile(mesh(*texts, timeouts=timeouts))["default/edge"].get(ROUTE, "default/edge/80")
    assert resource is not None
    compiled = RouteConfiguration.parse(resource.body).to_dict(casing=Casing.SNAKE)
    made: dict[str, Any] = compiled["virtual_hosts"][0]["routes"][0]["route"]
    return {key: value for key, value in made.items() if key not in ("cluster", "retry_policy")}


@pytest.mark.parametrize(
    ("spec", "timeouts", "wanted"),
    [
        ("request: 3s", "", {"timeout": "3s"}),
        ("request: 0s", "", {"timeout": "0s"}),
        ("request: 3s", "request: 5s", {"timeout": "5s"}),
        ("request: 3s", "request: 0s", {"timeout": "0s"}),
        ("request: 3s", "backendRequest: 1s", {"timeout": "1s"}),
        ("request: 3s", "backendRequest: 5s", {"timeout": "3s"}),
        ("request: 0s", "backendRequest: 5s", {"timeout": "5s"}),
        (
            "idle: 1s, stream: 0s",
            "request: 5s",
            {"timeout": "5s", "idle_timeout": "1s", "max_stream_duration": {"max_stream_duration": "0s"}},
        ),
    ],
)
def test_timeouts_of_requests_in_envoys_words(spec: str, timeouts: str, wanted: dict[str, Any]) -> None:
    assert action(policy("TimeoutPolicy", spec), timeouts=timeouts) == wanted


def test_where_there_are_retries_one_try_is_not_all_of_them() -> None:
    texts = policy("TimeoutPolicy", "request: 3s"), policy("RetryPolicy", "attempts: 2")
    assert action(*texts, timeouts="backendRequest: 1s") == {"timeout": "3s"}


def test_a_routes_policy_replaces_its_gateways_whole() -> None:
    texts = policy("TimeoutPolicy", "request: 3s, idle: 1s", name="wide", target=GATEWAY), policy("TimeoutPolicy", "request: 4s")  # fmt: skip
    assert action(*texts) == {"timeout": "4s"}


def test_timeouts_of_connections_in_envoys_words() -> None:
    connection = "connection: {idleTimeout: 5m, maxDuration: 1h, headersTimeout: 5s, receiveTimeout: 30s}"
    text = policy("TimeoutPolicy", connection, target=GATEWAY)
    resource = Compiler().compile(mesh(text))["default/edge"].get(LISTENER, "default/edge/80")
    assert resource is not None
    assert resource.origin == ("Gateway default/edge", "TimeoutPolicy default/test")
    packed = Listener.parse(resource.body).filter_chains[0].filters[0].typed_config
    assert packed is not None
    manager = HttpConnectionManager.parse(packed.value).to_dict(casing=Casing.SNAKE)
    assert manager["common_http_protocol_options"] == {"idle_timeout": "300s", "max_connection_duration": "3600s"}
    assert (manager["request_headers_timeout"], manager["request_timeout"]) == ("5s", "30s")


@pytest.mark.parametrize(
    ("spec", "target", "wanted"),
    [
        ("", "", "spec: got nothing beside targetRefs, want for example request: 5s"),
        ("request: 10", "", 'spec.request: got 10, want a duration with its unit, such as "10s"'),
        ("requests: 10s", "", "spec.requests: got a field that does not exist, want one of targetRefs, request, idle, stream, connection; did you mean request?"),
        ("request: 10s, stream: 5s", "", "spec: got an object, want a request that is not longer than stream"),
        ("connection: {idleTimeout: 1s}", "", "spec.connection: got timeouts of connections for a HTTPRoute, want a Gateway as the target"),
        ("connection: {idle: 1s}", GATEWAY, "spec.connection.idle: got a field that does not exist, want one of idleTimeout"),
        ("request: 1s", SERVICE, "spec.targetRefs[0].kind: got Service, which TimeoutPolicy does not fit"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, target: str, wanted: str) -> None:
    text = policy("TimeoutPolicy", spec, target=target) if target else policy("TimeoutPolicy", spec)
    try:
        found = validate(mesh(text)).problems
    except PolicyError as error:
        found = error.problems
    assert [str(problem).startswith(f"TimeoutPolicy default/test: {wanted}") for problem in found] == [True], found
