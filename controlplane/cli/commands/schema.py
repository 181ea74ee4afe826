"""`apg schema`."""

from __future__ import annotations

import click

from controlplane.cli import complete
from controlplane.cli.exits import Exit, leave
from controlplane.cli.main import Settings


@click.command()
@click.argument("kind", required=False, shell_complete=complete.kinds)
@click.pass_obj
def schema(settings: Settings, kind: str | None) -> None:
    """Print the JSON Schema (draft 2020-12) of one kind of document, or one for all kinds. Needs no control plane."""
    from policy.problems import nearest
    from policy.schema import kind_names, schema_of, schema_of_all

    if kind is None:
        value = schema_of_all()
    else:
        names = {name.lower(): name for name in kind_names()}
        if kind.lower() not in names:
            known = list(names.values())
            leave(Exit.USAGE, f"kind: got {kind!r}, want one of {', '.join(known)}{nearest(kind, known)}")
        value = schema_of(names[kind.lower()])
    settings.printer().data(value)
