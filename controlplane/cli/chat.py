"""`apg chat`: a talk with the mesh over one stream, with a line editor that remembers and completes."""

from __future__ import annotations

import contextlib
import os
import queue
import readline
from collections.abc import Iterator
from pathlib import Path

import grpc
from rich.markup import escape

from controlplane.cli.answers import show, why_not
from controlplane.cli.client import DEADLINE, attribution
from controlplane.cli.output import Output
from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceStub

_PROMPT = "apg> "
_LEAVING = frozenset(("exit", "quit", "bye"))
_HISTORY = 1_000  # lines
_YES = frozenset(("y", "yes"))
_WORDS = (
    *(
        "route",
        "split",
        "send",
        "scale",
        "timeout",
        "retry",
        "limit",
        "block",
        "allow",
        "mirror",
        "drain",
        "delay",
        "alert",
    ),
    *(
        "undo the last change",
        "what changed today?",
        "which proxies are behind?",
        "show me the health status of all services",
    ),
)


def talk(api: AdminServiceStub, printer: Output) -> None:
    """Reads sentences until the end of the input, `exit` or ctrl-D."""
    said: queue.Queue[pb.ConverseRequest | None] = queue.Queue(1)
    answers = api.Converse(iter(said.get, None))
    with _line_editor(_Completer(_names(api))):
        printer.console.print('[dim]Say what you want; nothing changes before you confirm. "exit" ends.[/]')
        try:
            for sentence in _lines():
                said.put(pb.ConverseRequest(sentence=sentence))
                proposal = _answered(answers, printer)
                confirmation = _confirmation(proposal, printer, sentence)
                if confirmation is not None:
                    said.put(pb.ConverseRequest(confirm=confirmation))
                    _answered(answers, printer)
        finally:
            said.put(None)


def _lines() -> Iterator[str]:
    while True:
        try:
            line = input(_PROMPT).strip()
        except (EOFError, KeyboardInterrupt):
            return
        if line.lower() in _LEAVING:
            return
        if line:
            yield line


def _answered(answers: Iterator[pb.ConverseResponse], printer: Output) -> pb.ProposeResponse | None:
    """Shows progress until the answer is there, and shows that; None where it was not a proposal."""
    for response in answers:
        match response.WhichOneof("answer"):
            case "progress":
                if not response.progress.startswith(("asking embedded", "planning")):
                    printer.console.print(f"[dim]… {escape(response.progress)}[/]")
            case "proposal":
                show(printer, response.proposal)
                if why := why_not(response.proposal):
                    printer.console.print(escape(why))
                if response.proposal.plan.documents:
                    printer.plan(_documents_only(response.proposal.plan))
                elif not (response.proposal.refusal or response.proposal.needs or response.proposal.shown):
                    printer.console.print("it is so already: nothing to change")
                return response.proposal
            case "applied":
                printer.console.print(f"applied: revision {response.applied.revision}")
                return None
            case _:
                printer.console.print(f"[red]refused[/] {escape(response.problem)}")
                return None
    return None


def _documents_only(plan: pb.Plan) -> pb.Plan:
    return pb.Plan(documents=plan.documents, warnings=plan.warnings)


def _confirmation(proposal: pb.ProposeResponse | None, printer: Output, sentence: str) -> pb.ConfirmRequest | None:
    """The confirmation of a proposal, if the person gives it."""
    if proposal is None or not proposal.proposal_id or proposal.needs or proposal.refusal:
        return None
    name = proposal.risk.confirm
    question = f'Type "{name}" to apply it: ' if name else "Apply it? [y/N] "
    try:
        typed = input(question).strip()
    except (EOFError, KeyboardInterrupt):
        typed = ""
    finally:
        with contextlib.suppress(ValueError):
            readline.remove_history_item(readline.get_current_history_length() - 1)
    if (typed != name) if name else (typed.lower() not in _YES):
        printer.console.print("nothing was changed")
        return None
    return pb.ConfirmRequest(
        proposal_id=proposal.proposal_id, attribution=attribution(sentence), typed_name=typed if name else ""
    )


def _names(api: AdminServiceStub) -> list[str]:
    """The names of the mesh, for completion; none if they cannot be had."""
    try:
        found = api.List(pb.ListRequest(), timeout=DEADLINE)
    except grpc.RpcError:
        return []
    services = {item.service.name for item in found.services}
    versions = {e.labels["version"] for item in found.services for e in item.endpoints if "version" in e.labels}
    return sorted(services | versions | {document.name for document in found.documents})


class _Completer:
    """Completes the word that is being typed, from the names of the mesh and the words of sentences."""

    def __init__(self, names: list[str]) -> None:
        self._known = [*names, *_WORDS]

    def __call__(self, typed: str, state: int) -> str | None:
        line = readline.get_line_buffer()
        fitting = [known for known in self._known if known.startswith(typed) and (" " not in known or line == typed)]
        return fitting[state] + " " if state < len(fitting) else None


@contextlib.contextmanager
def _line_editor(completer: _Completer) -> Iterator[None]:
    """History in $APG_HISTORY, else ~/.local/state/apg/history, for its owner only; completion by tab."""
    path = Path(os.environ.get("APG_HISTORY") or Path.home() / ".local/state/apg/history")
    readline.set_completer(completer)
    readline.set_completer_delims(" \t\n")
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(_HISTORY)
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            readline.write_history_file(path)
