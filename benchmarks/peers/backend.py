"""What all endpoints are: a server that answers every request, so that a route which is there can be told by 200."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from benchmarks.peers.content import ADDRESSES
from controlplane.ports import free_port


@asynccontextmanager
async def running_backend() -> AsyncIterator[int]:
    """Listens on one port of all addresses of `content`, while the context lasts: the port."""
    runner = web.AppRunner(_application(), shutdown_timeout=1.0)
    await runner.setup()
    try:
        port = free_port()
        for address in ADDRESSES:
            await web.TCPSite(runner, address, port).start()
        yield port
    finally:
        await runner.cleanup()


def _application() -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="here")

    made = web.Application()
    made.router.add_route("*", "/{path:.*}", answer)
    return made
