"""The metrics service of OTLP, over gRPC, for the proxies' stat sinks: keeps the latest samples for others to read.

What a sample is: `xds.measurements`. What is done with it is for others to say.
"""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from xds.call import Context, refuse
from xds.errors import RequestError
from xds.measurements import Export, exports
from xds.window import Window

OTLP_METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"

_LIMIT = 16 << 20  # bytes


class Metrics:
    """The samples of all proxies. `window` holds the latest, bounded by `limit` bytes as they came over the wire."""

    def __init__(self, *, limit: int = _LIMIT) -> None:
        self.window: Window[Export] = Window(limit, weigh=lambda export: len(export.body))
        self.refused_points = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """For `Server`."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._export)
        return grpc.method_handlers_generic_handler(OTLP_METRICS, {"Export": method})

    async def _export(self, request: bytes, context: Context) -> bytes:
        try:
            samples, refused = exports(request, peer=context.peer(), received=datetime.now(UTC))
        except RequestError as error:
            await refuse(context, error)
        for sample in samples:
            self.window.add(sample)
        answer = ExportMetricsServiceResponse()
        if refused:
            self.refused_points += refused
            answer.partial_success.rejected_data_points = refused
            answer.partial_success.error_message = (
                "exponential histograms and summaries are not taken: want gauges, sums and histograms with bounds"
            )
        return answer.SerializeToString()
