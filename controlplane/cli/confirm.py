"""The question before a change."""

from __future__ import annotations

import sys

import click

from controlplane.cli.exits import Exit, leave
from controlplane.cli.output import Output
from protos.apg.admin.v1 import admin_pb2 as pb


def confirmed(printer: Output, plan: pb.Plan, *, question: str) -> None:
    """Shows the plan and asks; comes back only after a yes. Without somebody to ask, nothing is changed."""
    printer.plan(plan)
    if not sys.stdin.isatty():
        leave(Exit.DECLINED, "nobody is here to be asked (no terminal): nothing was changed; --yes goes ahead")
    try:
        yes = click.confirm(question, err=True)
    except click.Abort:
        yes = False
    if not yes:
        leave(Exit.DECLINED, "nothing was changed")
