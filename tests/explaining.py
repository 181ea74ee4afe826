"""A gateway Envoy in front of backends that say who they are and what they saw, to compare explanations with."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from policy.explain.explain import explain
from policy.explain.explanation import Answered, Effect, Explanation, Forwarded
from policy.explain.request import request as request_of
from protos.apg.admin.v1 import admin_pb2 as pb
from tests.certificates import Authority
from tests.conditions import eventually
from tests.envoys import running_envoy
from tests.meshes import DEADLINE, Mesh, config, running_mesh
from tests.ports import reserve_port

SERVICES = tuple(f"s{number}" for number in range(4))
OVER_TLS = "sealed"
"""A service that ends TLS by itself."""
SERVER_NAMES = ("shop.test", "pay.test", "sealed.test", "nobody.test")

# How each filter's refusals read. What a proxy answers to HEAD has no text, and some have none at all.
_REFUSALS = {
    "RBAC: access denied": "AuthorizationPolicy",
    "Jwt": "AuthenticationPolicy",
    "Audiences in Jwt": "AuthenticationPolicy",
    "Client authentication failed": "AuthenticationPolicy",
    "User authentication failed": "AuthenticationPolicy",
    "refused\n": "ThreatPolicy",
    "Payload Too Large": "ThreatPolicy",
    "fault filter abort": "FaultPolicy",
}


class Asked(NamedTuple):
    """A request as a client sends it. port: "http", "https" or "tcp". server_name: what TLS asks for."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None
    port: str = "http"
    server_name: str = "shop.test"


@dataclass
class Stage:
    """ports: by "http", "https" and "tcp"."""

    mesh: Mesh
    ports: Mapping[str, int]
    session: aiohttp.ClientSession
    configurations: int = 0
    compared: int = 0

    @property
    def port(self) -> int:
        return self.ports["http"]

    async def configure(self, documents: Sequence[Any]) -> None:
        """Leaves `documents` and no other routes and policies, and returns once Envoy goes by them."""
        keys = {(document["kind"], document["metadata"]["name"]) for document in documents}
        known = await self.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
        gone = [
            pb.DocumentKey(kind=item.kind, name=item.name)
            for item in known.documents
            if (item.kind, item.name) not in keys and item.kind != "Gateway" and not item.name.startswith("zz-")
        ]
        if gone:
            await self.mesh.api.Delete(pb.DeleteRequest(documents=gone), timeout=DEADLINE)
        self.configurations += 1
        version = str(self.configurations)
        await self.mesh.apply(yaml.safe_dump_all([*documents, marker(version)]))
        await self.mesh.in_sync()

        async def routed() -> bool:
            return (await self.ask(Asked("GET", "marker.test", "/", {})))["x-version"] == version

        await eventually(routed)

    async def ask(self, asked: Asked) -> dict[str, str]:
        """The answer's status ("closed": there is none), headers by name in lower case, and body."""
        scheme = "https" if asked.port == "https" else "http"
        url = URL(f"{scheme}://127.0.0.1:{self.ports[asked.port]}{asked.target}", encoded=True)
        sent = {**asked.headers, "Host": asked.host}
        tls: Any = {"ssl": _anybody(), "server_hostname": asked.server_name} if scheme == "https" else {}
        try:
            async with self.session.request(
                asked.method, url, headers=sent, allow_redirects=False, data=asked.body, **tls
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                text = (await response.read()).decode(errors="replace")
                return {"x-version": "", **headers, "status": str(response.status), "body": text}
        except aiohttp.ClientError:
            return {"x-version": "", "status": "closed", "body": ""}

    async def compare(self, asked: Sequence[Asked]) -> list[str]:
        """Where Envoy does not do with a request what its explanation says."""
        mesh, operations = self.mesh.control_plane.operations.mesh, self.mesh.control_plane.operations
        told = []
        for item in asked:
            scheme = "https" if item.port == "https" else "http"
            name = item.server_name if item.port == "https" else item.host.partition(":")[0]
            read = request_of(
                item.method,
                f"{scheme}://{name}:{self.ports[item.port]}{item.target}",
                [*item.headers.items(), *_written_by_the_client(item), ("Host", item.host)],
                body=item.body if item.body is not None else b"",
                address="127.0.0.1",
            )
            explained = explain(mesh, read, now=datetime.now(UTC), identities=operations.identities)
            answer = await self.ask(item)
            if (wanted := expected(explained)) != (seen := got(explained, answer, item)):
                told.append(f"{item}: explained {wanted}, Envoy {seen}: {answer}\n{explained.steps}")
            # As it stands in the document, though Envoy's "%" begins a command.
            assert answer.get("x-percent", "100%") == "100%"
            self.compared += 1
        return told


def _written_by_the_client(asked: Asked) -> list[tuple[str, str]]:
    return [("Content-Length", str(len(asked.body or b"")))] if asked.method == "POST" else []


def _anybody() -> ssl.SSLContext:
    """Which certificate is shown, others test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def marker(version: str) -> Any:
    return http_route(
        "zz-marker",
        ["marker.test"],
        [{"name": "marker", "filters": [response_header("x-version", version)], "backendRefs": [{"name": "s0"}]}],
    )


def http_route(name: str, hostnames: Sequence[str], rules: Sequence[Any]) -> Any:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "edge"}], "hostnames": list(hostnames), "rules": list(rules)},
    }


def response_header(name: str, value: str) -> Any:
    modifier = {"set": [{"name": name, "value": value}]}
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}


@contextlib.asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        port = request.transport.get_extra_info("sockname")[1]
        seen = {"x-backend": names[port], "x-seen-host": request.headers["Host"], "x-seen-path": request.raw_path}
        return web.Response(headers=seen)

    authority, certificates, names = Authority(folder), folder / "certificates", dict[int, str]()
    for name in ("shop", "pay"):
        authority.install(certificates, f"default/{name}", f"{name}.test")
    sealed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sealed.load_cert_chain(*authority.issue("sealed.test"))
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    # Nobody's library writes headers into these requests, and no connection outlives the configuration it met.
    bare = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )
    try:
        with reserve_port() as http, reserve_port() as https, reserve_port() as tcp:
            ports = {"http": http, "https": https, "tcp": tcp}
            settings = config(folder, certificates=certificates)
            async with running_mesh(settings) as mesh, bare as session:
                for number, name in enumerate((*SERVICES, OVER_TLS)):
                    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=sealed if name == OVER_TLS else None).start()
                    names[runner.addresses[number][1]] = f"default/{name}"
                    await mesh.add_service(name)
                    await mesh.add_endpoint(name, runner.addresses[number][1], "v1")
                staged = Stage(mesh, ports, session)
                await mesh.apply(yaml.safe_dump_all([gateway(ports, []), marker("0")]))
                async with running_envoy(mesh.xds_port, "default/edge", log_path=folder / "envoy.log"):
                    yield staged
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)


def gateway(ports: Mapping[str, int], hostnames: Sequence[str], *, everything: bool = False) -> Any:
    """The Gateway: a listener for any host, and more for `hostnames`, on one port; `everything`: HTTPS for two names,
    TLS that is passed on for a third, and a port of plain connections, too."""
    listeners: list[dict[str, Any]] = [{"name": "any", "protocol": "HTTP", "port": ports["http"]}]
    listeners += [
        {"name": f"host-{number}", "protocol": "HTTP", "port": ports["http"], "hostname": hostname}
        for number, hostname in enumerate(hostnames)
    ]
    if everything:
        listeners += [
            {
                "name": name,
                "protocol": "HTTPS",
                "port": ports["https"],
                "hostname": f"{name}.test",
                "tls": {"certificateRefs": [{"name": name}]},
            }
            for name in ("shop", "pay")
        ]
        sealed = {"name": "sealed", "protocol": "TLS", "port": ports["https"], "hostname": "sealed.test"}
        listeners.append({**sealed, "tls": {"mode": "Passthrough"}})
        listeners.append({"name": "tcp", "protocol": "TCP", "port": ports["tcp"]})
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge"},
        "spec": {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}], "listeners": listeners},
    }


def expected(explained: Explanation) -> dict[str, object]:
    matched = explained.matched
    rule = f"{matched.document.rpartition('/')[2]}/{matched.rule}" if matched is not None else None
    last = explained.steps[-1] if explained.steps else None
    match explained.outcome:
        case Forwarded(backends, host, path):
            names = {share.backend for share in backends}
            return {"status": "200", "rule": rule, "backends": names, "host": host, "path": path}
        case Answered(status, _, _, grpc) if (
            last is not None and last.effect is Effect.REFUSES and last.stage != "backends"
        ):
            return {"status": str(status), "by": last.stage, **({"grpc": str(grpc)} if grpc is not None else {})}
        case Answered(status) if last is not None and last.stage == "CORS":
            return {"status": str(status), "by": "CORS"}
        case Answered(status, _, location, grpc):
            told = {"status": str(status), "rule": rule, "location": location}
            return {**told, **({"grpc": str(grpc)} if grpc is not None else {})}
        case _:
            return {"status": "closed"}


def got(explained: Explanation, answer: Mapping[str, str], asked: Asked) -> dict[str, object]:
    """What came, in the terms of `expected`."""
    wanted = expected(explained)
    status = {"status": answer["status"]}
    if wanted == status:
        return dict(status)
    if answer.get("grpc-status"):
        status["grpc"] = answer["grpc-status"]
    if "by" in wanted:
        words = answer["body"] or unquote(answer.get("grpc-message", ""))
        if asked.method == "HEAD" or wanted["by"] == "CORS":
            by = wanted["by"] if "x-backend" not in answer else "a backend"
        else:
            by = next((kind for text, kind in _REFUSALS.items() if words.startswith(text)), words)
        return {**status, "by": by}
    seen: dict[str, object] = {**status, "rule": answer.get("x-rule")}
    if isinstance(explained.outcome, Answered):
        return seen | {"location": answer.get("location", "")}
    backends = (
        {share.backend for share in explained.outcome.backends} if isinstance(explained.outcome, Forwarded) else set()
    )
    backend = answer.get("x-backend")
    served = backends if backend in backends else {backend}
    seen |= {"backends": served, "host": answer.get("x-seen-host"), "path": answer.get("x-seen-path")}
    if explained.matched is None:  # a connection that is carried as it is: no rule, and the host as it was sent
        seen |= {"rule": None, "host": wanted["host"]}
    return seen
