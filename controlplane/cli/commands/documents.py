"""`apg apply`, `plan`, `get` and `delete`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from controlplane.cli import complete
from controlplane.cli.client import DEADLINE, attribution
from controlplane.cli.confirm import confirmed
from controlplane.cli.exits import Exit, leave
from controlplane.cli.main import Settings
from protos.apg.admin.v1 import admin_pb2 as pb

_CHECKS = {None: pb.CHECK_UNSPECIFIED, "none": pb.CHECK_NONE, "envoy": pb.CHECK_ENVOY}
_CHECK = click.option(
    "--check",
    type=click.Choice(["none", "envoy"]),
    help="envoy: a real Envoy has to take what it compiles to (as the control plane is configured).",
)

_MAX_READ = 16 << 20  # the control plane's own bound is lower, and its error says so


@click.command()
@click.option("-f", "--file", "path", required=True, metavar="FILE", help="YAML or JSON; - for standard input.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--reason", default="", help="Why; kept with the revision.")
@click.option("--expect", type=int, default=0, metavar="REVISION", help="Refuse if the mesh has moved on from here.")
@_CHECK
@click.pass_obj
def apply(settings: Settings, path: str, dry_run: bool, reason: str, expect: int, check: str | None) -> None:
    """Apply the documents of a file: all or none."""
    documents, source = _read(path)
    if dry_run:
        _plan(settings, documents, source, check)
        return
    request = pb.ApplyRequest(
        documents=documents,
        source=source,
        attribution=attribution(reason),
        expected_revision=expect,
        check=_CHECKS[check],
    )
    with settings.connection().api() as api:
        response = api.Apply(request, timeout=_deadline(check))
    printer = settings.printer()
    if not printer.for_people:
        printer.message(response)
        return
    for diff in response.plan.documents:
        words = {pb.OPERATION_ADD: "added", pb.OPERATION_CHANGE: "changed", pb.OPERATION_REMOVE: "removed"}
        printer.console.print(f"{words[diff.operation]} {diff.key.kind} {diff.key.namespace}/{diff.key.name}")
    for warning in response.plan.warnings:
        printer.note(f"warning: {warning}")
    printer.note(f"revision {response.revision}" if response.changed else "no changes")


@click.command()
@click.option("-f", "--file", "path", required=True, metavar="FILE", help="YAML or JSON; - for standard input.")
@_CHECK
@click.pass_obj
def plan(settings: Settings, path: str, check: str | None) -> None:
    """Show what applying a file would change: the documents, and the Envoy resources of each group of proxies."""
    _plan(settings, *_read(path), check)


@click.command()
@click.argument("kind", shell_complete=complete.kinds)
@click.argument("name", required=False, shell_complete=complete.names)
@click.option("-n", "--namespace", default="", help="One namespace only (all; of one name: default).")
@click.pass_obj
def get(settings: Settings, kind: str, name: str | None, namespace: str) -> None:
    """Show documents or services: `apg get HTTPRoute`, `apg get HTTPRoute payment -o yaml`, `apg get all`."""
    kind = "Service" if kind.lower() in ("service", "services") else kind
    printer = settings.printer()
    with settings.connection().api() as api:
        if name is not None:
            item = api.Get(pb.GetRequest(kind=kind, namespace=namespace, name=name), timeout=DEADLINE)
            documents, services = [item.document] * item.HasField("document"), [item.service] * item.HasField("service")
        else:
            wanted = "" if kind.lower() == "all" else kind
            found = api.List(pb.ListRequest(kind=wanted, namespace=namespace), timeout=DEADLINE)
            documents, services = list(found.documents), list(found.services)
    if printer.for_people:
        if documents or not services:
            rows = [(item.kind, item.namespace, item.name, _state(json.loads(item.status_json))) for item in documents]
            printer.table(("kind", "namespace", "name", "state"), rows, empty=f"no {kind}")
        if services:
            from controlplane.cli.commands.registration import show_services

            show_services(printer, services)
        return
    from google.protobuf.json_format import MessageToDict

    values = [{**json.loads(item.json), "status": json.loads(item.status_json)} for item in documents]
    values += [MessageToDict(item, preserving_proto_field_name=True) for item in services]
    printer.data(values[0] if name is not None else values)


def _state(status: dict[str, Any]) -> str:
    """A document's conditions in a word: what does not hold, or the last that does."""
    judged = [status, *status.get("parents", ()), *status.get("listeners", ()), *status.get("ancestors", ())]
    conditions = [condition for part in judged for condition in part.get("conditions", ())]
    failing = [condition for condition in conditions if condition["status"] != "True"]
    if not failing:
        return str(conditions[-1]["type"]) if conditions else ""
    return f"not {failing[0]['type']}: {failing[0]['reason']}"


@click.command()
@click.argument("kind", shell_complete=complete.kinds)
@click.argument("name", shell_complete=complete.names)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--reason", default="", help="Why; kept with the revision.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(settings: Settings, kind: str, name: str, namespace: str, reason: str, yes: bool) -> None:
    """Delete a document, after showing what that would change."""
    key = pb.DocumentKey(kind=kind, namespace=namespace, name=name)
    printer = settings.printer()
    with settings.connection().api() as api:
        if not yes:
            planned = api.Delete(pb.DeleteRequest(documents=[key], dry_run=True), timeout=DEADLINE)
            confirmed(printer, planned.plan, question="Delete it?")
        response = api.Delete(pb.DeleteRequest(documents=[key], attribution=attribution(reason)), timeout=DEADLINE)
    if printer.for_people:
        printer.note(f"deleted {kind} {namespace}/{name}: revision {response.revision}")
    else:
        printer.message(response)


def _deadline(check: str | None) -> float:
    return DEADLINE if check == "none" else 3 * DEADLINE


def _plan(settings: Settings, documents: bytes, source: str, check: str | None) -> None:
    request = pb.PlanRequest(documents=documents, source=source, check=_CHECKS[check])
    with settings.connection().api() as api:
        response = api.Plan(request, timeout=_deadline(check))
    printer = settings.printer()
    if printer.for_people:
        printer.plan(response.plan)
    else:
        printer.message(response.plan)


def _read(path: str) -> tuple[bytes, str]:
    """A file's content and its name for errors."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(_MAX_READ), "standard input"
        with Path(path).open("rb") as file:
            return file.read(_MAX_READ), Path(path).name
    except OSError as error:
        leave(Exit.USAGE, f"{path}: {error.strerror}: want a readable file of documents")
