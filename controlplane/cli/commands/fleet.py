"""`apg status` and `apg watch`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from rich.markup import escape

from controlplane.cli.client import DEADLINE
from controlplane.cli.main import Settings
from protos.apg.admin.v1 import admin_pb2 as pb

_SHORT = {"Cluster": "CDS", "ClusterLoadAssignment": "EDS", "Listener": "LDS", "RouteConfiguration": "RDS"}


@click.command()
@click.pass_obj
def status(settings: Settings) -> None:
    """Show each proxy: since when it is connected, what it has ACKed, and what it refused, in Envoy's own words."""
    with settings.connection().api() as api:
        response = api.GetFleetStatus(pb.GetFleetStatusRequest(), timeout=DEADLINE)
    printer = settings.printer()
    if not printer.for_people:
        printer.message(response)
        return
    rows = [
        (
            escape(proxy.node_id),
            escape(proxy.group),
            _state(proxy),
            _ago(proxy.connected_since.ToDatetime(tzinfo=UTC)),
            proxy.variant,
            ", ".join(f"{_short(item.type_url)} {item.acked_version[:8] or '…'}" for item in proxy.types),
        )
        for proxy in response.proxies
    ]
    printer.table(("proxy", "group", "state", "connected", "xDS", "ACKed"), rows, empty="no proxy is connected")
    for line in _refusals(response):
        printer.console.print(line)
    printer.note(f"mesh at revision {response.revision}, published {response.published_revision}")


@click.command()
@click.pass_obj
def watch(settings: Settings) -> None:
    """Show what happens, as it happens: revisions, publications, proxies, refusals. Ends with Ctrl-C."""
    printer = settings.printer()
    with settings.connection().api() as api:
        for event in api.Watch(pb.WatchRequest()):
            if printer.for_people:
                at = event.at.ToDatetime(tzinfo=UTC).astimezone()
                printer.console.print(f"[dim]{at:%H:%M:%S}[/] {escape(_words(event))}")
            else:
                printer.message(event)
            sys.stdout.flush()


def _state(proxy: pb.Proxy) -> str:
    if not proxy.known_group:
        return "[yellow]no such Gateway[/]"
    refused = [_short(item.type_url) for item in proxy.types if item.nack_version]
    if refused:
        return f"[red]refuses {', '.join(refused)}[/]"
    if proxy.in_sync:
        return "[green]in sync[/]"
    unanswered = int(max((item.unanswered_seconds for item in proxy.types), default=0))
    return f"[yellow]behind[/], silent for {unanswered} s" if unanswered else "[yellow]behind[/]"


def _refusals(response: pb.GetFleetStatusResponse) -> Iterator[str]:
    for proxy in response.proxies:
        for item in proxy.types:
            if item.nack_version:
                made_from = f" (from {', '.join(item.nack_documents)})" if item.nack_documents else ""
                blamed = ", ".join(item.nack_resources)
                yield (
                    f"[red]✗[/] {escape(proxy.node_id)} refuses {_short(item.type_url)} {item.nack_version[:8]}: "
                    f"{escape(blamed)}{escape(made_from)}: {escape(item.nack_reason)}"
                )


def _short(type_url: str) -> str:
    name = type_url.rpartition(".")[2]
    return _SHORT.get(name, name)


def _ago(since: datetime) -> str:
    seconds = int((datetime.now(UTC) - since).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"


def _words(event: pb.Event) -> str:
    match event.WhichOneof("what"):
        case "revision":
            what = event.revision
            why = f": {what.reason}" if what.reason else ""
            return f"revision {what.number} by {what.author}{why} ({'; '.join(what.changes)})"
        case "published":
            groups = ", ".join(event.published.groups) or "nothing changed for any proxy"
            return f"published revision {event.published.revision}: {groups}"
        case "connected":
            return f"connected {event.connected.node_id} ({event.connected.group})"
        case "disconnected":
            return f"disconnected {event.disconnected.node_id} ({event.disconnected.group})"
        case "refused":
            what_refused = event.refused
            return (
                f"refused by {what_refused.node_id}: {_short(what_refused.type_url)} "
                f"{', '.join(what_refused.resources)} (from {', '.join(what_refused.documents)}): {what_refused.reason}"
            )
        case "lost":
            return f"{event.lost.count} events were lost: this watcher was too slow"
        case _:
            return "something that this version of apg does not know"
