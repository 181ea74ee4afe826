"""A collector of OTLP over gRPC, on loopback: keeps the spans and log records that it is sent."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

_LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"
_TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass
class Collector:
    """spans: each with its resource's and its own attributes, and its name, trace_id and kind. records: attributes."""

    port: int = 0
    spans: list[dict[str, str]] = field(default_factory=list)
    records: list[dict[str, str]] = field(default_factory=list)

    async def take_logs(self, request: logs.ExportLogsServiceRequest, _: Any) -> logs.ExportLogsServiceResponse:
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                self.records += [_texts(record.attributes) for record in scope.log_records]
        return logs.ExportLogsServiceResponse()

    async def take_spans(self, request: traces.ExportTraceServiceRequest, _: Any) -> traces.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found = {"name": span.name, "trace_id": span.trace_id.hex(), "kind": str(span.kind)}
                    self.spans.append(_texts(resource.resource.attributes) | _texts(span.attributes) | found)
        return traces.ExportTraceServiceResponse()


def _texts(attributes: Any) -> dict[str, str]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: pair.value.string_value for pair in pairs}


@contextlib.asynccontextmanager
async def running_collector() -> AsyncIterator[Collector]:
    collector = Collector()
    server = grpc.aio.server()
    for service, method, request in (
        (_LOGS, collector.take_logs, logs.ExportLogsServiceRequest),
        (_TRACES, collector.take_spans, traces.ExportTraceServiceRequest),
    ):
        handler: Any = grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    collector.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
