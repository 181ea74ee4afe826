"""Real Envoys that prove to the control plane who they are: their certificates by files, and what is said of wrong ones."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from controlplane.bootstrap import BootstrapOptions, render
from controlplane.errors import ProxyError
from controlplane.proxy import EnvoyProcess, check_config
from controlplane.xds_probe import probe
from controlplane.xds_tls import XdsTls
from tests.certificates import Authority, certificate, serial_number
from tests.commands import apg_async, environment
from tests.conditions import eventually
from tests.envoys import config_dump, envoy_binary
from tests.meshes import Mesh, config, documents, running_mesh
from tests.ports import reserve_port
from tests.shop import policy
from tests.sidecars import sidecar

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SLOW = timedelta(seconds=40)  # a busy machine; and a refused connection is kept for some seconds


@dataclass
class Guarded:
    """A control plane whose xDS wants certificates. issued: of `authority`, by whom they name."""

    mesh: Mesh
    folder: Path
    server: Path
    authority: Authority

    def issue(self, service: str) -> tuple[Path, Path]:
        return self.authority.issue(service, uri=f"spiffe://cluster.local/ns/default/sa/{service}")

    def tls(self, folder: Path, pair: tuple[Path, Path] | None) -> XdsTls:
        cert, key = pair or (None, None)
        return XdsTls(ca=self.server, server_name="localhost", folder=folder / "xds", certificate=cert, key=key)

    def options(self, tls: XdsTls) -> BootstrapOptions:
        tls.write()
        return BootstrapOptions(
            node_id="payment-1",
            group="sidecar/default/payment",
            xds_host="127.0.0.1",
            xds_port=self.mesh.xds_port,
            load_reports=True,
            metrics_sink=True,
            tls=tls,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority, certificates = Authority(folder), folder / "certificates"
    authority.install(certificates, "default/payment", "payment")
    authority.install_trust(certificates, "default/payment")
    server, key = certificate(folder, "localhost")
    settings = config(
        folder, certificates=certificates, xds_tls_cert=server, xds_tls_key=key, xds_client_ca=authority.certificate
    )
    async with AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(running_mesh(settings))
        inbound, outbound = (stack.enter_context(reserve_port()) for _ in range(2))
        await mesh.add_service("payment")
        mutual = policy(
            "AuthenticationPolicy", "mutualTls: {}", name="payment", target="{kind: Service, name: payment}"
        )
        await mesh.apply(documents(sidecar("payment", inbound, 8080, outbound), mutual))
        yield Guarded(mesh, folder, server, authority)


def _replace(place: Path, source: Path) -> None:
    """As whoever rotates certificates does: at once, by a rename."""
    fresh = place.with_name(f".{place.name}")
    fresh.write_bytes(source.read_bytes())
    fresh.replace(place)


async def test_a_proxy_is_refused_by_its_certificate_and_served_by_the_next_without_a_restart(
    guarded: Guarded, tmp_path: Path
) -> None:
    # The two lie apart, so each has to be followed where it is.
    cert, key = tmp_path / "public" / "tls.crt", tmp_path / "private" / "tls.key"
    for place, source in zip((cert, key), guarded.issue("cart"), strict=True):
        place.parent.mkdir()
        place.write_bytes(source.read_bytes())
    log = tmp_path / "envoy.log"
    options = guarded.options(guarded.tls(tmp_path, (cert, key)))
    async with await EnvoyProcess.start(options, envoy=envoy_binary(), log_path=log) as envoy:
        await eventually(lambda: "want sidecar/default/cart" in log.read_text(), deadline=_SLOW)
        assert "node.cluster: got sidecar/default/payment, want sidecar/default/cart, default/cart" in log.read_text()
        assert not (await guarded.mesh.fleet()).proxies

        for place, source in zip((cert, key), guarded.issue("payment"), strict=True):
            _replace(place, source)
        await envoy.ready(deadline=_SLOW)
        await guarded.mesh.in_sync()
        secrets = (await config_dump(envoy))["SecretsConfigDump"]["dynamic_active_secrets"]
        assert {"certificate/default/payment", "trust/default/payment"} <= {secret["name"] for secret in secrets}


async def test_a_proxy_that_is_served_takes_up_its_next_certificate_and_authority(
    guarded: Guarded, tmp_path: Path
) -> None:
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    for place, source in zip((cert, key), guarded.issue("payment"), strict=True):
        place.write_bytes(source.read_bytes())
    ca = tmp_path / "ca.crt"
    ca.write_bytes(guarded.server.read_bytes())
    options = guarded.options(replace(guarded.tls(tmp_path, (cert, key)), ca=ca))
    async with await EnvoyProcess.start(options, envoy=envoy_binary(), log_path=tmp_path / "envoy.log") as envoy:
        await envoy.ready(deadline=_SLOW)
        first = serial_number(cert)
        assert first in await _serial_numbers(envoy)
        _replace(ca, Authority(tmp_path, "next").certificate)
        await eventually(partial(_trusts, envoy, serial_number(ca)), deadline=_SLOW)
        next_cert, next_key = guarded.issue("payment")
        second = serial_number(next_cert)
        _replace(cert, next_cert)

        async def is_refused_without_its_key() -> bool:
            counted = await envoy.admin_get("/stats?filter=^sds.certificate.key_rotation_failed$")
            return int(counted.rpartition(":")[2]) > 0

        await eventually(is_refused_without_its_key, deadline=_SLOW)
        assert first in await _serial_numbers(envoy)
        _replace(key, next_key)

        async def has_the_second_alone() -> bool:
            held = await _serial_numbers(envoy)
            return second in held and first not in held

        await eventually(has_the_second_alone, deadline=_SLOW)
        await guarded.mesh.in_sync()


async def _trusts(envoy: EnvoyProcess, authority: int) -> bool:
    held = json.loads(await envoy.admin_get("/certs"))["certificates"]
    return authority in {int(one["serial_number"], 16) for entry in held for one in entry.get("ca_cert", ())}


async def _serial_numbers(envoy: EnvoyProcess) -> set[int]:
    """Of the certificates that its TLS contexts show, that to the control plane among them."""
    held = json.loads(await envoy.admin_get("/certs"))["certificates"]
    return {int(chain["serial_number"], 16) for entry in held for chain in entry.get("cert_chain", ())}


@pytest.mark.parametrize("who", ["nobody", "payment"])
async def test_envoy_takes_the_bootstrap_with_and_without_a_certificate(
    guarded: Guarded, tmp_path: Path, who: str
) -> None:
    tls = guarded.tls(tmp_path, guarded.issue(who) if who != "nobody" else None)
    options = guarded.options(tls)
    assert await check_config(envoy_binary(), render(options)) is None
    by_address = replace(options, tls=replace(tls, server_name="127.0.0.1"))
    assert await check_config(envoy_binary(), render(by_address)) is None


async def test_what_would_never_connect_is_said_before_envoy_is_started(guarded: Guarded, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    pair = guarded.issue("payment")
    of_stranger = stranger.issue("payment", uri="spiffe://cluster.local/ns/default/sa/payment")
    cert, key = map(str, pair)
    trusted = ("--xds-ca", str(guarded.server), "--xds-server-name", "localhost")
    shown = ("--xds-certificate", cert, "--xds-key", key)
    for arguments, words in [
        ((), "speaks TLS: want --xds-ca"),
        (trusted, "it wants a certificate ("),
        ((*trusted, "--xds-certificate", str(of_stranger[0]), "--xds-key", str(of_stranger[1])), "it does not take"),
        (("--xds-ca", str(guarded.server), *shown), "want one for 127.0.0.1 (--xds-server-name)"),
        (("--xds-ca", str(stranger.certificate), "--xds-server-name", "localhost", *shown), "by an authority in"),
        ((*trusted, "--xds-certificate", str(of_stranger[0]), "--xds-key", key), "want a PEM certificate and its key"),
        ((*trusted, "--xds-certificate", str(tmp_path / "none"), "--xds-key", key), "want a readable PEM file"),
    ]:
        port = ("--xds", f"127.0.0.1:{guarded.mesh.xds_port}")
        refused = await apg_async("proxy", "--sidecar", "payment", *port, *arguments)
        assert refused.code == 1, (arguments, refused)
        assert words in refused.err, arguments
        assert "Traceback" not in refused.err


async def test_a_control_plane_that_is_right_or_away_is_nothing_to_complain_of(
    guarded: Guarded, tmp_path: Path
) -> None:
    tls = guarded.tls(tmp_path, guarded.issue("payment"))
    await asyncio.to_thread(probe, "127.0.0.1", guarded.mesh.xds_port, tls)
    with reserve_port() as nobody:
        await asyncio.to_thread(probe, "127.0.0.1", nobody, tls)
    async with running_mesh(config(tmp_path)) as plain:
        await asyncio.to_thread(probe, "127.0.0.1", plain.xds_port, None)
        with pytest.raises(ProxyError, match="want a control plane with xds_tls_cert, or no --xds-ca"):
            await asyncio.to_thread(probe, "127.0.0.1", plain.xds_port, tls)


async def test_the_recipe_in_the_docs_ends_with_a_proxy_that_is_served(tmp_path: Path) -> None:
    certificates, commands = (Path(__file__).parents[2] / "docs/configuration.md").read_text().split("```bash\n")[1:3]
    script = "set -e\n" + certificates.split("```")[0]
    await asyncio.to_thread(subprocess.run, ["bash", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    up, started = (shlex.split(line)[1:] for line in commands.split("```")[0].splitlines())
    assert (up[:3], started[0]) == (["up", "--xds-address", "0.0.0.0:18000"], "proxy")
    settings = {flag.removeprefix("--").replace("-", "_"): tmp_path / file for flag, file in _pairs(up[3:])}
    arguments = [str(tmp_path / word) if (tmp_path / word).exists() else word for word in started]
    with reserve_port() as inbound, reserve_port() as outbound:
        async with running_mesh(config(tmp_path, **settings)) as mesh:
            await mesh.add_service("payment")
            await mesh.apply(sidecar("payment", inbound, 8080, outbound))
            arguments[arguments.index("control.example:18000")] = f"localhost:{mesh.xds_port}"  # no name server here
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "controlplane.cli.main", *arguments, "--xds-server-name", "control.example"),
                *("--id", "payment-1", "--bootstrap-file", str(tmp_path / "payment.yaml"), "--", "--concurrency", "1"),
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(APG_ENVOY=str(envoy_binary())),
                cwd=Path(__file__).parents[2],
            )
            try:
                await eventually(partial(_is_served, mesh), deadline=_SLOW)
            finally:
                process.terminate()
                await process.wait()
    assert {file.name for file in (tmp_path / "payment-xds").iterdir()} == {"certificate.json", "trust.json"}


async def _is_served(mesh: Mesh) -> bool:
    return [(proxy.node_id, proxy.in_sync) for proxy in (await mesh.fleet()).proxies] == [("payment-1", True)]


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(words[::2], words[1::2], strict=True)
