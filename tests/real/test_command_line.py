"""The command line, as people use it, from a control plane through a real Envoy of `apg proxy` and back."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import yaml

from controlplane.ports import free_port
from tests.commands import apg, apg_async, apg_up, environment
from tests.conditions import eventually
from tests.envoys import envoy_binary
from tests.meshes import documents, gateway, payment_backends, route

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def addresses(tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    async with apg_up(tmp_path) as made:
        yield made


@pytest.fixture
def admin(addresses: Mapping[str, str]) -> str:
    return addresses["admin"]


async def done(admin: str, *arguments: str, stdin: bytes = b"") -> str:
    result = await apg_async("--admin", admin, *arguments, stdin=stdin)
    assert result.code == 0, result
    return result.out + result.err


@pytest.mark.parametrize("variant", ["delta", "sotw"])
async def test_from_registration_to_a_measured_answer_by_commands_alone(
    addresses: Mapping[str, str], admin: str, variant: str
) -> None:
    port = free_port()
    async with payment_backends() as (one, two), aiohttp.ClientSession() as web:
        await done(admin, "service", "add", "payment")
        for backend in (one, two):
            await done(
                admin,
                "endpoint",
                "add",
                "payment",
                f"127.0.0.1:{backend.port}",
                "--label",
                f"version={backend.version}",
            )
        text = documents(gateway(port), route("payment-v1")).encode()
        plan = await done(admin, "plan", "-f", "-", stdin=text)
        assert "+ HTTPRoute default/payment" in plan
        assert "proxies of default/edge: 4 Envoy resources" in plan
        assert "added Gateway default/edge" in await done(admin, "apply", "-f", "-", stdin=text)

        proxy = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controlplane.cli.main", "proxy", "--gateway", "edge", "--id", "edge-1"),
            *("--xds", addresses["xds"], "--variant", variant, "--envoy", str(envoy_binary())),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
        try:

            async def version() -> str | None:
                try:
                    async with web.get(f"http://127.0.0.1:{port}/") as response:
                        return str((await response.json())["version"]) if response.status == 200 else None
                except aiohttp.ClientConnectionError:
                    return None

            assert await eventually(version) == "v1"
            said = await done(admin, "ask", "--yes", "send all payment traffic to v2")
            assert "understood (embedded, 100% sure)" in said
            assert "payment-v2" in said

            async def moved() -> bool:
                return await version() == "v2"

            await eventually(moved)

            status = await done(admin, "status")
            assert "edge-1" in status
            assert variant in status
            await eventually(lambda: in_sync(admin))
            history = json.loads((await apg_async("--admin", admin, "-o", "json", "history")).out)
            assert history["revisions"][0]["reason"] == "send all payment traffic to v2"
            first = history["revisions"][1]["number"]
            assert "payment-v1" in await done(admin, "rollback", "--to", first, "--dry-run")
            await done(admin, "rollback", "--to", first, "--yes")

            async def back() -> bool:
                return await version() == "v1"

            await eventually(back)
        finally:
            proxy.terminate()
            assert await proxy.wait() == 0


async def in_sync(admin: str) -> bool:
    status = json.loads((await apg_async("--admin", admin, "-o", "json", "status")).out)
    return all(proxy["in_sync"] for proxy in status["proxies"])


async def test_output_for_programs_is_data_and_nothing_else(admin: str) -> None:
    await done(admin, "service", "add", "payment")
    for arguments in (("status",), ("history",), ("get", "all"), ("service", "list"), ("get", "Service", "payment")):
        as_json = await apg_async("--admin", admin, "-o", "json", *arguments)
        assert (as_json.code, as_json.err) == (0, "")
        json.loads(as_json.out)
        as_yaml = await apg_async("--admin", admin, "-o", "yaml", *arguments)
        assert as_yaml.code == 0


async def test_at_a_terminal_a_plan_is_asked_for_and_no_means_no(admin: str) -> None:
    await done(admin, "service", "add", "payment")
    for number in (1, 2):
        await done(admin, "endpoint", "add", "payment", f"127.0.0.1:{number}", "--label", f"version=v{number}")
    await done(admin, "apply", "-f", "-", stdin=documents(gateway(18080), route("payment-v1")).encode())

    def answered(word: bytes) -> int:
        ours, theirs = pty.openpty()
        command = [
            sys.executable,
            "-m",
            "controlplane.cli.main",
            "--admin",
            admin,
            "ask",
            "send all payment traffic to v2",
        ]
        with subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(environment())
        ) as process:
            os.close(theirs)
            os.write(ours, word)
            code = process.wait(60)
        os.close(ours)
        return code

    assert await asyncio.to_thread(answered, b"n\n") == 7
    assert "payment-v1" in await done(admin, "-o", "json", "get", "HTTPRoute", "payment")
    assert await asyncio.to_thread(answered, b"y\n") == 0
    assert "payment-v2" in await done(admin, "-o", "json", "get", "HTTPRoute", "payment")


async def test_what_is_not_there_has_its_own_exit_code(admin: str) -> None:
    for arguments in (
        ("get", "HTTPRoute", "ghost"),
        ("delete", "HTTPRoute", "ghost", "--yes"),
        ("endpoint", "remove", "ghost", "127.0.0.1:1"),
    ):
        result = await apg_async("--admin", admin, *arguments)
        assert result.code == 5, result


async def test_names_are_completed_from_the_control_plane(admin: str) -> None:
    await done(admin, "service", "add", "payment")
    words = f"apg --admin {admin} get Service pay"
    completed = await apg_async(_APG_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="5")
    assert "plain,payment" in completed.out


def test_completion_is_silent_when_nobody_answers() -> None:
    words = f"apg --admin 127.0.0.1:{free_port()} get Service pay"
    completed = apg(_APG_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="5")
    assert (completed.out.strip(), completed.err) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_script_for_each_shell(shell: str) -> None:
    assert "_APG_COMPLETE" in apg("completion", shell).out


def test_help_comes_without_loading_what_is_slow() -> None:
    program = (
        "import sys\nsys.argv = ['apg', '--help']\nfrom controlplane.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('envoy_data_plane', 'grpc', 'sqlalchemy', 'rich') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.splitlines()[-1] == "[]"
    assert "Exit codes" in run.stdout


def test_a_bootstrap_can_be_had_without_starting_anything() -> None:
    printed = apg("proxy", "--gateway", "edge", "--print-bootstrap")
    assert printed.code == 0
    assert "default/edge" in printed.out


def test_a_sidecar_is_of_its_services_group_and_says_where_it_runs() -> None:
    printed = apg("proxy", "--sidecar", "payment", "-n", "shop", "--region", "eu", "--zone", "a", "--print-bootstrap")
    assert printed.code == 0, printed
    node = yaml.safe_load(printed.out)["node"]
    assert (node["cluster"], node["locality"]) == ("sidecar/shop/payment", {"region": "eu", "zone": "a"})
    for arguments in ((), ("--gateway", "edge", "--sidecar", "payment")):
        refused = apg("proxy", *arguments, "--print-bootstrap")
        assert refused.code != 0
        assert "want --gateway NAME or --sidecar SERVICE, one of them" in refused.err


def test_a_bootstrap_with_certificates_comes_with_the_files_that_it_refers_to(tmp_path: Path) -> None:
    asked = ("proxy", "--sidecar", "payment", "--xds", "control.example:18000", "--print-bootstrap")
    folder = tmp_path / "xds"
    printed = apg(*asked, "--xds-ca", "ca.crt", "--xds-secrets", str(folder))
    assert printed.code == 0, printed
    assert str(folder / "trust.json") in printed.out
    assert str(Path("ca.crt").absolute()) in (folder / "trust.json").read_text()
    for arguments, words in [
        (("--xds-ca", "ca.crt"), "want --xds-secrets FOLDER"),
        (("--xds-certificate", "a", "--xds-key", "b"), "want --xds-ca, too"),
        (("--xds-ca", "ca.crt", "--xds-secrets", str(folder), "--xds-key", "b"), "both or neither"),
    ]:
        refused = apg(*asked, *arguments)
        assert refused.code == 2
        assert words in refused.err
