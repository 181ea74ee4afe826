"""The rate limit quota service (RLQS): clients report what wanted to pass, and are told their shares.

The name of a client's bucket carries the limit, so nothing here knows where limits come from: see `quotas.bucket_name`.
A client is a stream; its domain, with the limit's name, says with whom it shares.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import grpc
from google.protobuf.message import DecodeError

from protos.apg.xds.v3.rate_limit_quota_pb2 import (
    BucketAction,
    RateLimitQuotaResponse,
    RateLimitQuotaUsageReports,
    RateLimitStrategy,
)
from xds.call import Context
from xds.errors import RequestError
from xds.quotas import LASTING, Limit, Quotas, Share, bucket_name, parsed_bucket

RLQS = "envoy.service.rate_limit_quota.v3.RateLimitQuotaService"
BUCKET = "limit"
"""The key of a bucket's name."""


class QuotaService:
    """Shares out the limits of all clients of one server: its part of them, if it is one of several `replicas`."""

    def __init__(self, *, replicas: int = 1) -> None:
        self._quotas: Quotas[int, tuple[str, str]] = Quotas(replicas=replicas)
        self._streams: dict[int, _Stream] = {}
        self._next = 0

    def __len__(self) -> int:
        """How many clients keep to shares."""
        return len(self._streams)

    def handler(self) -> grpc.GenericRpcHandler:
        """For `Server`."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._serve)
        return grpc.method_handlers_generic_handler(RLQS, {"StreamRateLimitQuotas": method})

    async def _serve(self, requests: AsyncIterator[bytes], context: Context) -> None:
        client, self._next = self._next, self._next + 1
        stream = self._streams[client] = _Stream(context)
        fault: RequestError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(stream.write())
                try:
                    async for request in requests:
                        self._take(client, _parsed(request))
                except RequestError as error:
                    fault = error
                writer.cancel()
        finally:
            del self._streams[client]
            for ((_, name), limit), changes in self._quotas.leave(client, now=self._now()).items():
                self._tell(bucket_name(name, limit), limit, changes)
        if fault is not None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(fault))

    def _take(self, client: int, report: RateLimitQuotaUsageReports) -> None:
        stream = self._streams[client]
        stream.domain = report.domain or stream.domain
        if not stream.domain:
            raise RequestError("the first report of a stream has no domain: want one")
        for usage in report.bucket_quota_usages:
            bucket = usage.bucket_id.bucket.get(BUCKET, "")
            parsed = parsed_bucket(bucket)
            if parsed is None:
                raise RequestError(f"bucket {bucket!r:.80}: want {BUCKET}: NAME REQUESTS/MILLISECONDSms burst REQUESTS")
            name, limit = parsed
            changes = self._quotas.report(
                client,
                (stream.domain, name),
                limit,
                wanted=usage.num_requests_allowed + usage.num_requests_denied,
                seconds=usage.time_elapsed.ToTimedelta().total_seconds(),
                now=self._now(),
            )
            self._tell(bucket, limit, changes)

    def _tell(self, bucket: str, limit: Limit, changes: Mapping[int, Share | None]) -> None:
        for client, share in changes.items():
            stream = self._streams.get(client)
            if stream is not None:
                stream.tell(bucket, _action(bucket, limit, share))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class _Stream:
    """What one client has yet to be told: the newest for each bucket."""

    def __init__(self, context: Context) -> None:
        self.domain = ""
        self._context = context
        self._untold: dict[str, BucketAction] = {}
        self._wake = asyncio.Event()

    def tell(self, bucket: str, action: BucketAction) -> None:
        self._untold[bucket] = action
        self._wake.set()

    async def write(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            actions, self._untold = list(self._untold.values()), {}
            await self._context.write(RateLimitQuotaResponse(bucket_action=actions).SerializeToString())


def _action(bucket: str, limit: Limit, share: Share | None) -> BucketAction:
    action = BucketAction()
    action.bucket_id.bucket[BUCKET] = bucket
    if share is None:
        action.abandon_action.SetInParent()
        return action
    action.quota_assignment_action.assignment_time_to_live.FromTimedelta(timedelta(seconds=LASTING))
    strategy = action.quota_assignment_action.rate_limit_strategy
    if share.tokens == 0:
        strategy.blanket_rule = RateLimitStrategy.DENY_ALL
        return action
    strategy.token_bucket.max_tokens = share.burst
    strategy.token_bucket.tokens_per_fill.value = share.tokens
    strategy.token_bucket.fill_interval.FromMilliseconds(limit.milliseconds)
    return action


def _parsed(request: bytes) -> RateLimitQuotaUsageReports:
    try:
        return RateLimitQuotaUsageReports.FromString(request)
    except DecodeError as error:
        raise RequestError(
            "the bytes are no envoy.service.rate_limit_quota.v3.RateLimitQuotaUsageReports: want one"
        ) from error
