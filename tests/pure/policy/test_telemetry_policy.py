"""TelemetryPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiled import compiled, problem
from tests.shop import policy

ROUTE = "{kind: HTTPRoute, name: payment}"
GATEWAY = "{kind: Gateway, name: edge}"


def telemetry(spec: str, target: str = GATEWAY) -> str:
    return policy("TelemetryPolicy", spec, target=target)


def logs(spec: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = compiled(telemetry(spec)).manager["access_log"]
    return found


def test_an_access_log_in_envoys_words() -> None:
    [stdout, file] = logs(
        "accessLog: {sinks: [{type: Stdout}, {type: File, path: /var/log/a.log}], minimumStatus: 400, "
        "fields: [{name: user, requestHeader: x-user}, {name: share, value: 5%}, {name: kind, responseHeader: y}]}"
    )
    assert stdout["name"] == "envoy.access_loggers.stdout"
    assert stdout["filter"]["status_code_filter"]["comparison"]["op"] == "GE"
    assert stdout["filter"]["status_code_filter"]["comparison"]["value"]["default_value"] == 400
    assert file["typed_config"]["path"] == "/var/log/a.log"
    fields = file["typed_config"]["log_format"]["json_format"]
    assert fields == stdout["typed_config"]["log_format"]["json_format"]
    assert (fields["log"], fields["status"]) == ("access", "%RESPONSE_CODE%")
    assert (fields["user"], fields["share"], fields["kind"]) == ("%REQ(x-user)%", "5%%", "%RESP(y)%")


def test_an_audit_log_is_filtered_by_envoys_own_answers() -> None:
    [audit] = logs("auditLog: {sinks: [{type: Stdout}]}")
    assert "via_upstream" in audit["filter"]["extension_filter"]["typed_config"]["expression"]


def test_collectors_are_clusters_of_the_gateway() -> None:
    made = compiled(
        telemetry(
            "accessLog: {sinks: [{type: OTLP, collector: {backendRef: {name: auth}}}]}, "
            "tracing: {server: {host: otel.example.com, port: 4317}, sampling: 12.5, tags: [{name: env, value: test}]}"
        )
    )
    assert made.clusters == {"default/payment", "default/auth", "external/otel.example.com:4317/http2"}
    [log] = made.manager["access_log"]
    assert log["typed_config"]["grpc_service"]["envoy_grpc"] == {
        "cluster_name": "default/auth",
        "authority": "auth.default",
    }
    tracing = made.manager["tracing"]
    assert tracing["random_sampling"] == {"value": 12.5}
    assert tracing["custom_tags"] == [{"tag": "env", "literal": {"value": "test"}}]
    assert tracing["provider"]["typed_config"]["service_name"] == "default/edge/80"


@pytest.mark.parametrize(
    ("spec", "target", "wanted"),
    [
        ("", GATEWAY, "spec: got nothing beside targetRefs, want accessLog, auditLog or tracing"),
        ("accesLog: {}", GATEWAY, "spec.accesLog: got a field that does not exist, want one of targetRefs, accessLog, auditLog, tracing; did you mean accessLog?"),
        ("accessLog: {sinks: []}", GATEWAY, "spec.accessLog.sinks: got 0 items, want at least 1"),
        ("accessLog: {sinks: [{type: Syslog}]}", GATEWAY, 'spec.accessLog.sinks[0].type: got the text "Syslog", want Stdout, File, or OTLP'),
        ("accessLog: {sinks: [{type: File}]}", GATEWAY, "spec.accessLog.sinks[0]: got an object, want a path beside the type File, a collector beside OTLP, and neither beside Stdout"),
        ("accessLog: {sinks: [{type: Stdout, path: /x}]}", GATEWAY, "spec.accessLog.sinks[0]: got an object, want a path beside the type File, a collector beside OTLP, and neither beside Stdout"),
        ("accessLog: {sinks: [{type: File, path: x}]}", GATEWAY, 'spec.accessLog.sinks[0].path: got the text "x", want the absolute path of a file of the proxy'),
        ("accessLog: {sinks: [{type: Stdout}], minimumStatus: 1}", GATEWAY, "spec.accessLog.minimumStatus: got 1, want 100 to 599"),
        ("accessLog: {sinks: [{type: Stdout}], fields: [{name: a}]}", GATEWAY, "spec.accessLog.fields[0]: got an object, want just one of value, requestHeader and responseHeader beside the name"),
        ("accessLog: {sinks: [{type: Stdout}], fields: [{name: '%a', value: b}]}", GATEWAY, 'spec.accessLog.fields[0].name: got the text "%a", want letters, digits, "_" and "."'),
        ("accessLog: {sinks: [{type: Stdout}], fields: [{name: a, value: b}, {name: a, value: c}]}", GATEWAY, "spec.accessLog: got an object, want fields with names of their own, and a is there twice"),
        ("tracing: {sampling: 5}", GATEWAY, "spec.tracing: got an object, want one of backendRef, server"),
        ("tracing: {backendRef: {name: auth}, sampling: 101}", GATEWAY, "spec.tracing.sampling: got 101, want 0 to 100"),
        ("tracing: {backendRef: {name: otel}}", GATEWAY, "spec.tracing.backendRef.name: got otel, which does not exist, want a service of default: "),
        ("tracing: {backendRef: {name: payment}}", GATEWAY, "spec.tracing.backendRef: got default/payment, which is spoken to in HTTP/1, want a service of protocol http2: OTLP is sent by gRPC"),
        ("auditLog: {sinks: [{type: Stdout}]}", ROUTE, "spec.auditLog: got a log beside the target HTTPRoute, want a Gateway or a Service as the target"),
        ("tracing: {backendRef: {name: auth}}", ROUTE, "spec.tracing: got a collector or serviceName, want sampling and tags beside the target HTTPRoute: spans go where its Gateway's do"),
        ("tracing: {serviceName: a}", ROUTE, "spec.tracing: got a serviceName, want sampling and tags beside the target HTTPRoute"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, target: str, wanted: str) -> None:
    assert problem(telemetry(spec, target)).startswith(f"TelemetryPolicy default/test: {wanted}")


def test_a_route_says_which_of_its_requests_are_traced() -> None:
    own = telemetry("tracing: {sampling: 0.5, tags: [{name: a, value: b}]}", ROUTE)
    made = compiled(own, policy("TelemetryPolicy", "tracing: {backendRef: {name: auth}}", name="edge", target=GATEWAY))
    assert made.route["tracing"] == {
        "client_sampling": {},
        "random_sampling": {"numerator": 5000, "denominator": "MILLION"},
        "custom_tags": [{"tag": "a", "literal": {"value": "b"}}],
    }
    assert made.manager["tracing"]["random_sampling"] == {"value": 1.0}


def test_a_backend_policy_may_say_that_a_collector_speaks_http2() -> None:
    reach = policy("BackendPolicy", "protocol: HTTP2", target="{kind: Service, name: payment}")
    assert compiled(telemetry("tracing: {backendRef: {name: payment}}"), reach).manager["tracing"]
