"""The demo's services, over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from controlplane.demo.backends import RunningBackend, start_backend, start_frontend


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def payment() -> AsyncIterator[RunningBackend]:
    backend = await start_backend("payment", "v2")
    yield backend
    await backend.stop()


async def test_an_answer_says_who_gave_it_and_what_was_asked(
    payment: RunningBackend, session: aiohttp.ClientSession
) -> None:
    headers = {"x-request-id": "7", "authorization": "Bearer secret"}
    async with session.post(f"http://127.0.0.1:{payment.port}/pay/42?fast=1", headers=headers) as response:
        answer = await response.json()

    assert (answer["service"], answer["version"], answer["path"]) == ("payment", "v2", "/pay/42?fast=1")
    assert answer["headers"]["x-request-id"] == "7"
    assert "secret" not in str(answer)


async def test_health_checks_are_answered_and_not_counted(
    payment: RunningBackend, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"http://127.0.0.1:{payment.port}/healthz") as response:
        assert (response.status, await response.text()) == (200, "ok")
    assert payment.requests_served == 0

    async with session.get(f"http://127.0.0.1:{payment.port}/"):
        assert payment.requests_served == 1


async def test_a_frontend_passes_on_what_payment_answered(
    payment: RunningBackend, session: aiohttp.ClientSession
) -> None:
    frontend = await start_frontend("frontend", "v1", payment_url=f"http://127.0.0.1:{payment.port}/pay")
    try:
        async with session.get(f"http://127.0.0.1:{frontend.port}/") as response:
            answer = await response.json()
    finally:
        await frontend.stop()

    assert (answer["service"], answer["payment"]["service"], answer["payment"]["version"]) == (
        "frontend",
        "payment",
        "v2",
    )
    assert payment.requests_served == 1


async def test_a_frontend_without_payment_fails_and_says_why(
    payment: RunningBackend, session: aiohttp.ClientSession
) -> None:
    frontend = await start_frontend("frontend", "v1", payment_url=f"http://127.0.0.1:{payment.port}/pay")
    await payment.stop()
    try:
        async with session.get(f"http://127.0.0.1:{frontend.port}/") as response:
            assert response.status == 502
            assert "Cannot connect" in (await response.json())["error"]
    finally:
        await frontend.stop()


async def test_a_stopped_backend_is_gone_and_its_port_free(payment: RunningBackend) -> None:
    await payment.stop()
    await payment.stop()
    again = await start_backend("payment", "v3", port=payment.port)
    assert again.port == payment.port
    await again.stop()


async def test_a_taken_port_is_an_error(payment: RunningBackend) -> None:
    with pytest.raises(OSError, match="in use"):
        await start_backend("payment", "v3", port=payment.port)
