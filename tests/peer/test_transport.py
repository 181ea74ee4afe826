"""Our gRPC server against grpcio's client: what a client may do, and what the server says to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from hpack import Encoder

from benchmarks.fanout.http2 import Connection
from tests.certificates import certificate
from tests.conditions import eventually
from tests.raw_connection import HELLO, dialled
from xds.flow import Flow
from xds.http2_context import Context
from xds.http2_frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GRPC_HEAD,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    NUMBER,
    PREFACE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)
from xds.listening import Tls
from xds.transport import GrpcServer


async def _echo(request: bytes, context: Context) -> bytes:
    return request


async def _echo_all(requests: AsyncIterator[bytes], context: Context) -> None:
    async for request in requests:
        await context.write(request)


async def _count(request: bytes, context: Context) -> AsyncIterator[bytes]:
    for number in range(int(request)):
        yield str(number).encode()


async def _refuse(request: bytes, context: Context) -> bytes:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{context.peer()}: nö")


async def _deny(request: bytes, context: Context) -> bytes:
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")


async def _fail(request: bytes, context: Context) -> bytes:
    raise ZeroDivisionError


async def _never(request: bytes, context: Context) -> bytes:
    await asyncio.Event().wait()
    return b""


class _Flood:
    """Responses without end, and how many of them were accepted for sending."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def __call__(self, requests: AsyncIterator[bytes], context: Context) -> None:
        try:
            while True:
                await context.write(bytes(100_000))
                self.sent += 1
        finally:
            self.ended.set()


@asynccontextmanager
async def serving(
    *, tls: ssl.SSLContext | None = None, flood: Any = None, **options: Any
) -> AsyncIterator[tuple[GrpcServer, int]]:
    server = GrpcServer(max_message=1 << 20, flow=Flow(**options))
    methods: dict[str, Any] = {
        "Echo": grpc.unary_unary_rpc_method_handler(_echo),
        "EchoAll": grpc.stream_stream_rpc_method_handler(_echo_all),
        "Count": grpc.unary_stream_rpc_method_handler(_count),
        "Refuse": grpc.unary_unary_rpc_method_handler(_refuse),
        "Deny": grpc.unary_unary_rpc_method_handler(_deny),
        "Fail": grpc.unary_unary_rpc_method_handler(_fail),
        "Never": grpc.unary_unary_rpc_method_handler(_never),
        "Flood": grpc.stream_stream_rpc_method_handler(flood or _Flood()),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", methods),))
    port = await server.start("127.0.0.1:0", tls=tls)
    try:
        yield server, port
    finally:
        await server.stop(0)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving() as (_, port):
        yield port


@asynccontextmanager
async def connected(port: int, **options: Any) -> AsyncIterator[Any]:
    """A channel whose messages are bytes."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", **options) as channel:
        yield channel


@asynccontextmanager
async def calling(port: int, **options: Any) -> AsyncIterator[Callable[[str], Callable[..., Any]]]:
    """The unary methods of a channel, by name."""
    async with connected(port, **options) as channel:
        yield lambda name: channel.unary_unary(f"/test.Service/{name}")


async def _status(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 30)
    return caught.value.code(), caught.value.details() or ""


async def test_each_kind_of_call(port: int) -> None:
    async with connected(port) as channel:
        assert await channel.unary_unary("/test.Service/Echo")(b"x" * 700_000) == b"x" * 700_000
        assert [m async for m in channel.unary_stream("/test.Service/Count")(b"3")] == [b"0", b"1", b"2"]
        both = channel.stream_stream("/test.Service/EchoAll")()
        for text in (b"one", b"two"):
            await both.write(text)
            assert await both.read() == text
        await both.done_writing()
        assert await both.read() is grpc.aio.EOF
        assert await both.code() is grpc.StatusCode.OK


async def test_every_refusal_has_a_status_and_words(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async with calling(port) as method:
        code, words = await _status(method("Refuse")(b""))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert words.startswith("ipv4:127.0.0.1:")
        assert words.endswith(": nö")
        code, words = await _status(method("Missing")(b""))
        assert (code, words) == (grpc.StatusCode.UNIMPLEMENTED, "/test.Service/Missing is not served here")
        assert (await _status(method("Never")(b"", timeout=0.2)))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
        code, words = await _status(method("Echo")(bytes(2 << 20)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "want at most 1048576" in words
        code, words = await _status(method("Fail")(b""))
        assert code is grpc.StatusCode.UNKNOWN
        assert "ZeroDivisionError" not in words
        assert "ZeroDivisionError" in caplog.text
        assert await method("Echo")(b"still here") == b"still here"


async def test_compression_is_refused_in_words(port: int) -> None:
    async with calling(port, compression=grpc.Compression.Gzip) as method:
        code, words = await _status(method("Echo")(b"x" * 1_000))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "compress" in words


async def test_a_client_that_does_not_read_stops_its_own_call_alone() -> None:
    flood = _Flood()
    async with serving(flood=flood) as (_, port), connected(port) as channel:
        call = channel.stream_stream("/test.Service/Flood")()
        await eventually(lambda: flood.sent > 0)
        before = -1

        async def stands_still() -> bool:
            nonlocal before
            last, before = before, flood.sent
            return last == before

        await eventually(stands_still)
        async with calling(port) as method:
            assert await method("Echo")(b"meanwhile") == b"meanwhile"
        assert flood.sent < 200  # 20 MB: what the sockets and the client's windows hold
        call.cancel()
        await asyncio.wait_for(flood.ended.wait(), 30)


async def test_who_is_denied_comes_again_by_a_new_connection_and_what_goes_on_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as (server, port), connected(port) as channel:
        assert (await _status(channel.unary_unary("/test.Service/Deny")(b"")))[0] is grpc.StatusCode.PERMISSION_DENIED
        [first] = server.connections  # young, so it stays: tries cost no handshake each
        both = channel.stream_stream("/test.Service/EchoAll")()
        await both.write(b"one")
        assert await both.read() == b"one"
        assert set(server.connections) == {first}

        monkeypatch.setattr("xds.transport._DENIED_FOR", 0.0)
        code, words = await _status(channel.unary_unary("/test.Service/Deny")(b""))
        assert (code, words) == (grpc.StatusCode.PERMISSION_DENIED, "not you")
        assert (
            await channel.unary_unary(
                "/test.Service/Echo",
            )(b"two", wait_for_ready=True)
            == b"two"
        )
        assert len(set(server.connections) - {first}) == 1
        await both.write(b"three")
        assert await both.read() == b"three"
        await both.done_writing()
        assert await both.read() is grpc.aio.EOF
        await eventually(lambda: first not in server.connections)


async def test_a_lost_connection_ends_its_calls() -> None:
    flood = _Flood()
    async with serving(flood=flood) as (server, port):
        async with connected(port) as channel:
            channel.stream_stream("/test.Service/Flood")()
            await eventually(lambda: flood.sent > 0)
        await asyncio.wait_for(flood.ended.wait(), 30)
        await eventually(lambda: not server.connections)


async def test_stopping_lets_calls_end_and_then_ends_them() -> None:
    async with serving() as (server, port), connected(port) as channel:
        both = channel.stream_stream("/test.Service/EchoAll")()
        await both.write(b"open")
        await both.read()
        stopping = asyncio.create_task(server.stop(30))
        await both.write(b"still")
        assert await both.read() == b"still"
        await both.done_writing()
        await asyncio.wait_for(stopping, 30)
        assert await both.code() is grpc.StatusCode.OK

    async with serving() as (server, port), calling(port) as method:
        call = asyncio.create_task(_status(method("Never")(b"")))
        await eventually(lambda: any(connection.calls for connection in server.connections))
        await server.stop(0)
        assert await call == (grpc.StatusCode.UNAVAILABLE, "the server is stopping")


async def test_a_connection_without_a_sign_of_life_is_closed() -> None:
    async with serving(keepalive=timedelta(seconds=0.1), keepalive_timeout=timedelta(seconds=0.1)) as (server, port):
        _, mute = await asyncio.open_connection("127.0.0.1", port)
        mute.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        await eventually(lambda: server.connections)
        async with calling(port) as method:
            await method("Echo")(b"")
            await eventually(lambda: len(server.connections) == 1)
            assert await method("Echo")(b"alive") == b"alive"
        mute.close()


async def test_a_browser_is_told_that_this_is_http2(port: int) -> None:
    async with dialled(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: mesh\r\n\r\n")
        assert b"want the preface of HTTP/2" in await asyncio.wait_for(reader.read(), 30)


async def _who(request: bytes, context: Context) -> bytes:
    return b" ".join(context.auth_context().get("x509_common_name", ()))


async def test_with_tls_only_a_client_with_a_certificate_is_heard(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    client_cert, client_key = certificate(tmp_path, "edge-1")
    tls = Tls.of(certificate=cert, key=key, client_ca=client_cert).context
    server = GrpcServer(max_message=1 << 20, flow=Flow())
    methods: dict[str, Any] = {"Who": grpc.unary_unary_rpc_method_handler(_who)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", methods),))
    port = await server.start("127.0.0.1:0", tls=tls)
    own = (client_key.read_bytes(), client_cert.read_bytes())
    for pair, expected in ((own, b"edge-1"), ((None, None), None)):
        trusted = grpc.ssl_channel_credentials(cert.read_bytes(), pair[0], pair[1])
        async with grpc.aio.secure_channel(f"localhost:{port}", trusted) as channel:
            call: Any = cast("Any", channel).unary_unary("/test.Service/Who")(b"")
            if expected is None:
                assert (await _status(call))[0] is grpc.StatusCode.UNAVAILABLE
            else:
                assert await asyncio.wait_for(call, 30) == expected
    await server.stop(0)


async def test_a_client_that_takes_a_large_response_in_slowly_is_alive() -> None:
    """It answers no PING meanwhile: that comes behind the response."""
    brief = timedelta(seconds=0.1)
    async with serving(keepalive=brief, keepalive_timeout=brief) as (server, port):
        line = socket.create_connection(("127.0.0.1", port))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # so that it lies at the server, as on a slow line
        reader, writer = await asyncio.open_connection(sock=line, limit=1 << 12)
        client = Connection("/test.Service/EchoAll", window=1 << 30)
        client.send(bytes(1_000_000))
        client.send(bytes(1_000_000))
        got = 0
        while got < 2:
            writer.write(bytes(client.out))
            client.out.clear()
            octets = await asyncio.wait_for(reader.read(1 << 14), 30)
            assert octets, "the server took it for dead"
            got += len(client.receive(octets))
            await asyncio.sleep(0.005)  # two megabytes take longer than two signs of life may
        assert len(server.connections) == 1
        writer.close()
        await writer.wait_closed()


# --- clients that mean no good, in bytes ---


def _opening(stream: int, method: str, *headers: tuple[str, str], encoder: Encoder) -> bytes:
    fields = [(":method", "POST"), (":scheme", "http"), (":path", f"/test.Service/{method}"), *headers]
    return frame(HEADERS, END_HEADERS, stream, encoder.encode(fields))


@pytest.mark.parametrize(
    "end",
    [lambda stream: frame(RST_STREAM, 0, stream, bytes(4)), lambda stream: frame(DATA, 0, stream, b"\x01" + bytes(4))],
    ids=["reset", "at fault"],
)
async def test_calls_that_end_before_they_begin_are_forgotten(end: Callable[[int], bytes]) -> None:
    async with serving() as (server, port), dialled(port) as (_, writer):
        encoder = Encoder()
        calls = [_opening(n, "EchoAll", encoder=encoder) + end(n) for n in range(1, 601, 2)]
        lasting = _opening(601, "EchoAll", encoder=encoder)
        writer.write(HELLO + b"".join(calls) + lasting)  # read at once, by and large
        await eventually(lambda: [list(connection.calls) for connection in server.connections] == [[601]])


@pytest.mark.parametrize("text", ["9" * 5_000 + "S", "9" * 400 + "n", "٣S", "S", "-1S", "1.5S", ""])
async def test_a_deadline_that_is_none_is_none(text: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (_, port), dialled(port) as (reader, writer):
        call = _opening(1, "Echo", ("grpc-timeout", text), encoder=Encoder())
        writer.write(HELLO + call)
        writer.write(frame(DATA, END_STREAM, 1, GRPC_HEAD.pack(0, 6) + b"answer"))
        await asyncio.wait_for(reader.readuntil(b"answer"), 30)
    assert not [record for record in caplog.records if record.name.startswith("xds")]


async def test_a_call_that_is_not_read_does_not_pile_up_while_another_is() -> None:
    """Each time the socket has room again, a call whose own window is full would have been let go on."""
    flood = _Flood()
    async with serving(flood=flood) as (server, port), dialled(port) as (reader, writer):
        encoder = Encoder()
        # Windows of a call: 100 octets. Of the connection: as large as can be.
        settings = frame(SETTINGS, 0, 0, SETTING.pack(INITIAL_WINDOW_SIZE, 100))
        writer.write(PREFACE + settings + frame(WINDOW_UPDATE, 0, 0, NUMBER.pack(2**31 - 1 - 65_535)))
        writer.write(_opening(1, "Flood", encoder=encoder) + _opening(3, "EchoAll", encoder=encoder))
        writer.write(frame(WINDOW_UPDATE, 0, 3, NUMBER.pack(2**31 - 1 - 100)))
        await eventually(lambda: server.connections)
        [connection] = server.connections
        await eventually(lambda: connection.http2.is_blocked(1))
        message = GRPC_HEAD.pack(0, 500_000) + bytes(500_000)
        pauses = 0
        for _ in range(3):
            for _ in range(20):  # 10 MB: more than the socket holds
                for start in range(0, len(message), 16_000):
                    writer.write(frame(DATA, 0, 3, message[start : start + 16_000]))
            await eventually(lambda: connection.paused)
            pauses += 1
            received = 0
            while received < 20 * len(message):
                received += len(await asyncio.wait_for(reader.read(1 << 20), 30))
            await eventually(lambda: not connection.paused)
        assert pauses == 3
        assert flood.sent == 0  # its first response has not gone out yet


async def test_a_client_that_reads_slowly_is_alive() -> None:
    """It cannot answer: nothing is read from it while so much waits for it."""
    flood = _Flood()
    async with (
        serving(flood=flood, keepalive=timedelta(seconds=0.1), keepalive_timeout=timedelta(seconds=0.5)) as (
            server,
            port,
        ),
        dialled(port) as (reader, writer),
    ):
        settings = frame(SETTINGS, 0, 0, SETTING.pack(INITIAL_WINDOW_SIZE, 2**31 - 1))
        writer.write(PREFACE + settings + frame(WINDOW_UPDATE, 0, 0, NUMBER.pack(2**31 - 1 - 65_535)))
        writer.write(_opening(1, "Flood", encoder=Encoder()))
        await eventually(lambda: server.connections)
        [connection] = server.connections
        await eventually(lambda: connection.paused)
        deadline = asyncio.get_running_loop().time() + 1.5  # twice what a dead one is given
        while asyncio.get_running_loop().time() < deadline:
            assert await asyncio.wait_for(reader.read(1 << 14), 30)
        assert connection in server.connections
        await eventually(lambda: connection not in server.connections)  # now it reads no more


async def test_a_client_that_breaks_http2_and_does_not_read_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xds.transport._FAREWELL", 0.2)
    flood = _Flood()
    async with serving(flood=flood) as (server, port), dialled(port) as (_, writer):
        settings = frame(SETTINGS, 0, 0, SETTING.pack(INITIAL_WINDOW_SIZE, 2**31 - 1))
        writer.write(PREFACE + settings + frame(WINDOW_UPDATE, 0, 0, NUMBER.pack(2**31 - 1 - 65_535)))
        writer.write(_opening(1, "Flood", encoder=Encoder()))
        await eventually(lambda: any(connection.paused for connection in server.connections))
        [connection] = server.connections
        connection.retire()
        connection.close()
        await asyncio.wait_for(flood.ended.wait(), 30)
        await eventually(lambda: not server.connections)
