"""Differences between two texts as lines for a terminal."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from rich.markup import escape


def diff_lines(before: str, after: str, *, context: int = 2) -> Iterator[str]:
    """A unified diff without its heads, as rich markup: removed lines red, added ones green."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=context)
    for number, line in enumerate(lines):
        if number < 2:  # the two lines that name files
            continue
        text = escape(line)
        if line.startswith("@@"):
            yield "[dim]⋯[/]"
        elif line.startswith("+"):
            yield f"[green]{text}[/]"
        elif line.startswith("-"):
            yield f"[red]{text}[/]"
        else:
            yield f"[dim]{text}[/]"
