"""`apg completion` and `apg version`."""

from __future__ import annotations

import importlib.metadata

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands and names: eval "$(apg completion bash)"."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, "apg", "_APG_COMPLETE").source())


@click.command()
def version() -> None:
    """Show the version."""
    click.echo(importlib.metadata.version("apg-mesh"))
