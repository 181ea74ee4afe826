"""`apg ask`: a sentence, what was understood of it, the plan, the question. `apg chat`: many of them, as one talk."""

from __future__ import annotations

import sys

import click

from controlplane.cli.answers import as_data, show, why_not
from controlplane.cli.client import DEADLINE, attribution
from controlplane.cli.confirm import confirmed, typed_name
from controlplane.cli.exits import Exit, leave
from controlplane.cli.main import Settings
from controlplane.cli.output import Output
from protos.apg.admin.v1 import admin_pb2 as pb


@click.command()
@click.argument("sentence", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask: for scripts. A destructive or wide plan needs --confirm, too.")
@click.option(
    "--confirm", "typed", default="", metavar="NAME", help="The name that a destructive or wide plan asks for."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--output", "-o", type=click.Choice(["table", "json", "yaml"]), help="For people, or for programs.")
@click.pass_obj
def ask(
    settings: Settings, sentence: tuple[str, ...], yes: bool, typed: str, dry_run: bool, output: str | None
) -> None:
    """Say what you want: `apg ask "route 20% of payment traffic to v2"`. Nothing changes before you confirm."""
    said = " ".join(sentence)
    printer = Output(output) if output else settings.printer()
    with settings.connection().api() as api:
        answer = api.Propose(pb.ProposeRequest(sentence=said), timeout=4 * DEADLINE)
        if printer.for_people:
            show(printer, answer)
        if dry_run or answer.refusal or answer.needs or not answer.proposal_id:
            if not printer.for_people:
                printer.data(as_data(said, answer))
            elif dry_run and answer.plan.documents:
                printer.plan(answer.plan)
            elif not (answer.refusal or answer.needs or answer.shown):
                printer.note("it is so already: nothing to change")
            if why := why_not(answer):
                if printer.for_people:
                    leave(Exit.REFUSED, why)
                sys.exit(Exit.REFUSED)
            return
        if yes:
            if printer.for_people:
                printer.plan(answer.plan)
            name = typed
        else:
            confirmed(printer, answer.plan, question="Apply it?", ask=not answer.risk.confirm)
            name = typed_name(answer.risk.confirm) if answer.risk.confirm else ""
        if answer.risk.confirm and name != answer.risk.confirm:
            leave(
                Exit.DECLINED,
                "nothing was changed: this plan is destructive or wide: "
                f'got "{name}", want its name "{answer.risk.confirm}"' + (" (--confirm)" if yes else ""),
            )
        request = pb.ConfirmRequest(proposal_id=answer.proposal_id, attribution=attribution(said), typed_name=name)
        response = api.Confirm(request, timeout=DEADLINE)
    if printer.for_people:
        printer.note(f"applied: revision {response.revision}")
    else:
        printer.data(as_data(said, answer, revision=response.revision))


@click.command()
@click.pass_obj
def chat(settings: Settings) -> None:
    """Talk to the mesh: one sentence a line, with history (arrow up) and completion (tab). `exit` or ctrl-D ends it."""
    from controlplane.cli.chat import talk

    with settings.connection().api() as api:
        talk(api, Output("table"))
