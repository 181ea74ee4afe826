"""The rate limit quota service over loopback, by streams that report as proxies do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest

from protos.apg.xds.v3.rate_limit_quota_pb2 import RateLimitQuotaResponse, RateLimitQuotaUsageReports, RateLimitStrategy
from xds.cache import SnapshotCache
from xds.quota_serving import BUCKET, RLQS, QuotaService
from xds.quotas import Limit, bucket_name
from xds.server import Server

NAME = bucket_name("default/payment/0", Limit(100, 60_000, 10))
DEADLINE = 10.0


class Client:
    """A stream of reports."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        method = channel.stream_stream(
            f"/{RLQS}/StreamRateLimitQuotas",
            request_serializer=RateLimitQuotaUsageReports.SerializeToString,
            response_deserializer=RateLimitQuotaResponse.FromString,
        )
        self.call = method()

    async def report(self, *, domain: str = "edge", name: str = NAME, allowed: int = 1, seconds: float = 0.0) -> None:
        report = RateLimitQuotaUsageReports(domain=domain)
        usage = report.bucket_quota_usages.add(num_requests_allowed=allowed)
        usage.bucket_id.bucket[BUCKET] = name
        usage.time_elapsed.FromTimedelta(timedelta(seconds=seconds))
        await self.call.write(report)

    async def told(self) -> RateLimitStrategy:
        """How the next response has one bucket used."""
        response = await asyncio.wait_for(self.call.read(), DEADLINE)
        assert isinstance(response, RateLimitQuotaResponse)
        [action] = response.bucket_action
        assert dict(action.bucket_id.bucket) == {BUCKET: NAME}
        return action.quota_assignment_action.rate_limit_strategy


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[QuotaService, grpc.aio.Channel]]:
    quotas = QuotaService()
    server = Server(SnapshotCache(), beside=(quotas.handler(),))
    port = await server.start("127.0.0.1:0")
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield quotas, channel
    finally:
        await server.stop(grace=0)


async def test_clients_of_a_domain_share_and_those_of_another_do_not() -> None:
    async with serving() as (quotas, channel):
        one, two, other = Client(channel), Client(channel), Client(channel)
        await one.report()
        bucket = (await one.told()).token_bucket
        assert (bucket.max_tokens, bucket.tokens_per_fill.value, bucket.fill_interval.ToTimedelta()) == (
            10,
            100,
            timedelta(minutes=1),
        )
        await other.report(domain="other")
        assert (await other.told()).token_bucket.tokens_per_fill.value == 100
        await two.report()
        assert (await two.told()).token_bucket.tokens_per_fill.value == 50
        assert (await one.told()).token_bucket.tokens_per_fill.value == 50
        assert len(quotas) == 3
        two.call.cancel()
        assert (await one.told()).token_bucket.tokens_per_fill.value == 100


@pytest.mark.parametrize(
    ("domain", "name", "wanted"),
    [
        ("", NAME, "the first report of a stream has no domain: want one"),
        ("edge", "payment", "bucket 'payment': want limit: NAME REQUESTS/MILLISECONDSms burst REQUESTS"),
    ],
)
async def test_a_report_that_says_too_little_ends_the_stream_in_words(domain: str, name: str, wanted: str) -> None:
    async with serving() as (_, channel):
        client = Client(channel)
        await client.report(domain=domain, name=name)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.told()
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, wanted)
