"""Connections without a stream: how many, how long, and that a client may be as slow to begin as it may and no slower.
The same on both transports."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import certificate
from tests.raw_connection import HELLO, dialled
from tests.strict_client import Way, connected
from tests.tiny_resources import tiny
from xds import Flow, Server, SnapshotCache, Tls, Transport, XdsError, node_id
from xds.resource_types import CLUSTER


@pytest.fixture(params=list(Transport), ids=lambda transport: transport.value)
def transport(request: pytest.FixtureRequest) -> Transport:
    return Transport(request.param)


@asynccontextmanager
async def serving(transport: Transport, *, tls: Tls | None = None, **bounds: Any) -> AsyncIterator[int]:
    cache = SnapshotCache()
    cache.set("edge-1", [tiny(CLUSTER, "a")])
    server = Server(cache, group_of=node_id, transport=transport, flow=Flow(**bounds))
    port = await server.start("127.0.0.1:0", tls=tls)
    try:
        yield port
    finally:
        await server.stop(grace=0)


async def served(port: int) -> None:
    async with connected(port, Way.DELTA_ADS, node="edge-1") as client:
        await client.subscribe(CLUSTER)
        assert (await client.take(CLUSTER)).names == {"a"}


async def closed(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 30)  # to the end


@pytest.mark.parametrize("address", ["", "127.0.0.1", ":0", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536", "unix:/x"])
async def test_an_address_that_is_none_is_named(transport: Transport, address: str) -> None:
    with pytest.raises(XdsError, match=f"^xDS address {re.escape(address)}: want HOST:PORT"):
        await Server(SnapshotCache(), transport=transport).start(address)


async def test_a_server_listens_once_at_a_time(transport: Transport) -> None:
    server = Server(SnapshotCache(), transport=transport)
    await server.start("127.0.0.1:0")
    with pytest.raises(XdsError, match="listens already"):
        await server.start("127.0.0.1:0")
    await server.stop(grace=0)
    await server.start("127.0.0.1:0")
    await server.stop(grace=0)


async def test_a_name_of_several_addresses_has_one_port(transport: Transport) -> None:
    server = Server(SnapshotCache(), transport=transport)
    port = await server.start("localhost:0")
    for *_, address in await asyncio.get_running_loop().getaddrinfo("localhost", port, type=socket.SOCK_STREAM):
        try:
            socket.create_server(
                address[:2], family=socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET
            ).close()
        except OSError as error:
            assert error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
        else:
            raise AssertionError(f"nobody listens at {address}")
    await server.stop(grace=0)


async def test_a_connection_beyond_the_bound_is_closed_and_others_go_on(transport: Transport) -> None:
    async with serving(transport, max_connections=2) as port, dialled(port) as (reader, writer):
        writer.write(HELLO)
        await asyncio.wait_for(reader.readexactly(9), 30)
        async with connected(port, Way.DELTA_ADS, node="edge-1") as client:
            await client.subscribe(CLUSTER)
            await client.take(CLUSTER)
            async with dialled(port) as (refused, _):
                await closed(refused)
            await client.subscribe(CLUSTER, "b")
            assert (await client.take(CLUSTER)).names == set()  # still answered


async def test_a_connection_without_a_stream_is_closed(transport: Transport) -> None:
    bounds: dict[str, Any] = {"idle": timedelta(seconds=0.2), "keepalive": timedelta(seconds=0.2)}
    async with serving(transport, **bounds) as port, dialled(port) as (reader, writer):
        writer.write(HELLO)
        await closed(reader)
        await served(port)


async def test_a_handshake_without_end_is_ended(transport: Transport, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    tls = Tls.of(certificate=cert, key=key)
    async with serving(transport, tls=tls, handshake=timedelta(seconds=0.2)) as port, dialled(port) as (reader, writer):
        writer.write(b"\x16\x03\x01")  # the first octets of a ClientHello
        await closed(reader)


async def test_a_client_that_says_nothing_at_all_is_sent_away(transport: Transport) -> None:
    bounds: dict[str, Any] = {name: timedelta(seconds=0.2) for name in ("handshake", "keepalive", "keepalive_timeout")}
    async with serving(transport, **bounds) as port, dialled(port) as (reader, _):
        await closed(reader)
        await served(port)
