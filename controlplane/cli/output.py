"""What the commands print: tables for people, JSON or YAML for programs. Words for people go to standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from controlplane.cli.diff import diff_lines
from protos.apg.admin.v1 import admin_pb2 as pb

_SIGNS = {pb.OPERATION_ADD: "[green]+[/]", pb.OPERATION_CHANGE: "[yellow]~[/]", pb.OPERATION_REMOVE: "[red]-[/]"}


class Output:
    """Prints in one format: "table", "json" or "yaml"."""

    def __init__(self, format: str) -> None:  # noqa: A002  # the option's own name
        self.format = format
        self.console = Console(highlight=False)
        self.words = Console(stderr=True, highlight=False)

    @property
    def for_people(self) -> bool:
        return self.format == "table"

    def data(self, value: Any) -> None:  # noqa: ANN401  # whatever JSON can hold
        """Prints `value` for programs."""
        if self.format == "yaml":
            import yaml

            click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)
        else:
            click.echo(json.dumps(value, indent=2, ensure_ascii=False))

    def message(self, message: Message) -> None:
        """Prints a message of the API for programs, with the field names of the .proto."""
        self.data(MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
        """Prints rows for people, or `empty` if there are none."""
        table = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*row)
        if table.row_count:
            self.console.print(table)
        else:
            self.words.print(empty)

    def note(self, text: str) -> None:
        """Says something to people."""
        if self.for_people:
            self.words.print(escape(text))

    def plan(self, plan: pb.Plan) -> None:
        """Shows what a plan would do: documents, then resources by group of proxies, then warnings."""
        if not plan.documents and not plan.resources:
            self.console.print("no changes")
        for document in plan.documents:
            title = f"{document.key.kind} {document.key.namespace}/{document.key.name}"
            self._diff(document.operation, title, document.before_yaml, document.after_yaml)
        group = None
        for resource in plan.resources:
            if resource.group != group:
                group = resource.group
                count = sum(other.group == group for other in plan.resources)
                self.console.print(f"\n[bold]proxies of {escape(group)}[/]: {count} Envoy resource{'s' * (count != 1)}")
            title = f"{resource.type_url.rpartition('.')[2]} {resource.name}"
            self._diff(resource.operation, title, resource.before_yaml, resource.after_yaml)
        for warning in plan.warnings:
            self.console.print(f"[yellow]warning[/] {escape(warning)}")

    def _diff(self, operation: pb.Operation.ValueType, title: str, before: str, after: str) -> None:
        self.console.print(f"{_SIGNS[operation]} [bold]{escape(title)}[/]")
        for line in diff_lines(before, after):
            self.console.print(f"    {line}")
