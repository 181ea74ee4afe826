"""CompressionPolicy through a real Envoy."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from tests.meshes import route
from tests.shop import Shop, policy, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("compression")]

TEXT = "hello world " * 200
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    running.payment.answer = text
    return running


async def text(request: web.Request) -> web.Response:
    kind, _, size = request.query_string.partition(",")
    body = TEXT[: int(size or len(TEXT))]
    return web.Response(text=body, content_type=kind or "text/plain", headers={"etag": '"one"'})


async def get(shop: Shop, accept: str, path: str = "/") -> tuple[Mapping[str, str], bytes]:
    """The headers of the answer, and its bytes as they came."""
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", f"http://127.0.0.1:{shop.port}{path}", headers={"accept-encoding": accept}) as answer,
    ):
        return answer.headers, b"".join([chunk async for chunk in answer.aiter_raw()])


async def test_answers_are_compressed_as_the_client_takes_them(shop: Shop) -> None:
    await shop.apply(policy("CompressionPolicy", ""))
    headers, body = await get(shop, "gzip")
    assert (headers["content-encoding"], headers["vary"], headers["etag"]) == ("gzip", "Accept-Encoding", 'W/"one"')
    assert gzip.decompress(body).decode() == TEXT
    headers, body = await get(shop, "zstd")
    assert (headers["content-encoding"], body[:4]) == ("zstd", ZSTD_MAGIC)
    headers, body = await get(shop, "br")
    assert headers["content-encoding"] == "br"
    assert len(body) < len(TEXT) / 10
    headers, body = await get(shop, "identity")
    assert "content-encoding" not in headers
    assert body.decode() == TEXT


@pytest.mark.parametrize(
    ("encodings", "accept", "used"),
    [
        ("[Zstd, Brotli, Gzip]", "gzip, br, zstd", "zstd"),
        ("[Gzip, Zstd]", "zstd, gzip", "gzip"),
        ("[Gzip, Zstd]", "zstd, gzip;q=0.5", "zstd"),
        ("[Gzip]", "br, zstd", None),
    ],
)
async def test_of_what_the_client_takes_the_first_is_used(
    shop: Shop, encodings: str, accept: str, used: str | None
) -> None:
    await shop.apply(policy("CompressionPolicy", f"encodings: {encodings}"))
    headers, _ = await get(shop, accept)
    assert headers.get("content-encoding") == used


@pytest.mark.parametrize(
    ("spec", "asked", "compressed"),
    [
        ("", "/?image/png", False),
        ("", "/?text/plain,1000", False),
        ("minimumBytes: 1000", "/?text/plain,1000", True),
        ("contentTypes: [application/x-shop]", "/?application/x-shop", True),
        ("contentTypes: [application/x-shop]", "/", False),
    ],
)
async def test_what_is_short_or_of_another_kind_is_left_alone(
    shop: Shop, spec: str, asked: str, compressed: bool
) -> None:
    await shop.apply(policy("CompressionPolicy", spec))
    headers, _ = await get(shop, "gzip", asked)
    assert ("content-encoding" in headers) is compressed


async def test_other_routes_are_left_alone(shop: Shop) -> None:
    await shop.apply(
        route("payment", name="other", path="/other"),
        route("payment", name="none", path="/none"),
        policy("CompressionPolicy", "encodings: []", name="none", target="{kind: HTTPRoute, name: none}"),
        policy("CompressionPolicy", "", target="{kind: HTTPRoute, name: payment}"),
    )
    assert "content-encoding" not in (await get(shop, "gzip", "/other"))[0]
    assert "content-encoding" not in (await get(shop, "gzip", "/none"))[0]
    assert "content-encoding" in (await get(shop, "gzip"))[0]
