"""FaultPolicy: what it compiles to, what helps whoever wrote a wrong one, and what time changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from betterproto2 import Casing, Message
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import CompositePerRoute, ExecuteFilterAction
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.google.protobuf import Any as Packed

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway, route
from tests.shop import policy
from xds.resource_types import LISTENER, ROUTE
from xds.snapshot import Snapshot

UNTIL = 'expiresAt: "2030-01-31T19:00:00+01:00"'
END = datetime(2030, 1, 31, 18, tzinfo=UTC)
ABORT = f"{UNTIL}, abort: {{status: 503}}"


def mesh(*texts: str) -> Mesh:
    text = documents(gateway(80), route("payment"), route("payment", name="cart", path="/cart"), *texts)
    items: list[Item] = [Service("default", "payment")]
    items += [item.to_document() for item in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def snapshot(*texts: str) -> Snapshot:
    return Compiler().compile(mesh(*texts))["default/edge"]


def per_route(made: Snapshot) -> dict[str, dict[str, Packed]]:
    """By the route's name."""
    resource = made.get(ROUTE, "default/edge/80")
    assert resource is not None
    [host] = RouteConfiguration.parse(resource.body).virtual_hosts
    return {entry.name.split()[1]: entry.typed_per_filter_config for entry in host.routes}


def unpacked(packed: Packed | None) -> Message:
    assert packed is not None
    message = packed.unpack()
    assert message is not None
    return message


def fault(spec: str) -> tuple[Message, dict[str, Any]]:
    """The condition, and the fault filter's configuration."""
    config = unpacked(per_route(snapshot(policy("FaultPolicy", spec)))["default/payment"]["apg.fault"])
    assert isinstance(config, CompositePerRoute)
    assert config.matcher is not None
    assert config.matcher.matcher_list is not None
    [matcher] = config.matcher.matcher_list.matchers
    assert matcher.on_match is not None
    assert matcher.on_match.action is not None
    action = unpacked(matcher.on_match.action.typed_config)
    assert isinstance(action, ExecuteFilterAction)
    assert action.typed_config is not None
    assert matcher.predicate is not None
    assert matcher.predicate.single_predicate is not None
    assert matcher.predicate.single_predicate.custom_match is not None
    condition = unpacked(matcher.predicate.single_predicate.custom_match.typed_config)
    return condition, unpacked(action.typed_config.typed_config).to_dict(casing=Casing.SNAKE)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (
            "abort: {status: 503}",
            {"abort": {"http_status": 503, "percentage": {"numerator": 1_000_000, "denominator": "MILLION"}}},
        ),
        (
            "abort: {grpcStatus: 14, percent: 0.5}, delay: {duration: 2s, percent: 10}, headers: [{name: x, value: y}]",
            {
                "abort": {"grpc_status": 14, "percentage": {"numerator": 5_000, "denominator": "MILLION"}},
                "delay": {"fixed_delay": "2s", "percentage": {"numerator": 100_000, "denominator": "MILLION"}},
                "headers": [{"name": "x", "string_match": {"exact": "y"}}],
            },
        ),
    ],
)
def test_faults_in_envoys_words(spec: str, wanted: dict[str, Any]) -> None:
    condition, config = fault(f"{UNTIL}, {spec}")
    assert config == wanted
    assert '"2030-01-31T18:00:00Z"' in json.dumps(condition.to_dict())


def test_a_fault_changes_the_routes_that_it_is_for_and_no_others() -> None:
    made = snapshot(policy("FaultPolicy", ABORT))
    assert {name: list(config) for name, config in per_route(made).items()} == {
        "default/payment": ["apg.fault"],
        "default/cart": [],
    }
    resource = made.get(LISTENER, "default/edge/80")
    assert resource is not None
    packed = Listener.parse(resource.body).filter_chains[0].filters[0].typed_config
    assert packed is not None
    filters = {item.name: item.disabled for item in HttpConnectionManager.parse(packed.value).http_filters}
    assert filters["apg.fault"] is True


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("abort: {status: 503}", "spec.expiresAt: got nothing, want a value: this field is required"),
        ("expiresAt: 10m, abort: {status: 503}", 'spec.expiresAt: got the text "10m", want a time of RFC 3339 with its zone'),
        ('expiresAt: "2030-01-31T18:00:00", abort: {status: 503}', 'spec.expiresAt: got the text "2030-01-31T18:00:00", want a time of RFC 3339 with its zone'),
        ('expiresAt: "2030-02-30T18:00:00Z", abort: {status: 503}', 'spec.expiresAt: got the text "2030-02-30T18:00:00Z", want a time'),
        ('expiresAt: "0001-01-01T00:00:00+10:00", abort: {status: 503}', 'spec.expiresAt: got the text'),
        (UNTIL, "spec: got an object, want a delay, an abort or both"),
        (f"{UNTIL}, abort: {{}}", "spec.abort: got an empty object, want just one of status and grpcStatus"),
        (f"{UNTIL}, abort: {{status: 503, grpcStatus: 14}}", "spec.abort: got an object, want just one of status and grpcStatus"),
        (f"{UNTIL}, abort: {{status: 42}}", "spec.abort.status: got 42, want 200 to 599"),
        (f"{UNTIL}, abort: {{status: 503, percent: 0}}", "spec.abort.percent: got 0, want 0.0001 to 100"),
        (f"{UNTIL}, abort: {{status: 503, percent: 50%}}", 'spec.abort.percent: got the text "50%", want a number from 0.0001 to 100'),
        (f"{UNTIL}, delay: {{duration: 10}}", "spec.delay.duration: got 10, want a duration with its unit"),
        (f"{UNTIL}, delay: {{duration: 0s}}", "spec.delay: got an object, want a duration longer than 0s"),
        (f"{UNTIL}, dealy: {{duration: 1s}}", "spec.dealy: got a field that does not exist, want one of targetRefs, expiresAt, longerThanADay, headers, delay, abort; did you mean delay?"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    with pytest.raises(PolicyError) as caught:
        mesh(policy("FaultPolicy", spec))
    assert [str(problem).startswith(f"FaultPolicy default/test: {wanted}") for problem in caught.value.problems] == [True], caught.value  # fmt: skip


def test_an_expiry_more_than_a_day_ahead_has_to_be_meant() -> None:
    now = END - timedelta(hours=24, seconds=1)
    [problem] = validate(mesh(policy("FaultPolicy", ABORT)), now=now).problems
    assert str(problem) == (
        "FaultPolicy default/test: spec.expiresAt: got 2030-01-31T18:00:00Z, want 2030-01-31T17:59:59Z at the latest, or "
        "longerThanADay: true if it is meant"
    )
    assert validate(mesh(policy("FaultPolicy", f"{ABORT}, longerThanADay: true")), now=now).problems == ()
    assert validate(mesh(policy("FaultPolicy", ABORT)), now=END - timedelta(hours=24)).problems == ()


def test_what_is_over_is_worth_a_word_and_never_wrong() -> None:
    findings = validate(mesh(policy("FaultPolicy", ABORT)), now=END)
    assert findings.problems == ()
    assert findings.warnings[-1:] == (
        "FaultPolicy default/test: spec.expiresAt: over since 2030-01-31T18:00:00Z: it does nothing but hide faults of "
        "wider policies, and can be deleted",
    )
    assert (
        validate(mesh(policy("FaultPolicy", ABORT)), now=END - timedelta(seconds=1)).warnings == findings.warnings[:-1]
    )


def test_a_document_keeps_its_time_in_utc() -> None:
    [document] = read_documents(policy("FaultPolicy", ABORT).encode(), source="test")
    assert '"expiresAt":"2030-01-31T18:00:00Z"' in document.to_document().body
