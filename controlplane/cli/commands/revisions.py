"""`apg history` and `apg rollback`."""

from __future__ import annotations

from datetime import UTC

import click
from rich.markup import escape

from controlplane.cli.client import DEADLINE, attribution
from controlplane.cli.confirm import confirmed
from controlplane.cli.main import Settings
from protos.apg.admin.v1 import admin_pb2 as pb


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--before", type=int, default=0, metavar="REVISION", help="Only older ones.")
@click.pass_obj
def history(settings: Settings, limit: int, before: int) -> None:
    """Show who changed what, when and why; the newest first."""
    with settings.connection().api() as api:
        response = api.ListRevisions(pb.ListRevisionsRequest(limit=limit, before=before), timeout=DEADLINE)
    printer = settings.printer()
    if not printer.for_people:
        printer.message(response)
        return
    rows = [
        (
            str(revision.number),
            f"{revision.at.ToDatetime(tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}",
            escape(revision.author),
            escape(revision.reason),
            escape("; ".join(revision.changes[:4]) + ("; …" if len(revision.changes) > 4 else "")),
        )
        for revision in response.revisions
    ]
    printer.table(("revision", "at", "by", "why", "what"), rows, empty="no revision yet")


@click.command()
@click.option("--to", "revision", type=int, required=True, metavar="REVISION")
@click.option("--reason", default="", help="Why; kept with the new revision.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def rollback(settings: Settings, revision: int, reason: str, dry_run: bool, yes: bool) -> None:
    """Give back the documents of a revision, as a new revision. Services and endpoints stay as they are."""
    printer = settings.printer()
    with settings.connection().api() as api:
        if dry_run or not yes:
            planned = api.Rollback(pb.RollbackRequest(revision=revision, dry_run=True), timeout=DEADLINE)
            if dry_run:
                printer.plan(planned.plan) if printer.for_people else printer.message(planned.plan)
                return
            confirmed(printer, planned.plan, question=f"Go back to revision {revision}?")
        response = api.Rollback(
            pb.RollbackRequest(revision=revision, attribution=attribution(reason)), timeout=DEADLINE
        )
    if printer.for_people:
        printer.note(f"revision {response.revision}" if response.changed else "no changes")
    else:
        printer.message(response)
