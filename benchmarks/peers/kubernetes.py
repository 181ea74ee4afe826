"""A Kubernetes API server with its etcd, and nothing else of Kubernetes: documents are real, no pod ever runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.peers import builds
from benchmarks.peers.processes import running
from benchmarks.processes import Program
from controlplane.ports import free_port

_TOKEN = "benchmark"  # of a server on loopback that lives for minutes
_START = 60.0  # seconds
_AT_ONCE = 32  # requests
_MERGE = "application/merge-patch+json"


class ApiServer:
    """programs: the API server and its etcd. kubeconfig: the file by which a program reaches it."""

    def __init__(self, session: aiohttp.ClientSession, programs: Mapping[str, Program], *, kubeconfig: Path) -> None:
        """Use `ApiServer.running`."""
        self._session = session
        self.programs = programs
        self.kubeconfig = kubeconfig

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[ApiServer]:
        """One with nothing in it.

        Raises:
            MissingError: a part is not there and cannot be built.
            RuntimeError: it did not come up.
        """
        etcd, binary = builds.etcd(), await builds.KUBE_APISERVER.get()
        client, peer, port = free_port(), free_port(), free_port()
        store = [f"--data-dir={folder / 'etcd'}", *_urls("client", client), *_urls("peer", peer)]
        store += [f"--initial-cluster=default=http://127.0.0.1:{peer}"]
        url = f"https://127.0.0.1:{port}"
        server = _options(folder, etcd=client, port=port)
        async with (
            running("etcd", [etcd, *store], folder=folder) as first,
            running("kube-apiserver", [binary, *server], folder=folder) as second,
            aiohttp.ClientSession(
                url,
                headers={"Authorization": f"Bearer {_TOKEN}"},
                connector=aiohttp.TCPConnector(ssl=_context(), limit=_AT_ONCE),
            ) as session,
        ):
            made = cls(session, {"kube-apiserver": second, "etcd": first}, kubeconfig=_kubeconfig(folder, url))
            await made._ready()
            yield made

    async def create(self, documents: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Creates what is given with the collection that it belongs to, many at once.

        Raises:
            RuntimeError: one was refused.
        """
        waiting = iter(documents)

        async def some() -> None:
            for collection, body in waiting:
                await self._sent("POST", collection, body, "application/json")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(some())

    async def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Changes what is at `path`, as `kubectl` would: the fields of `body` alone.

        Raises:
            RuntimeError: it was refused.
        """
        await self._sent("PATCH", path, body, _MERGE)

    async def has(self, path: str) -> bool:
        async with self._session.get(path) as response:
            return response.status == 200

    async def _sent(self, method: str, path: str, body: Mapping[str, Any], kind: str) -> None:
        headers = {"Content-Type": kind}
        async with self._session.request(method, path, data=json.dumps(body), headers=headers) as response:
            if response.status >= 300:
                raise RuntimeError(f"the API server refused {method} {path}: {(await response.text())[:500]}")

    async def _ready(self) -> None:
        async with asyncio.timeout(_START):
            while True:
                for program in self.programs.values():
                    program.check()
                with contextlib.suppress(aiohttp.ClientError):
                    if await self.has("/readyz"):
                        return
                await asyncio.sleep(0.1)


def _urls(kind: str, port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}"
    advertise = "advertise-client-urls" if kind == "client" else "initial-advertise-peer-urls"
    return [f"--listen-{kind}-urls={url}", f"--{advertise}={url}"]


def _options(folder: Path, *, etcd: int, port: int) -> list[str]:
    key, tokens = folder / "service-accounts.key", folder / "tokens.csv"
    made = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(key)]
    subprocess.run(made, check=True, capture_output=True)
    tokens.write_text(f'{_TOKEN},benchmark,benchmark,"system:masters"\n', encoding="utf-8")
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder / 'certificates'}",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://local",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
    ]


def _context() -> ssl.SSLContext:
    """The server makes its own certificate when it starts; it is on this machine."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _kubeconfig(folder: Path, url: str) -> Path:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "here", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
