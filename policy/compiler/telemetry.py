"""Telemetry: TelemetryPolicy on a connection manager: access logs, the audit log, and tracing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLog,
    AccessLogFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    ExtensionFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import GrpcService, RuntimeUInt32, SubstitutionFormatString
from envoy_data_plane.envoy.config.route.v3 import Tracing as RouteTracing
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel.v3 import ExpressionFilter
from envoy_data_plane.envoy.extensions.access_loggers.open_telemetry.v3 import OpenTelemetryAccessLogConfig
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerTracing,
)
from envoy_data_plane.envoy.type.tracing.v3 import CustomTag, CustomTagHeader, CustomTagLiteral
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType, Percent
from envoy_data_plane.google.protobuf import Struct, Value
from envoy_data_plane.opentelemetry.proto.common.v1 import AnyValue, KeyValue, KeyValueList

from policy.compiler import calls
from policy.compiler.inputs import HttpListener, Need, RoutedRule
from policy.telemetry_policy import Collector, Extra, Log, Sink, Tag, TelemetryPolicy, Tracing
from registry.model import Protocol
from xds.encoder import pack

_EXPORT = timedelta(seconds=5)
_FLUSH = timedelta(seconds=1)
_PARTS = 10_000  # of a percent: of FractionalPercent's million there are 10,000 to each

# Query strings hold secrets often enough that no log has them.
_FIELDS = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS(SNAKE_STRING)%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "principal": "%DOWNSTREAM_PEER_URI_SAN%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "upstream": "%UPSTREAM_HOST%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "trace_id": "%TRACE_ID%",
    "user_agent": "%REQ(USER-AGENT)%",
}

# A denial is an answer of the proxy's own that refuses. Envoy tells its own answers by their details: those of backends
# are "via_upstream". What is no refusal: a route that is not there, a fault on purpose, a redirect, a request that came
# too slowly (408). A server that decides for the proxy and does not answer refuses, too, with a 5xx.
_DENIED = (
    "!(response.code_details in "
    "['via_upstream', 'route_not_found', 'direct_response', 'fault_filter_abort', 'stream_idle_timeout']) && ("
    "(response.code >= 400 && response.code < 500 && response.code != 408) || "
    "response.grpc_status in [7, 8, 16] || "
    "response.code_details.startsWith('ext_authz_') || response.code_details.startsWith('rate_limiter_'))"
)


def on_connection_manager(manager: HttpConnectionManager, served: HttpListener) -> None:
    """The effective TelemetryPolicy of the listener."""
    policy = served.policies.one(TelemetryPolicy)
    if policy is None:
        return
    spec, home = policy.spec, policy.key.namespace
    if spec.access_log is not None:
        minimum = spec.access_log.minimum_status
        for sink in spec.access_log.sinks:
            manager.access_log.append(
                _log(sink, spec.access_log, home, "access", _from(minimum) if minimum is not None else None)
            )
    if spec.audit_log is not None:
        for sink in spec.audit_log.sinks:
            manager.access_log.append(_log(sink, spec.audit_log, home, "audit", _denied()))
    if spec.tracing is not None:
        manager.tracing = _tracing(spec.tracing, home, served.name)


def of_route(routed: RoutedRule) -> RouteTracing | None:
    """What a rule's own TelemetryPolicy says of traces; None: it has none, and what the listener's says holds."""
    policy = routed.policies.one(TelemetryPolicy)
    if policy is None or policy.spec.tracing is None or policy.spec.tracing.has_collector:
        return None
    tracing = policy.spec.tracing
    return RouteTracing(
        client_sampling=FractionalPercent(numerator=0),
        random_sampling=FractionalPercent(
            numerator=round(tracing.sampling * _PARTS), denominator=FractionalPercentDenominatorType.MILLION
        ),
        custom_tags=[_tag(tag) for tag in tracing.tags],
    )


def needs(served: HttpListener) -> Iterator[Need]:
    """The collectors."""
    policy = served.policies.one(TelemetryPolicy)
    if policy is not None:
        for _, collector in policy.spec.collectors():
            yield _need(collector, policy.key.namespace)


def _log(sink: Sink, log: Log, home: str, kind: str, only: AccessLogFilter | None) -> AccessLog:
    fields = {"log": kind, **_FIELDS, **{field.name: _operator(field) for field in log.fields}}
    lines = SubstitutionFormatString(
        json_format=Struct(fields={name: Value(string_value=value) for name, value in fields.items()}),
        omit_empty_values=True,
    )
    match sink.type:
        case "Stdout":
            return AccessLog(
                name="envoy.access_loggers.stdout", filter=only, typed_config=pack(StdoutAccessLog(log_format=lines))
            )
        case "File":
            config = FileAccessLog(path=sink.path or "", log_format=lines)
            return AccessLog(name="envoy.access_loggers.file", filter=only, typed_config=pack(config))
        case "OTLP":
            assert sink.collector is not None
            exported = OpenTelemetryAccessLogConfig(
                grpc_service=_collector(sink.collector, home),
                log_name=kind,
                buffer_flush_interval=_FLUSH,
                disable_builtin_labels=True,
                attributes=KeyValueList(
                    values=[KeyValue(key=name, value=AnyValue(string_value=value)) for name, value in fields.items()]
                ),
            )
            return AccessLog(name="envoy.access_loggers.open_telemetry", filter=only, typed_config=pack(exported))


def _operator(field: Extra) -> str:
    if field.request_header is not None:
        return f"%REQ({field.request_header})%"
    if field.response_header is not None:
        return f"%RESP({field.response_header})%"
    return (field.value or "").replace("%", "%%")  # a lone % begins an operator


def _from(status: int) -> AccessLogFilter:
    # The runtime key cannot be left out; nobody sets it.
    value = RuntimeUInt32(default_value=status, runtime_key="apg.access_log.minimum_status")
    return AccessLogFilter(
        status_code_filter=StatusCodeFilter(comparison=ComparisonFilter(op=ComparisonFilterOp.GE, value=value))
    )


def _denied() -> AccessLogFilter:
    return AccessLogFilter(
        extension_filter=ExtensionFilter(
            name="envoy.access_loggers.extension_filters.cel",
            typed_config=pack(ExpressionFilter(expression=_DENIED)),
        )
    )


def _tracing(tracing: Tracing, home: str, listener: str) -> HttpConnectionManagerTracing:
    provider = OpenTelemetryConfig(
        grpc_service=_collector(tracing, home), service_name=tracing.service_name or listener
    )
    return HttpConnectionManagerTracing(
        client_sampling=Percent(value=0.0),  # `x-client-trace-id` from anywhere would have every request traced
        random_sampling=Percent(value=float(tracing.sampling)),
        spawn_upstream_span=True,
        custom_tags=[_tag(tag) for tag in tracing.tags],
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=pack(provider)),
    )


def _tag(tag: Tag) -> CustomTag:
    if tag.request_header is not None:
        return CustomTag(tag=tag.name, request_header=CustomTagHeader(name=tag.request_header))
    return CustomTag(tag=tag.name, literal=CustomTagLiteral(value=tag.value or ""))


def _collector(collector: Collector, home: str) -> GrpcService:
    return calls.grpc(_need(collector, home), timeout=_EXPORT)


def _need(collector: Collector, home: str) -> Need:
    if collector.backend_ref is not None:
        return calls.service(collector.backend_ref, home=home)
    assert collector.server is not None
    return calls.outside(collector.server, protocol=Protocol.HTTP2)
