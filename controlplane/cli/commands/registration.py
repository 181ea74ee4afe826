"""`apg service` and `apg endpoint`: what exists, registered from the shell."""

from __future__ import annotations

from collections.abc import Iterable

import click

from controlplane.cli.client import DEADLINE, attribution
from controlplane.cli.exits import Exit, leave
from controlplane.cli.main import Settings
from controlplane.cli.output import Output
from protos.apg.admin.v1 import admin_pb2 as pb

_PROTOCOLS = {"http": pb.PROTOCOL_HTTP, "http2": pb.PROTOCOL_HTTP2}

namespace_option = click.option("-n", "--namespace", default="default", show_default=True)
label_option = click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="May be repeated.")


@click.group()
def service() -> None:
    """Add, remove or list services."""


@service.command("add")
@click.argument("name")
@namespace_option
@click.option("--port", type=int, default=80, show_default=True, help="The port that callers name.")
@click.option("--protocol", type=click.Choice(sorted(_PROTOCOLS)), default="http", show_default=True)
@label_option
@click.pass_obj
def add_service(
    settings: Settings, name: str, namespace: str, port: int, protocol: str, labels: tuple[str, ...]
) -> None:
    """Add a service, or change it."""
    item = pb.Service(namespace=namespace, name=name, port=port, protocol=_PROTOCOLS[protocol], labels=_labels(labels))
    with settings.connection().api() as api:
        request = pb.RegisterServiceRequest(service=item, attribution=attribution())
        _report(settings, api.RegisterService(request, timeout=DEADLINE))


@service.command("remove")
@click.argument("name")
@namespace_option
@click.pass_obj
def remove_service(settings: Settings, name: str, namespace: str) -> None:
    """Remove a service and its endpoints. Refused while documents refer to it."""
    with settings.connection().api() as api:
        request = pb.DeregisterServiceRequest(namespace=namespace, name=name, attribution=attribution())
        _report(settings, api.DeregisterService(request, timeout=DEADLINE))


@service.command("list")
@click.pass_obj
def list_services(settings: Settings) -> None:
    """List services with their endpoints."""
    with settings.connection().api() as api:
        response = api.List(pb.ListRequest(kind="Service"), timeout=DEADLINE)
    printer = settings.printer()
    if printer.for_people:
        show_services(printer, response.services)
    else:
        printer.message(response)


@click.group()
def endpoint() -> None:
    """Add or remove endpoints."""


@endpoint.command("add")
@click.argument("service_name", metavar="SERVICE")
@click.argument("address", metavar="IP:PORT")
@namespace_option
@label_option
@click.option("--weight", type=int, default=1, show_default=True, help="Relative to its siblings, 1 to 128.")
@click.pass_obj
def add_endpoint(
    settings: Settings, service_name: str, address: str, namespace: str, labels: tuple[str, ...], weight: int
) -> None:
    """Add an endpoint: `apg endpoint add payment 127.0.0.1:9001 --label version=v1`."""
    host, port = _address(address)
    item = pb.Endpoint(
        namespace=namespace, service=service_name, address=host, port=port, labels=_labels(labels), weight=weight
    )
    with settings.connection().api() as api:
        request = pb.RegisterEndpointRequest(endpoint=item, attribution=attribution())
        _report(settings, api.RegisterEndpoint(request, timeout=DEADLINE))


@endpoint.command("remove")
@click.argument("service_name", metavar="SERVICE")
@click.argument("address", metavar="IP:PORT")
@namespace_option
@click.pass_obj
def remove_endpoint(settings: Settings, service_name: str, address: str, namespace: str) -> None:
    """Remove an endpoint."""
    host, port = _address(address)
    with settings.connection().api() as api:
        request = pb.DeregisterEndpointRequest(
            namespace=namespace, service=service_name, address=host, port=port, attribution=attribution()
        )
        _report(settings, api.DeregisterEndpoint(request, timeout=DEADLINE))


def show_services(printer: Output, services: Iterable[pb.ServiceWithEndpoints]) -> None:
    """Services and endpoints as a table."""
    rows = []
    for item in services:
        head = (item.service.namespace, item.service.name, str(item.service.port))
        if not item.endpoints:
            rows.append((*head, "none", ""))
        for at in item.endpoints:
            host = f"[{at.address}]" if ":" in at.address else at.address
            rows.append((*head, f"{host}:{at.port}", " ".join(f"{k}={v}" for k, v in sorted(at.labels.items()))))
    printer.table(("namespace", "service", "port", "endpoint", "labels"), rows, empty="no service")


def _report(settings: Settings, response: pb.ChangeResponse) -> None:
    printer = settings.printer()
    if printer.for_people:
        printer.note(f"revision {response.revision}" if response.changed else "it was so already")
    else:
        printer.message(response)


def _labels(pairs: Iterable[str]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            leave(Exit.USAGE, f"--label: got {pair!r}, want KEY=VALUE")
        labels[key] = value
    return labels


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        leave(Exit.USAGE, f"got {text!r}, want IP:PORT, such as 127.0.0.1:9001 or [::1]:9001")
    return host.strip("[]"), int(port)
