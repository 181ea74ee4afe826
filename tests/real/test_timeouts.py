"""TimeoutPolicy through a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from tests.meshes import DEADLINE, route
from tests.shop import Handler, Shop, policy, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("timeouts")]

GATEWAY = "{kind: Gateway, name: edge}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("nobody ends the wait")


async def forever(request: web.Request) -> web.StreamResponse:
    """An answer that goes on, a byte at a time."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b".")
        await asyncio.sleep(0.01)


async def begun(request: web.Request) -> web.StreamResponse:
    """An answer that stops in the middle."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b".")
    return await never(request)


async def test_an_answer_that_takes_too_long_is_504(shop: Shop) -> None:
    await shop.apply(policy("TimeoutPolicy", "request: 100ms"))
    shop.payment.answer = never
    answer = await shop.request()
    assert (answer.status, answer.body) == (504, "upstream request timeout")


async def test_a_rules_own_timeout_counts_more(shop: Shop) -> None:
    async def late(_: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.Response(text="late")

    patient = route("payment", name="patient", path="/patient") + "      timeouts: {request: 30s}\n"
    await shop.apply(
        patient,
        policy("TimeoutPolicy", "request: 10ms", target="{kind: HTTPRoute, name: patient}", name="patient"),
        policy("TimeoutPolicy", "request: 10ms"),
    )
    shop.payment.answer = late
    assert (await shop.request("/patient")).body == "late"
    assert (await shop.request("/")).status == 504


@pytest.mark.parametrize(
    ("spec", "answer"),
    [("request: 0s, idle: 100ms", begun), ("request: 0s, stream: 200ms", forever)],
    ids=["idle", "stream"],
)
async def test_an_answer_that_has_begun_is_broken_off(shop: Shop, spec: str, answer: Handler) -> None:
    await shop.apply(policy("TimeoutPolicy", spec))
    shop.payment.answer = answer
    with pytest.raises(aiohttp.ClientPayloadError):
        await shop.request()


async def test_what_keeps_flowing_is_not_idle(shop: Shop) -> None:
    async def steady(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(60):
            await response.write(b".")
            await asyncio.sleep(0.01)
        return response

    await shop.apply(policy("TimeoutPolicy", "request: 0s, idle: 400ms"))
    shop.payment.answer = steady
    assert (await shop.request()).body == "." * 60


@pytest.mark.parametrize(
    ("timeouts", "sent", "received"),
    [
        ("idleTimeout: 50ms", b"", b""),
        ("headersTimeout: 50ms", b"GET / HT", b"HTTP/1.1 408"),
        ("receiveTimeout: 50ms", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12", b"HTTP/1.1 408"),
        ("maxDuration: 50ms", b"", b""),
    ],
)
async def test_clients_that_dawdle_are_sent_away(shop: Shop, timeouts: str, sent: bytes, received: bytes) -> None:
    shop.payment.answer = never
    await shop.apply(policy("TimeoutPolicy", f"connection: {{{timeouts}}}", target=GATEWAY))
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
        writer.write(sent)
        answer = await reader.read()
    writer.close()
    assert answer[: len(b"HTTP/1.1 408")] == received
