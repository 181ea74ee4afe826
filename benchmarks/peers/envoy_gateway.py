"""Envoy Gateway, stand-alone: its file provider, told by YAML files of Gateway API in a folder that it watches.

Its ports cannot be chosen: xDS, with mutual TLS, is on 18000 of all addresses, and 8081, 18002, 19000 and 19001 are
taken, too. It looks for an Envoy of its own on the network, to start it; where it finds none it says so and goes on.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from benchmarks.peers import builds, gateway_api
from benchmarks.peers.builds import MissingError
from benchmarks.peers.content import GATEWAY, hosts
from benchmarks.peers.processes import running
from benchmarks.peers.side import Certificates, Node, Side, Xds
from benchmarks.processes import Program
from controlplane.ports import free_port

_XDS = 18_000
_METRICS = 19_001
_PORTS = (_XDS, 8_081, 18_002, 19_000, _METRICS)
_SNAPSHOT = 'xds_snapshot_create_total{status="success"}'
_START = 30.0  # seconds


class EnvoyGateway(Side):
    name = f"Envoy Gateway {builds.ENVOY_GATEWAY_VERSION}"

    def __init__(self, program: Program, folder: Path, certificates: Certificates, *, backend: int, port: int) -> None:
        """Use `EnvoyGateway.running`."""
        self._folder = folder
        self._backend = backend
        self.programs = {"envoy-gateway": program}
        self.port = port
        self.xds = Xds(_XDS, _node, certificates)

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path, *, backend: int) -> AsyncIterator[EnvoyGateway]:
        """With one route. `backend`: the port of all endpoints.

        Raises:
            MissingError: it is not built, or one of its ports is taken.
        """
        binary = await builds.ENVOY_GATEWAY.get()
        _check_ports()
        documents, home = folder / "documents", folder / "home"
        documents.mkdir()
        await _make_certificates(binary, home)
        config = folder / "envoy-gateway.yaml"
        config.write_text(json.dumps(_config(documents, home)), encoding="utf-8")
        port = free_port()
        _write(documents, "gateway", gateway_api.text(gateway_api.their_gateway(port)))
        _write(documents, "changing", gateway_api.text([gateway_api.changing(0)]))
        command: list[str | Path] = [binary, "server", "--config-path", config]
        async with running("envoy-gateway", command, folder=folder) as program:
            await _serves(program)
            yield cls(program, documents, _certificates(home / "certs"), backend=backend, port=port)

    async def grow(self, first: int, routes: int) -> None:
        """All that is added is in one file: each event in the folder makes it read all files anew."""
        added = hosts(first, routes)
        documents = [gateway_api.their_service(host, self._backend) for host in added]
        documents += [gateway_api.their_routes(host) for host in added]
        _write(self._folder, f"hosts-{first}", gateway_api.text(documents))

    async def change(self, version: int) -> None:
        _write(self._folder, "changing", gateway_api.text([gateway_api.changing(version)]))


def _write(folder: Path, name: str, text: str) -> None:
    """Puts a file in place whole: one event, and never half a document. It ignores files that begin with a dot."""
    fresh = folder / f".{name}.yaml"
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(folder / f"{name}.yaml")


async def _make_certificates(binary: Path, home: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(binary), "certgen", "--local", "--config-home", str(home)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"envoy-gateway certgen failed: {output.decode(errors='replace').strip()}")


def _check_ports() -> None:
    for port in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError as error:
                raise MissingError(f"{EnvoyGateway.name} needs port {port}, which is taken: {error.strerror}") from None


async def _serves(program: Program) -> None:
    """Returns when it has a configuration to serve. A proxy that asks earlier, for clusters where there will be none,
    is never answered: go-control-plane answers a waiting stream only when something has changed."""
    async with asyncio.timeout(_START), aiohttp.ClientSession() as session:
        while True:
            program.check()
            try:
                async with session.get(f"http://127.0.0.1:{_METRICS}/metrics") as response:
                    if _SNAPSHOT in await response.text():
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def _config(documents: Path, home: Path) -> object:
    homes = ("configHome", "dataHome", "stateHome", "runtimeDir")
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        "provider": {
            "type": "Custom",
            "custom": {
                "resource": {"type": "File", "file": {"paths": [str(documents)]}},
                "infrastructure": {"type": "Host", "host": {name: str(home) for name in homes}},
            },
        },
        "logging": {"level": {"default": "info"}},
        "extensionApis": {"enableBackend": True},
    }


def _certificates(folder: Path) -> Certificates:
    client, server = folder / "envoy", folder / "envoy-gateway"
    return Certificates(
        authority=client / "ca.crt",
        client=client / "tls.crt",
        client_key=client / "tls.key",
        server=server / "tls.crt",
        server_key=server / "tls.key",
    )


def _node(number: int) -> Node:
    return {"id": f"bench-{number}", "cluster": f"envoy-gateway-system/{GATEWAY}"}
