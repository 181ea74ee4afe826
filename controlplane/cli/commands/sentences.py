"""`apg ask`: a sentence, what was understood of it, the plan, the question."""

from __future__ import annotations

import click

from controlplane.cli.client import DEADLINE, attribution
from controlplane.cli.confirm import confirmed
from controlplane.cli.main import Settings
from protos.apg.admin.v1 import admin_pb2 as pb


@click.command()
@click.argument("sentence", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask: for scripts.")
@click.pass_obj
def ask(settings: Settings, sentence: tuple[str, ...], yes: bool) -> None:
    """Say what you want: `apg ask "route 20% of payment traffic to v2"`. Nothing changes before you confirm."""
    said = " ".join(sentence)
    printer = settings.printer()
    with settings.connection().api() as api:
        proposal = api.Propose(pb.ProposeRequest(sentence=said), timeout=2 * DEADLINE)
        if printer.for_people:
            for words in proposal.understood:
                printer.console.print(
                    f"[bold]understood[/] ({proposal.parser}, {proposal.confidence:.0%} sure): {words}"
                )
        if not proposal.plan.documents:
            printer.note("it is so already: nothing to change")
            if not printer.for_people:
                printer.message(proposal)
            return
        if not yes:
            confirmed(printer, proposal.plan, question="Apply it?")
        elif printer.for_people:
            printer.plan(proposal.plan)
        response = api.Confirm(
            pb.ConfirmRequest(proposal_id=proposal.proposal_id, attribution=attribution(said)), timeout=DEADLINE
        )
    if printer.for_people:
        printer.note(f"applied: revision {response.revision}")
    else:
        printer.message(response)
