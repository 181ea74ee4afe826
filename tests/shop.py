"""One control plane, one gateway Envoy and a programmable backend, shared by a module's tests.

Starting them takes about a second, a change of documents some ten milliseconds, so each test applies what it is about,
sends its requests, and leaves; the next one starts from the documents that all had at first.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web

from controlplane.proxy import EnvoyProcess
from protos.apg.admin.v1 import admin_pb2 as pb
from tests.envoys import running_envoy
from tests.meshes import DEADLINE, Mesh, config, documents, gateway, route, running_mesh
from tests.ports import reserve_port

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Upstream:
    """A backend that does what a test tells it: `answer`, and remembers what it was asked."""

    name: str
    port: int = 0
    requests: list[web.Request] = field(default_factory=list)
    answer: Handler | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.answer is not None:
            return await self.answer(request)
        return web.json_response({"service": self.name, "path": request.path_qs, "headers": dict(request.headers)})

    def statuses(self, *statuses: int) -> None:
        """Answers with these, one after the other, and with the last one from then on."""
        left = list(statuses)

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=left.pop(0) if len(left) > 1 else left[0])

        self.answer = answer


@contextlib.asynccontextmanager
async def running_upstream(name: str, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """A backend on loopback."""
    upstream = Upstream(name)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", upstream.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        upstream.port = runner.addresses[0][1]
        yield upstream
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Shop:
    """The Gateway "edge" (one HTTP listener, "http", on `port`), the route "payment" (one rule, "pay") for all of its
    requests, and the service "payment", which is `payment`."""

    mesh: Mesh
    envoy: EnvoyProcess
    port: int
    payment: Upstream
    session: aiohttp.ClientSession
    log: Path

    async def apply(self, *texts: str) -> None:
        """Applies documents and returns once Envoy has them."""
        await self.mesh.apply(documents(*texts))
        await self.mesh.in_sync()

    async def request(self, path: str = "/", *, method: str = "GET", **options: Any) -> Answer:
        """A request to the gateway; options as aiohttp has them. Redirects are not followed."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers, await response.text(errors="replace"))

    async def stats(self, prefix: str) -> Mapping[str, int]:
        """Envoy's counters and gauges whose names begin with `prefix`."""
        text = await self.envoy.admin_get(f"/stats?filter=^{prefix}")
        lines = (line.rpartition(": ") for line in text.splitlines())
        return {name: int(value) for name, _, value in lines if value.isdigit()}

    async def reset(self) -> None:
        """Back to the documents of the beginning, and to a backend that was asked nothing yet."""
        self.payment.requests.clear()
        self.payment.answer = None
        await self.mesh.apply(base_route())  # which may refer to what goes
        listed = await self.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
        keep = {("Gateway", "edge"), ("HTTPRoute", "payment")}
        extra = [
            pb.DocumentKey(kind=document.kind, namespace=document.namespace, name=document.name)
            for document in listed.documents
            if (document.kind, document.name) not in keep
        ]
        if extra:
            await self.mesh.api.Delete(pb.DeleteRequest(documents=extra), timeout=DEADLINE)
        await self.apply(base(self.port))


def base(port: int) -> str:
    """The documents that a Shop starts with."""
    return documents(gateway(port), base_route())


def base_route() -> str:
    return route("payment").replace("- matches:", "- name: pay\n      matches:")


def policy(kind: str, spec: str, *, name: str = "test", target: str = "{kind: HTTPRoute, name: payment}") -> str:
    """An attached policy; `spec` is its fields beside targetRefs, in flow style and without the braces."""
    return f"""
apiVersion: apg.mesh/v1
kind: {kind}
metadata: {{name: {name}}}
spec: {{targetRefs: [{target}], {spec}}}
"""


def _session(timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    """A connection for each request: an open one would stay with the listener that a test has just replaced. (Its
    chain is drained for 30 seconds; `--drain-time-s` in `controlplane.proxy`.)"""
    connector = aiohttp.TCPConnector(force_close=True)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())


@contextlib.asynccontextmanager
async def running_shop(folder: Path, *, zone: str = "", **settings: Any) -> AsyncIterator[Shop]:
    """A Shop; its state and Envoy's log lie in `folder`. zone: the gateway's; settings: the control plane's."""
    with reserve_port() as port:
        async with running_mesh(config(folder, **settings)) as mesh, running_upstream("payment") as payment:
            await mesh.add_service("payment")
            await mesh.add_endpoint("payment", payment.port, "v1")
            await mesh.apply(base(port))
            timeout = aiohttp.ClientTimeout(total=DEADLINE)
            async with (
                running_envoy(mesh.xds_port, "default/edge", log_path=folder / "envoy.log", zone=zone) as envoy,
                _session(timeout) as session,
            ):
                await mesh.in_sync()
                yield Shop(mesh, envoy, port, payment, session, folder / "envoy.log")
