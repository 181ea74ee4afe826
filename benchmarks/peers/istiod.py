"""istiod, against a real Kubernetes API server and its etcd: told by documents that are written to that server.

Its Envoy here is the same plain one that all sides have, so what only Istio's own build of Envoy understands is
switched off: the filters `istio.stats`, `istio.metadata_exchange` and `istio.alpn`, and mutual TLS between workloads,
which has no workloads here. All of that is less work for istiod.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from benchmarks.peers import builds, istio
from benchmarks.peers.content import Host, hosts
from benchmarks.peers.kubernetes import ApiServer
from benchmarks.peers.processes import running
from benchmarks.peers.side import Node, Side, Xds
from benchmarks.processes import Program
from controlplane.ports import free_port

_SYSTEM = "istio-system"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_START = 90.0  # seconds
_VARIABLES = {
    "INJECT_ENABLED": "false",  # there are no pods
    "VALIDATION_ENABLED": "false",  # a webhook, for which the API server would need a name for this machine
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
}
_MESH: Mapping[str, Any] = {
    "enableAutoMtls": False,
    "defaultProviders": {},
    "accessLogFile": "",
    "defaultConfig": {"proxyMetadata": {}},
}


class Istiod(Side):
    def __init__(self, server: ApiServer, program: Program, *, name: str, xds: int, backend: int, port: int) -> None:
        """Use `Istiod.running`."""
        self.name = name
        self._server = server
        self._backend = backend
        self.programs = {"istiod": program, **server.programs}
        self.port = port
        self.xds = Xds(xds, _node)

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path, *, backend: int, debounce_ms: int | None = None) -> AsyncIterator[Istiod]:
        """With one route. `backend`: the port of all endpoints. debounce_ms: how long istiod waits for more changes
        after one; None for its own default, 100.

        Raises:
            MissingError: a part is not there and cannot be built.
        """
        binary, crds = await builds.ISTIOD.get(), await builds.ISTIO_CRDS.get()
        async with ApiServer.running(folder) as server:
            await _prepare(server, crds)
            port = free_port()
            documents = [istio.gateway(port), istio.changing(0)]
            await server.create([(document.collection, document.body) for document in documents])
            xds, http = free_port(), free_port()
            mesh = folder / "mesh.yaml"
            mesh.write_text(json.dumps(_MESH), encoding="utf-8")
            command: list[str | Path] = [binary, "discovery", "--kubeconfig", server.kubeconfig, "--meshConfig", mesh]
            command += ["--grpcAddr", f"127.0.0.1:{xds}", "--httpAddr", f"127.0.0.1:{http}"]
            command += ["--monitoringAddr", f"127.0.0.1:{free_port()}", "--httpsAddr", "", "--secureGRPCAddr", ""]
            command += ["--ctrlz_port", str(free_port())]
            debounce = {} if debounce_ms is None else {"PILOT_DEBOUNCE_AFTER": f"{debounce_ms}ms"}
            variables = {**_VARIABLES, **debounce}
            async with running("istiod", command, folder=folder, variables=variables) as program:
                await _ready(program, http)
                name = "istiod" + ("" if debounce_ms is None else f", debounce {debounce_ms} ms")
                yield cls(server, program, name=name, xds=xds, backend=backend, port=port)

    async def grow(self, first: int, routes: int) -> None:
        added = hosts(first, routes)
        documents = [istio.service(host, self._backend) for host in added] + [istio.routes(host) for host in added]
        await self._server.create([(document.collection, document.body) for document in documents])

    async def change(self, version: int) -> None:
        document = istio.changing(version)
        await self._server.patch(f"{document.collection}/{document.name}", {"spec": istio.changed(version)})


async def _prepare(server: ApiServer, crds: Path) -> None:
    """Istio's kinds and its namespace."""
    await server.create([("/api/v1/namespaces", {"metadata": {"name": _SYSTEM}})])
    await server.create([(_CRDS, kind) for kind in _kinds(crds)])
    async with asyncio.timeout(_START):
        for document in (istio.gateway(1), istio.changing(0), istio.service(Host(0), 1)):
            while not await server.has(document.collection):
                await asyncio.sleep(0.1)


def _kinds(crds: Path) -> list[Mapping[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [kind for kind in yaml.load_all(crds.read_text(encoding="utf-8"), Loader=loader) if kind]


async def _ready(program: Program, port: int) -> None:
    async with asyncio.timeout(_START), aiohttp.ClientSession() as session:
        while True:
            program.check()
            try:
                async with session.get(f"http://127.0.0.1:{port}/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def _node(number: int) -> Node:
    """A gateway's: each a pod of its own, by its name."""
    address = f"10.1.{number >> 8}.{number & 255}"
    metadata = {
        "CLUSTER_ID": "Kubernetes",
        "INSTANCE_IPS": address,
        "ISTIO_VERSION": "1.30.0",
        "LABELS": istio.LABELS,
        "NAMESPACE": istio.NAMESPACE,
    }
    name = f"router~{address}~bench-{number}.{istio.NAMESPACE}~{istio.NAMESPACE}.svc.cluster.local"
    return {"id": name, "cluster": f"bench.{istio.NAMESPACE}", "metadata": metadata}
