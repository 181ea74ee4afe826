"""The console over HTTP: what it shows, and to whom."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.meshes import config, running_mesh


async def test_the_page_shows_what_the_mesh_holds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with running_mesh(config(tmp_path, console_address="127.0.0.1:0")) as mesh, aiohttp.ClientSession() as web:
        url = f"http://{mesh.control_plane.addresses.console}"
        await mesh.add_service("payment")
        await mesh.add_endpoint("payment", 9001, "v1")
        async with web.get(f"{url}/api/state") as response:
            state = await response.json()
        assert state["services"] == [{"name": "default/payment", "endpoints": 1, "versions": ["v1"]}]
        assert [revision["number"] for revision in state["revisions"]] == [2, 1]
        for path in ("/", "/console.js", "/console.css"):
            async with web.get(url + path) as response:
                assert response.status == 200
                assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert "https://" not in await response.text()


async def test_a_page_that_had_its_name_point_here_is_not_answered(tmp_path: Path) -> None:
    async with running_mesh(config(tmp_path, console_address="127.0.0.1:0")) as mesh, aiohttp.ClientSession() as web:
        url = f"http://{mesh.control_plane.addresses.console}/api/state"
        async with web.get(url, headers={"Host": "evil.example:80"}) as response:
            assert response.status == 403


async def test_without_an_address_there_is_no_console(tmp_path: Path) -> None:
    async with running_mesh(config(tmp_path)) as mesh:
        assert mesh.control_plane.addresses.console is None
