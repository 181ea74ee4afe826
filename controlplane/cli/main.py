"""The entry point `apg`. Commands are imported when they are used: `apg --help` must not wait for gRPC."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controlplane.cli.exits import EPILOG, leave_for

if TYPE_CHECKING:
    from controlplane.cli.client import Connection
    from controlplane.cli.output import Output

_COMMANDS = {
    "up": ("processes", "Start a control plane here."),
    "proxy": ("processes", "Start an Envoy that a control plane steers."),
    "demo": ("processes", "Show it all: a mesh, a sentence, a measured split."),
    "apply": ("documents", "Apply the documents of a file: all or none."),
    "plan": ("documents", "Show what applying a file would change."),
    "get": ("documents", "Show documents or services."),
    "explain": ("explanations", "Show what a request would meet."),
    "why": ("explanations", "Show which documents an Envoy resource comes from."),
    "analyze": ("explanations", "Look for what is wrong, or worth a look, in the whole mesh."),
    "schema": ("schema", "Print the JSON Schema of documents, for editors."),
    "delete": ("documents", "Delete a document."),
    "ask": ("sentences", "Say what you want; see the plan; confirm it."),
    "chat": ("sentences", "Talk to the mesh, one sentence after the other."),
    "status": ("fleet", "Show each proxy: connected, ACKed, refused."),
    "watch": ("fleet", "Show what happens, as it happens."),
    "history": ("revisions", "Show who changed what, when and why."),
    "rollback": ("revisions", "Give back the documents of a revision."),
    "service": ("registration", "Add, remove or list services."),
    "endpoint": ("registration", "Add or remove endpoints."),
    "completion": ("shell", "Print a script that completes commands and names."),
    "version": ("shell", "Show the version."),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options before the command say."""

    admin: str
    token_file: Path | None
    ca_file: Path | None
    output: str

    def connection(self) -> Connection:
        from controlplane.cli.client import Connection

        return Connection(self.admin, self.token_file, self.ca_file)

    def printer(self) -> Output:
        from controlplane.cli.output import Output

        return Output(self.output)


class _LazyGroup(click.Group):
    """Imports a command's module when the command is run, and not for the list of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"controlplane.cli.commands.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--admin", envvar="APG_ADMIN", default="127.0.0.1:18001", show_default=True, help="The admin API, HOST:PORT."
)
@click.option(
    "--token-file", envvar="APG_TOKEN_FILE", type=click.Path(path_type=Path), help="A file with the admin token."
)
@click.option("--ca-file", envvar="APG_CA_FILE", type=click.Path(path_type=Path), help="Speak TLS; trust this CA.")
@click.option(
    "--output",
    "-o",
    envvar="APG_OUTPUT",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)
@click.pass_context
def apg(context: click.Context, admin: str, token_file: Path | None, ca_file: Path | None, output: str) -> None:
    """APG Mesh: an Envoy control plane that you can talk to."""
    context.obj = Settings(admin, token_file, ca_file, output)


def main() -> None:
    """Runs `apg`. No trace reaches a person, unless $APG_DEBUG asks for it."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what gRPC has to say comes back as a status, and is said once
    try:
        apg(prog_name="apg")
    except Exception as error:  # noqa: BLE001  # the outermost layer: every error becomes one line and an exit code
        leave_for(error)


if __name__ == "__main__":
    main()
