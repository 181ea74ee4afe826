"""The rest of BackendPolicy through a real Envoy: who else is ejected, how connections end and stay, and what TLS negotiates."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.certificates import Authority
from tests.conditions import eventually
from tests.meshes import route
from tests.ports import reserve_port
from tests.shop import Answer, Handler, Shop, Upstream, policy, running_shop, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("backend-details")]

SERVICE = "{kind: Service, name: payment}"
_TCP = Path("/proc/net/tcp")
_KEEPALIVE_TIMER = "02"  # proc(5), /proc/net/tcp: "tr"
_TICKS = 100  # a second, there


@dataclass
class Pair:
    """The shop with two endpoints of payment, "a" and "b", in turn, and what is known of their connections."""

    shop: Shop
    other: Upstream
    authority: Authority
    peers: list[int] = field(default_factory=list)

    async def apply(self, spec: str) -> None:
        await self.shop.apply(
            policy("BackendPolicy", f"loadBalancing: {{algorithm: RoundRobin}}, {spec}", target=SERVICE)
        )

    async def served_by(self, requests: int) -> Counter[str]:
        return Counter([_name(await self.shop.request()) for _ in range(requests)])

    def answering(self, name: str, status: int = 200) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            assert request.transport is not None
            self.peers.append(request.transport.get_extra_info("peername")[1])
            return web.Response(status=status, headers={"x-name": name})

        return answer

    async def ejections(self, kind: str) -> int:
        stat = f"cluster.default/payment.outlier_detection.ejections_enforced_{kind}"
        return (await self.shop.stats(stat))[stat]


def _name(answer: Answer) -> str:
    return answer.headers.get("x-name", str(answer.status))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder = tmp_path_factory.mktemp("shop")
    authority, certificates = Authority(folder), folder / "certificates"
    authority.install_trust(certificates, "default/right")
    async with running_shop(folder, certificates=certificates) as shop, running_upstream("payment") as other:
        await shop.mesh.add_endpoint("payment", other.port, "v1")
        yield Pair(shop, other, authority)


@pytest_asyncio.fixture(loop_scope="module")
async def pair(running: Pair) -> Pair:
    await running.shop.reset()
    running.peers.clear()
    running.shop.payment.answer, running.other.answer = running.answering("a"), running.answering("b")
    return running


async def _b_is_left_out(pair: Pair) -> bool:
    return await pair.served_by(10) == {"a": 10}


async def test_gateway_errors_are_told_from_other_errors(pair: Pair) -> None:
    await pair.apply("outlierDetection: {consecutiveGatewayErrors: 2}")
    before = await pair.ejections("consecutive_gateway_failure")
    pair.other.answer = pair.answering("b", status=500)
    assert await pair.served_by(20) == {"a": 10, "b": 10}
    pair.other.answer = pair.answering("b", status=503)
    await eventually(lambda: _b_is_left_out(pair))
    assert await pair.ejections("consecutive_gateway_failure") == before + 1


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("failureShare: {percent: 50, minimumEndpoints: 2, minimumRequests: 5}", "failure_percentage"),
        ("successRate: {deviations: 0.5, minimumEndpoints: 2, minimumRequests: 5}", "success_rate"),
    ],
)
async def test_who_fails_more_than_others_is_left_out(pair: Pair, rule: str, kind: str) -> None:
    """Every second answer of b fails, so there is never a row of them."""
    turns = [500, 200]

    async def answer(_: web.Request) -> web.Response:
        turns.reverse()
        return web.Response(status=turns[0], headers={"x-name": "b"})

    pair.other.answer = answer
    await pair.apply(f"outlierDetection: {{{rule}, interval: 200ms}}")
    before = await pair.ejections(kind)
    await eventually(lambda: _b_is_left_out(pair))
    assert await pair.ejections(kind) > before


async def test_who_cannot_be_reached_is_left_out_as_who_fails(pair: Pair) -> None:
    with reserve_port() as nobody:
        await pair.shop.mesh.add_endpoint("payment", nobody, "v1")
        try:
            await pair.apply("outlierDetection: {consecutiveErrors: 2}")
            before = await pair.ejections("consecutive_5xx")
            counted: Counter[str] = Counter()

            async def left_out() -> bool:
                found = await pair.served_by(12)
                counted.update(found)
                return "503" not in found

            await eventually(left_out)
            assert counted["503"] == 2
            assert await pair.ejections("consecutive_5xx") == before + 1
        finally:
            await pair.shop.mesh.remove_endpoint("payment", nobody)
    await pair.shop.mesh.in_sync()


async def test_a_connection_takes_so_many_requests_and_no_more(pair: Pair) -> None:
    await pair.apply("connection: {maxRequests: 2}")
    await pair.served_by(12)
    assert set(Counter(pair.peers).values()) == {2}


async def test_a_connection_is_used_for_so_long_and_no_longer(pair: Pair) -> None:
    await pair.apply("connection: {maxDuration: 100ms}")
    await pair.served_by(2)
    first = set(pair.peers)
    stat = "cluster.default/payment.upstream_cx_max_duration_reached"

    async def is_over() -> bool:
        return (await pair.shop.stats(stat))[stat] >= len(first)

    await eventually(is_over)
    pair.peers.clear()
    await pair.served_by(2)
    assert not first.intersection(pair.peers)


@pytest.mark.skipif(not _TCP.exists(), reason="Linux's own list of connections is looked at")
async def test_silent_connections_are_kept_alive_as_often_as_asked(pair: Pair) -> None:
    await pair.apply("connection: {tcpKeepalive: {time: 7s, interval: 2s, probes: 2}}")
    await pair.served_by(2)
    for port in pair.peers:
        seconds = await eventually(partial(_until_probe, port))
        assert seconds <= 7


def _until_probe(port: int) -> float | None:
    """The seconds until the kernel probes the connection that begins at loopback's `port`; None: it will not."""
    for line in _TCP.read_text().splitlines()[1:]:
        fields = line.split()
        timer, _, when = fields[5].partition(":")
        if int(fields[1].partition(":")[2], 16) == port and timer == _KEEPALIVE_TIMER:
            return int(when, 16) / _TICKS
    return None


@pytest.mark.parametrize(
    ("offered", "spoken"), [(("h2", "http/1.1"), b"PRI *"), (("http/1.1",), b"GET /"), ((), b"GET /")]
)
async def test_auto_speaks_what_tls_negotiates(pair: Pair, offered: tuple[str, ...], spoken: bytes) -> None:
    """The client speaks HTTP/1 throughout."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(5))
        writer.close()

    name = f"tls-{len(offered)}"
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*pair.authority.issue("localhost"))
    if offered:
        server.set_alpn_protocols(list(offered))
    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=server) as listening:
        await pair.shop.mesh.add_service(name)
        await pair.shop.mesh.add_endpoint(name, listening.sockets[0].getsockname()[1], "v1")
        await pair.shop.apply(
            route(name, name="any", path="/any"),
            policy("BackendPolicy", "protocol: Auto", target=f"{{kind: Service, name: {name}}}"),
            f"""
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: {name}}}
spec:
  targetRefs: [{{group: "", kind: Service, name: {name}}}]
  validation: {{hostname: localhost, caCertificateRefs: [{{group: "", kind: ConfigMap, name: right}}]}}
""",
        )
        assert (await pair.shop.request("/any")).status in (502, 503)  # for nothing is ever answered
    assert heard[0] == spoken
