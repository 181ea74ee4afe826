"""`apg explain`."""

from __future__ import annotations

import click
from rich.markup import escape

from controlplane.cli.client import DEADLINE
from controlplane.cli.exits import Exit, leave
from controlplane.cli.main import Settings
from controlplane.cli.output import Output
from protos.apg.admin.v1 import admin_pb2 as pb

_SIGNS = {
    pb.EFFECT_PASSES: "[green]✓[/]",
    pb.EFFECT_CHANGES: "[yellow]~[/]",
    pb.EFFECT_ANSWERS: "[cyan]←[/]",
    pb.EFFECT_REFUSES: "[red]✗[/]",
    pb.EFFECT_MAY_REFUSE: "[yellow]?[/]",
}


@click.command()
@click.argument("method")
@click.argument("url")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="As often as needed.")
@click.option("--gateway", default="", metavar="[NAMESPACE/]NAME", help="The one that listens on the URL's port.")
@click.pass_obj
def explain(settings: Settings, method: str, url: str, headers: tuple[str, ...], gateway: str) -> None:
    """Show what a request would meet, in order, and who would refuse it.

    Nothing is sent: it is told from the documents. For example: apg explain GET http://shop/pay -H 'x-beta: 1'
    """
    request = pb.ExplainRequest(method=method.upper(), url=url, headers=map(_header, headers), gateway=gateway)
    with settings.connection().api() as api:
        response = api.Explain(request, timeout=DEADLINE)
    printer = settings.printer()
    if printer.for_people:
        _show(printer, response)
    else:
        printer.message(response)


def _header(text: str) -> pb.HttpHeader:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        leave(Exit.USAGE, f"--header: got {text!r}, want 'NAME: VALUE'")
    return pb.HttpHeader(name=name.strip(), value=value.strip())


def _show(printer: Output, response: pb.ExplainResponse) -> None:
    say = printer.console.print
    for step in response.steps:
        source = f" [dim]{escape(step.document)}{escape(': ' + step.path if step.path else '')}[/]" * bool(
            step.document
        )
        say(f"{_SIGNS.get(step.effect, ' ')} [bold]{escape(step.stage)}[/]: {escape(step.words)}{source}")
    for words in response.passed_over:
        say(f"  [dim]passed over: {escape(words)}[/]")
    match response.WhichOneof("outcome"):
        case "forwarded":
            for share in response.forwarded.backends:
                endpoints = f"{share.endpoints} endpoint{'s' * (share.endpoints != 1)}"
                say(f"→ [bold]{escape(share.backend)}[/] {share.share:.0%} ({endpoints})")
            say(f"  as {escape(response.forwarded.host)}{escape(response.forwarded.path)}")
        case "answered":
            answered = response.answered
            target = f" to {escape(answered.location)}" if answered.location else ""
            say(f"→ answered by the proxy: [bold]{answered.status}[/]{target}: {escape(answered.reason)}")
        case _:
            say(f"→ not served: {escape(response.not_served)}")
