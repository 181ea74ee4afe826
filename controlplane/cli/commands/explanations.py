"""`apg explain`, `apg why` and `apg analyze`."""

from __future__ import annotations

from pathlib import Path

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
@click.option("-d", "--data", metavar="TEXT", help="The body; @FILE: what the file holds.")
@click.option("--from", "source", default="", metavar="ADDRESS", help="Where the connection comes from.")
@click.option("--country", default="", metavar="CODE", help="That address's, such as DE.")
@click.option("--gateway", default="", metavar="[NAMESPACE/]NAME", help="The one that listens on the URL's port.")
@click.option("--sidecar", default="", metavar="[NAMESPACE/]NAME", help="A call that goes out through this one.")
@click.option("--service", default="", metavar="[NAMESPACE/]NAME", help="A call that comes in at this one's sidecars.")
@click.option("--principal", default="", metavar="SPIFFE-ID", help="In the certificate that the caller shows there.")
@click.pass_obj
def explain(
    settings: Settings,
    method: str,
    url: str,
    headers: tuple[str, ...],
    data: str | None,
    source: str,
    country: str,
    gateway: str,
    sidecar: str,
    service: str,
    principal: str,
) -> None:
    """Show what a request would meet, in order, and who would refuse it.

    Nothing is sent: it is told from the documents. For example: apg explain GET http://shop/pay -H 'x-beta: 1'
    """
    request = pb.ExplainRequest(
        method=method.upper(),
        url=url,
        headers=map(_header, headers),
        gateway=gateway,
        sidecar=sidecar,
        service=service,
        body=_body(data) if data is not None else None,
        source=source,
        country=country,
        principal=principal,
    )
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


def _body(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode(errors="surrogateescape")
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        leave(Exit.USAGE, f"--data: {text[1:]}: {error.strerror}")


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
            target += f" (gRPC status {answered.grpc_status})" if answered.HasField("grpc_status") else ""
            say(f"→ answered by the proxy: [bold]{answered.status}[/]{target}: {escape(answered.reason)}")
        case _:
            say(f"→ not served: {escape(response.not_served)}")


@click.command()
@click.argument("proxy")
@click.argument("resource")
@click.option(
    "--type", "type_", default="", metavar="CDS|EDS|LDS|RDS|…", help="Of several resources with the name, one."
)
@click.option("--part", default="", metavar="TEXT", help="Only parts whose place or document holds the text.")
@click.pass_obj
def why(settings: Settings, proxy: str, resource: str, type_: str, part: str) -> None:
    """Show the documents, and the steps of the compiler, that each part of an Envoy resource comes from.

    PROXY is a node's id, as `apg status` shows it, or a group: NAMESPACE/GATEWAY.
    """
    request = pb.WhyRequest(proxy=proxy, resource=resource, type=type_, part=part)
    with settings.connection().api() as api:
        response = api.Why(request, timeout=DEADLINE)
    printer = settings.printer()
    if not printer.for_people:
        printer.message(response)
        return
    for item in response.resources:
        state = f" ({escape(item.state)})" if item.state else ""
        kind = item.type_url.rpartition(".")[2]
        printer.console.print(f"[bold]{kind} {escape(item.name)}[/] version {item.version[:8]}{state}")
        rows = [
            (
                escape(found.place or "all of it"),
                escape(found.document + (f": {found.path}" if found.path else "")),
                f"[dim]{escape(found.step)}[/]",
            )
            for found in item.parts
        ]
        printer.table(("part", "comes from", "by"), rows, empty="  no part of it has that")
        if item.parts_left_out:
            printer.note(f"  and {item.parts_left_out} more: --part shows those that you look for")


_RANKS = {"error": pb.SEVERITY_ERROR, "warning": pb.SEVERITY_WARNING, "info": pb.SEVERITY_INFO}
_LOOKS = {
    pb.SEVERITY_ERROR: "[red]error[/]",
    pb.SEVERITY_WARNING: "[yellow]warning[/]",
    pb.SEVERITY_INFO: "[dim]info[/]",
}


@click.command()
@click.option("-n", "--namespace", default="", help="One namespace only.")
@click.option(
    "--fail-on", type=click.Choice(list(_RANKS)), help="Exit with 3 if something as grave is found: for pipelines."
)
@click.pass_obj
def analyze(settings: Settings, namespace: str, fail_on: str | None) -> None:
    """Look for what is wrong, or worth a look, in the whole mesh, and say what to do about it."""
    with settings.connection().api() as api:
        response = api.Analyze(pb.AnalyzeRequest(namespace=namespace), timeout=DEADLINE)
    printer = settings.printer()
    if printer.for_people:
        for finding in response.findings:
            where = escape(finding.document + (f": {finding.path}" if finding.path else ""))
            printer.console.print(f"{_LOOKS[finding.severity]} [bold]{where}[/] ({finding.check})")
            printer.console.print(f"  {escape(finding.words)}")
            printer.console.print(f"  [dim]{escape(finding.advice)}[/]")
        printer.note(f"{len(response.findings)} findings" if response.findings else "nothing worth a look")
    else:
        printer.message(response)
    if fail_on is not None and any(finding.severity >= _RANKS[fail_on] for finding in response.findings):
        raise SystemExit(Exit.REFUSED)
