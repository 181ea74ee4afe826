"""BackendPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptions

from policy.compiler.compiler import Compiler
from policy.compiler.connections import HTTP_OPTIONS
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Protocol, Service, labels
from tests.meshes import documents, gateway, route
from tests.shop import policy
from xds.resource_types import CLUSTER, ENDPOINT
from xds.snapshot import Snapshot

SERVICE = "{kind: Service, name: payment}"
ORIGIN = ("Service default/payment", "BackendPolicy default/test")


def mesh(spec: str, *, protocol: Protocol = Protocol.HTTP, target: str = SERVICE) -> Mesh:
    text = documents(gateway(80), route("payment"), policy("BackendPolicy", spec, target=target))
    items: list[Item] = [Service("default", "payment", protocol=protocol)]
    for number, place in enumerate([{}, {"zone": "a"}, {"region": "eu", "zone": "b"}, {"zone": "a"}], start=1):
        items.append(Endpoint("default", "payment", f"10.0.0.{number}", 80, labels(place)))
    items += [item.to_document() for item in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def snapshot(spec: str, *, protocol: Protocol = Protocol.HTTP) -> Snapshot:
    return Compiler().compile(mesh(spec, protocol=protocol))["default/edge"]


def cluster(spec: str, *, protocol: Protocol = Protocol.HTTP) -> Cluster:
    resource = snapshot(spec, protocol=protocol).get(CLUSTER, "default/payment")
    assert resource is not None
    assert resource.origin == ORIGIN
    return Cluster.parse(resource.body)


def words(made: Cluster, *fields: str) -> dict[str, Any]:
    found: dict[str, Any] = made.to_dict(casing=Casing.SNAKE)
    return {name: found[name] for name in fields if name in found}


def options(made: Cluster) -> dict[str, Any]:
    packed = made.typed_extension_protocol_options[HTTP_OPTIONS]
    return HttpProtocolOptions.parse(packed.value).to_dict(casing=Casing.SNAKE)


def balancer(made: Cluster) -> dict[str, Any]:
    assert made.load_balancing_policy is not None
    [entry] = made.load_balancing_policy.policies
    assert entry.typed_extension_config is not None
    assert entry.typed_extension_config.typed_config is not None
    config = entry.typed_extension_config.typed_config.unpack()
    assert config is not None
    found: dict[str, Any] = config.to_dict(casing=Casing.SNAKE)
    return {"name": entry.typed_extension_config.name.rpartition(".")[2], **found}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("{algorithm: RoundRobin}", {"name": "round_robin"}),
        ("{choices: 5}", {"name": "least_request", "choice_count": 5}),
        (
            "{slowStart: {window: 30s, minimumPercent: 5}}",
            {
                "name": "least_request",
                "slow_start_config": {"slow_start_window": "30s", "min_weight_percent": {"value": 5.0}},
            },
        ),
        (
            "{algorithm: Random, locality: {mode: Weighted, weights: [{zone: a, weight: 1}]}}",
            {"name": "random", "locality_lb_config": {"locality_weighted_lb_config": {}}},
        ),
        (
            "{algorithm: RoundRobin, locality: {mode: PreferLocal, minimumEndpoints: 3}}",
            {
                "name": "round_robin",
                "locality_lb_config": {
                    "zone_aware_lb_config": {"min_cluster_size": 1, "force_local_zone": {"min_size": 3}}
                },
            },
        ),
        ("{algorithm: Maglev, hashOn: [{type: SourceAddress}]}", {"name": "maglev"}),
        (
            "{algorithm: RingHash, hashOn: [{type: SourceAddress}], locality: {mode: Weighted, "
            "weights: [{zone: a, weight: 1}]}}",
            {"name": "ring_hash", "locality_weighted_lb_config": {}},
        ),
    ],
)
def test_load_balancing_in_envoys_words(spec: str, wanted: dict[str, Any]) -> None:
    assert balancer(cluster(f"loadBalancing: {spec}")) == wanted


def test_the_first_hash_that_a_request_has_decides() -> None:
    made = cluster(
        "loadBalancing: {algorithm: RingHash, hashOn: [{type: Header, name: x-user}, {type: Cookie, name: sid}, "
        "{type: Cookie, name: stick, ttl: 1h, path: /}]}"
    )
    assert options(made) == {
        "explicit_http_config": {"http_protocol_options": {}},
        "hash_policy": [
            {"header": {"header_name": "x-user"}, "terminal": True},
            {"cookie": {"name": "sid"}, "terminal": True},
            {"cookie": {"name": "stick", "ttl": "3600s", "path": "/"}, "terminal": True},
        ],
    }


def test_a_panic_threshold_of_0_is_no_default() -> None:
    made = cluster("loadBalancing: {panicThreshold: 0}")
    assert made.common_lb_config is not None
    assert made.common_lb_config.healthy_panic_threshold is not None
    assert made.common_lb_config.healthy_panic_threshold.value == 0


def test_localities_come_from_labels_and_have_weights_only_where_a_policy_gives_them() -> None:
    def localities(spec: str) -> list[tuple[str, str, int | None, int]]:
        resource = snapshot(spec).get(ENDPOINT, "default/payment")
        assert resource is not None
        return [
            (
                entry.locality.region if entry.locality else "",
                entry.locality.zone if entry.locality else "",
                entry.load_balancing_weight,
                len(entry.lb_endpoints),
            )
            for entry in ClusterLoadAssignment.parse(resource.body).endpoints
        ]

    assert localities("protocol: HTTP1") == [("", "", None, 1), ("", "a", None, 2), ("eu", "b", None, 1)]
    weights = "[{zone: a, weight: 0}, {region: eu, zone: b, weight: 7}, {region: eu, weight: 9}]"
    assert localities(f"loadBalancing: {{locality: {{mode: Weighted, weights: {weights}}}}}") == [
        ("", "", 1, 1),
        ("", "a", None, 2),
        ("eu", "b", 7, 1),
    ]


def test_circuit_breakers_in_envoys_words() -> None:
    made = cluster("circuitBreakers: {connections: 1, pendingRequests: 2, requests: 3, retries: 4}")
    assert words(made, "circuit_breakers") == {
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 1,
                    "max_pending_requests": 2,
                    "max_requests": 3,
                    "max_retries": 4,
                    "track_remaining": True,
                }
            ]
        }
    }


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ("{}", {"consecutive_5_xx": 5, "enforcing_consecutive_5_xx": 100}),
        (
            "{consecutiveGatewayErrors: 3, interval: 1s, ejectionTime: 2s, maxEjectionTime: 4s, maxEjectedPercent: 0}",
            {
                "consecutive_gateway_failure": 3,
                "enforcing_consecutive_gateway_failure": 100,
                "interval": "1s",
                "base_ejection_time": "2s",
                "max_ejection_time": "4s",
                "max_ejection_percent": 0,
            },
        ),
        (
            "{successRate: {deviations: 2.5}, failureShare: {percent: 50}}",
            {
                "enforcing_success_rate": 100,
                "success_rate_minimum_hosts": 5,
                "success_rate_request_volume": 100,
                "success_rate_stdev_factor": 2500,
                "enforcing_failure_percentage": 100,
                "failure_percentage_threshold": 50,
                "failure_percentage_minimum_hosts": 5,
                "failure_percentage_request_volume": 50,
            },
        ),
    ],
)
def test_only_the_rules_that_are_given_put_endpoints_out(rules: str, wanted: dict[str, Any]) -> None:
    expected: dict[str, Any] = {
        "enforcing_consecutive_5_xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        "interval": "10s",
        "base_ejection_time": "30s",
        "max_ejection_time": "300s",
        "max_ejection_percent": 50,
        "always_eject_one_host": True,
    }
    assert words(cluster(f"outlierDetection: {rules}"), "outlier_detection") == {"outlier_detection": expected | wanted}


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        (
            "http: {path: /healthz, statuses: [200, 204]}",
            {
                "http_health_check": {
                    "host": "payment",
                    "path": "/healthz",
                    "expected_statuses": [{"start": "200", "end": "201"}, {"start": "204", "end": "205"}],
                }
            },
        ),
        (
            "grpc: {service: apg.Payment}",
            {"grpc_health_check": {"service_name": "apg.Payment", "authority": "payment"}},
        ),
        (
            "tcp: {send: PING, receive: [PONG]}",
            {"tcp_health_check": {"send": {"text": "50494e47"}, "receive": [{"text": "504f4e47"}]}},
        ),
    ],
)
def test_health_checks_in_envoys_words(check: str, wanted: dict[str, Any]) -> None:
    made = cluster(f"healthCheck: {{interval: 5s, {check}}}")
    common = {
        "timeout": "2s",
        "interval": "5s",
        "no_traffic_interval": "5s",
        "initial_jitter": "1s",
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
    }
    assert words(made, "health_checks", "ignore_health_on_host_removal") == {
        "health_checks": [common | wanted],
        "ignore_health_on_host_removal": True,
    }


def test_http_checks_speak_what_requests_speak() -> None:
    check = "healthCheck: {http: {path: /}}"
    made = words(cluster(check, protocol=Protocol.HTTP2), "health_checks")
    assert made["health_checks"][0]["http_health_check"]["codec_client_type"] == "HTTP2"
    made = words(cluster(f"{check}, protocol: HTTP1", protocol=Protocol.HTTP2), "health_checks")
    assert "codec_client_type" not in made["health_checks"][0]["http_health_check"]


def test_connections_in_envoys_words() -> None:
    made = cluster(
        "connection: {connectTimeout: 500ms, idleTimeout: 0s, maxDuration: 10m, maxRequests: 100, "
        "tcpKeepalive: {time: 30s, interval: 5s, probes: 2}}"
    )
    assert words(made, "connect_timeout", "upstream_connection_options") == {
        "connect_timeout": "0.500s",
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_time": 30, "keepalive_interval": 5, "keepalive_probes": 2}
        },
    }
    assert options(made) == {
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {
            "idle_timeout": "0s",
            "max_connection_duration": "600s",
            "max_requests_per_connection": 100,
        },
    }


@pytest.mark.parametrize(
    ("spec", "protocol", "wanted"),
    [
        ("protocol: HTTP1", Protocol.HTTP2, {"explicit_http_config": {"http_protocol_options": {}}}),
        ("protocol: HTTP2", Protocol.HTTP, {"explicit_http_config": {"http2_protocol_options": {}}}),
        (
            "protocol: Auto",
            Protocol.HTTP2,
            {"use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}},
        ),
        (
            "connection: {maxRequests: 1}",
            Protocol.HTTP2,
            {
                "explicit_http_config": {"http2_protocol_options": {}},
                "common_http_protocol_options": {"max_requests_per_connection": 1},
            },
        ),
    ],
)
def test_protocols_in_envoys_words(spec: str, protocol: Protocol, wanted: dict[str, Any]) -> None:
    assert options(cluster(spec, protocol=protocol)) == wanted


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("", "spec: got nothing beside targetRefs, want for example circuitBreakers"),
        ("loadBalancing: {algoritm: Random}", "spec.loadBalancing.algoritm: got a field that does not exist, want one of"),
        ("loadBalancing: {algorithm: Fastest}", "spec.loadBalancing.algorithm: got the text \"Fastest\", want RoundRobin"),
        ("loadBalancing: {algorithm: Random, choices: 2}", "spec.loadBalancing: got an object, want choices beside LeastRequest only, and the algorithm is Random"),
        ("loadBalancing: {algorithm: RingHash}", "spec.loadBalancing: got an object, want hashOn beside RingHash and Maglev, and beside no other; the algorithm is RingHash"),
        ("loadBalancing: {hashOn: [{type: SourceAddress}]}", "spec.loadBalancing: got an object, want hashOn beside RingHash and Maglev, and beside no other; the algorithm is LeastRequest"),
        ("loadBalancing: {algorithm: Maglev, hashOn: [{type: SourceAddress}, {type: Header, name: x}]}", "spec.loadBalancing: got an object, want SourceAddress, or a cookie with a ttl, as the last of hashOn"),
        ("loadBalancing: {algorithm: Maglev, hashOn: [{type: Header}]}", "spec.loadBalancing.hashOn[0]: got an object, want a name beside the types Header and Cookie"),
        ("loadBalancing: {algorithm: Maglev, hashOn: [{type: Header, name: x, ttl: 1h}]}", "spec.loadBalancing.hashOn[0]: got an object, want ttl and path beside the type Cookie only"),
        ("loadBalancing: {algorithm: Random, slowStart: {window: 5s}}", "spec.loadBalancing: got an object, want slowStart beside RoundRobin and LeastRequest only"),
        ("loadBalancing: {slowStart: {window: 10}}", "spec.loadBalancing.slowStart.window: got 10, want a duration with its unit"),
        ("loadBalancing: {slowStart: {window: 10ms}}", "spec.loadBalancing.slowStart: got an object, want a window of 1s or more"),
        ("loadBalancing: {algorithm: Maglev, hashOn: [{type: SourceAddress}], locality: {mode: PreferLocal}}", "spec.loadBalancing: got an object, want a locality of mode Weighted, or none: Maglev cannot prefer its own zone"),
        ("loadBalancing: {locality: {mode: Weighted}}", "spec.loadBalancing.locality: got an object, want weights beside the mode Weighted"),
        ("loadBalancing: {locality: {mode: Weighted, weights: [{weight: 1}]}}", "spec.loadBalancing.locality.weights[0]: got an object, want a region, a zone or both"),
        ("loadBalancing: {panicThreshold: 101}", "spec.loadBalancing.panicThreshold: got 101, want 0 to 100"),
        ("circuitBreakers: {}", "spec.circuitBreakers: got an empty object, want one limit at least"),
        ("circuitBreakers: {requests: 0}", "spec.circuitBreakers.requests: got 0, want 1 to 1000000"),
        ("circuitBreakers: {pending: 1}", "spec.circuitBreakers.pending: got a field that does not exist, want one of connections, pendingRequests, requests, retries"),
        ("outlierDetection: {successRate: {deviations: '2'}}", "spec.outlierDetection.successRate.deviations: got the text \"2\", want a number from 0.1 to 10"),
        ("outlierDetection: {interval: 0s}", "spec.outlierDetection: got an object, want an interval and an ejectionTime longer than 0s"),
        ("outlierDetection: {ejectionTime: 10m}", "spec.outlierDetection: got an object, want a maxEjectionTime that is not shorter than ejectionTime"),
        ("healthCheck: {}", "spec.healthCheck: got an empty object, want just one of http, grpc and tcp"),
        ("healthCheck: {http: {path: /}, tcp: {}}", "spec.healthCheck: got an object, want just one of http, grpc and tcp"),
        ("healthCheck: {http: {path: healthz}}", 'spec.healthCheck.http.path: got the text "healthz", want a path that begins with "/"'),
        ("healthCheck: {http: {path: /, statuses: [20]}}", "spec.healthCheck.http.statuses[0]: got 20, want 100 to 599"),
        ("healthCheck: {grpc: {}}", "spec.healthCheck.grpc: got default/payment, which is spoken to in HTTP/1, want http or tcp, or the service to be of protocol http2: gRPC needs it"),
        ("connection: {tcpKeepalive: {time: 1500ms}}", "spec.connection.tcpKeepalive: got an object, want a time and an interval of whole seconds"),
        ("connection: {connectTimeout: 0s}", "spec.connection: got an object, want a connectTimeout longer than 0s"),
        ("protocol: HTTP3", 'spec.protocol: got the text "HTTP3", want HTTP1, HTTP2, or Auto'),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    try:
        found = validate(mesh(spec)).problems
    except PolicyError as error:
        found = error.problems
    assert [str(problem).startswith(f"BackendPolicy default/test: {wanted}") for problem in found] == [True], found


def test_it_fits_services_only() -> None:
    [problem] = validate(mesh("protocol: HTTP1", target="{kind: HTTPRoute, name: payment}")).problems
    assert problem.got == "HTTPRoute, which BackendPolicy does not fit"
