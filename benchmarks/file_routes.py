"""A peer without a control plane: an Envoy that watches a file of routes, which is replaced as a whole."""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from controlplane.ports import free_port
from controlplane.proxy import EnvoyProcess


class FileRoutes:
    """An Envoy with everything static but its routes."""

    def __init__(self, path: Path, port: int, session: aiohttp.ClientSession) -> None:
        self._path = path
        self._port = port
        self._session = session
        self._others: list[dict[str, object]] = []

    @classmethod
    async def start(cls, parts: AsyncExitStack, folder: Path, *, others: int = 0) -> FileRoutes:
        """others: how many routes for other hosts stand beside the one that changes."""
        watched = folder / "watched"
        watched.mkdir()
        made = cls(watched / "routes.json", free_port(), await parts.enter_async_context(aiohttp.ClientSession()))
        made._others = [
            {"name": f"host-{host}", "domains": [f"host-{host}.example.com"], "routes": [_other(n) for n in numbers]}
            for host in range(-(-others // 10))
            for numbers in [range(host * 10, min(others, host * 10 + 10))]
        ]
        made._write(-1)
        envoy = await EnvoyProcess.start_with(
            json.dumps(made._bootstrap(watched)), node_id="bench-file", log_path=folder / "file.log"
        )
        await parts.enter_async_context(envoy)
        await envoy.ready()
        await made._answer(-1)
        return made

    async def change(self, number: int) -> float:
        start = time.perf_counter()
        self._write(number)
        await self._answer(number)
        return time.perf_counter() - start

    def _write(self, number: int) -> None:
        route = {"match": {"prefix": "/"}, "redirect": {"path_redirect": f"/version/{number % 10_000}"}}
        resource = {
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            "name": "bench",
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}, *self._others],
        }
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"version_info": str(number), "resources": [resource]}))
        fresh.rename(self._path)  # Envoy watches for files that are moved into place

    async def _answer(self, number: int) -> None:
        from benchmarks.propagation import first_answer

        await first_answer(self._session, self._port, f"/version/{number % 10_000}")

    def _bootstrap(self, watched: Path) -> dict[str, object]:
        source = {
            "path_config_source": {"path": str(self._path), "watched_directory": {"path": str(watched)}},
            "resource_api_version": "V3",
        }
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
            ".HttpConnectionManager",
            "stat_prefix": "bench",
            "rds": {"route_config_name": "bench", "config_source": source},
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                }
            ],
        }
        listener = {
            "name": "bench",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": self._port}},
            "filter_chains": [
                {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
            ],
        }
        return {
            "node": {"id": "bench-file", "cluster": "bench"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "static_resources": {"listeners": [listener]},
        }


def _other(number: int) -> dict[str, object]:
    return {"match": {"path_separated_prefix": f"/{number}"}, "redirect": {"path_redirect": "/other/0"}}
