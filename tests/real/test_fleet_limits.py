"""RateLimitPolicy with scope: Fleet: two real Envoys of one Gateway keep to one limit, and ask nobody for a request."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from tests.conditions import eventually
from tests.envoys import running_envoy
from tests.shop import Shop, policy, running_shop

PER_SECOND = 20


async def passed(shop: Shop, seconds: float) -> Counter[int]:
    """The answers to some 120 requests a second. Each has a connection of its own, which the kernel deals out."""
    loop, answers = asyncio.get_running_loop(), Counter[int]()
    end = loop.time() + seconds

    async def client() -> None:
        while loop.time() < end:
            answers[(await shop.request()).status] += 1
            await asyncio.sleep(0.05)

    await asyncio.gather(*(client() for _ in range(6)))
    return answers


async def test_two_proxies_keep_to_one_limit(tmp_path: Path) -> None:
    async with running_shop(tmp_path) as shop:
        await shop.apply(policy("RateLimitPolicy", f"scope: Fleet, limits: [{{requests: {PER_SECOND}, per: 1s}}]"))
        alone = await passed(shop, 2.0)
        for told in [await shop.request() for _ in range(2 * PER_SECOND)]:  # some of them refused
            headers = {name.lower(): value for name, value in told.headers.items()}
            assert headers["x-ratelimit-limit"] == f"{PER_SECOND}, {PER_SECOND};w=1", told
            assert headers["x-ratelimit-reset"] == "1"
            assert "x-ratelimit-remaining" not in headers
        assert PER_SECOND < alone[200] <= 3 * PER_SECOND + PER_SECOND  # it has all of the limit; the bucket began full
        async with running_envoy(
            shop.mesh.xds_port, "default/edge", log_path=tmp_path / "other.log", node_id="other"
        ) as other:
            await shop.mesh.in_sync(proxies=2)

            async def both_have_shares() -> bool:
                await passed(shop, 0.2)
                return (
                    "default/test/0" in await other.admin_get("/config_dump")
                    and len(shop.mesh.control_plane.quotas) == 2
                )

            await eventually(both_have_shares)
            await passed(shop, 0.5)
            seconds = 4.0
            together = await passed(shop, seconds)
        assert set(together) == {200, 429}
        # Without sharing it would be twice as much. A little more than the limit passes: buckets, and slow seconds.
        assert together[200] <= PER_SECOND * (seconds + 1) * 1.3
        assert together[200] >= PER_SECOND * seconds * 0.5
