"""The question before a change."""

from __future__ import annotations

import sys

import click

from controlplane.cli.exits import Exit, leave
from controlplane.cli.output import Output
from protos.apg.admin.v1 import admin_pb2 as pb


def confirmed(printer: Output, plan: pb.Plan, *, question: str, ask: bool = True) -> None:
    """Shows the plan and asks; comes back only after a yes. Without somebody to ask, nothing is changed.

    ask: false leaves the question to the caller, who asks for a name."""
    printer.plan(plan)
    if not sys.stdin.isatty():
        leave(Exit.DECLINED, "nobody is here to be asked (no terminal): nothing was changed; --yes goes ahead")
    if not ask:
        return
    try:
        yes = click.confirm(question, err=True)
    except click.Abort:
        yes = False
    if not yes:
        leave(Exit.DECLINED, "nothing was changed")


def typed_name(name: str) -> str:
    """What a person types where a plan is destructive or wide."""
    try:
        return str(
            click.prompt(
                f'This is destructive or wide. Type "{name}" to apply it', err=True, default="", show_default=False
            )
        )
    except click.Abort:
        return ""
