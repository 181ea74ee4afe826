"""YAML, or JSON, from strangers: bounded while it is read, with errors that say where.

A YAML alias repeats what its anchor holds, so a few lines can stand for billions of values: what a node comes to once
its aliases are expanded is summed up while the graph, which shares them, is composed. PyYAML's own composers recurse,
the C one until the process dies of it, so this one keeps its own stack. `yaml_values` makes values of the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from policy.errors import PolicyError

MAX_BYTES = 1 << 20
MAX_VALUES = 100_000
MAX_DEPTH = 64
MAX_DOCUMENTS = 1_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose_all(text: bytes, *, source: str) -> Iterator[tuple[str, yaml.Node]]:
    """The name ("pay.yaml, document 2") and the root of each document. No node stands in itself.

    Raises:
        PolicyError: it is too large, too deep, or not YAML; with line and column where there is one. The documents
            before that place have been given.
    """
    if len(text) > MAX_BYTES:
        raise PolicyError.of(document=source, got=f"{len(text):,} bytes", want=f"at most {MAX_BYTES:,}")
    try:
        loader = _Loader(text.decode())
    except UnicodeDecodeError as error:
        got = f"byte 0x{text[error.start]:02x} at {error.start:,}, which is not UTF-8"
        raise PolicyError.of(document=source, got=got, want="UTF-8 text") from None
    except yaml.reader.ReaderError as error:
        raise _unprintable(error, source) from None
    try:
        yield from _Composer(loader, source).documents()
    except yaml.MarkedYAMLError as error:
        raise unreadable(error, source) from None
    except yaml.reader.ReaderError as error:
        raise _unprintable(error, source) from None
    finally:
        loader.dispose()


def unreadable(error: yaml.MarkedYAMLError, document: str) -> PolicyError:
    """PyYAML's complaint as a problem of `document`."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    words = " ".join(part for part in (error.context, error.problem) if part)
    return PolicyError.of(document=document, path=where, got=words or "no YAML", want="YAML or JSON")


def _line(event: _Event) -> str:
    return f"line {event.start_mark.line + 1}"


def _unprintable(error: yaml.reader.ReaderError, source: str) -> PolicyError:
    code = ord(error.character) if isinstance(error.character, str) else error.character
    return PolicyError.of(
        document=source, got=f"the character U+{code:04X} at {error.position:,}", want="printable text"
    )


@dataclass(slots=True)
class _Part:
    """A node with what it comes to: values once expanded, and levels, its own included."""

    node: yaml.Node
    values: int = 1
    levels: int = 1
    children: list[yaml.Node] = field(default_factory=list)

    def take(self, child: _Part) -> None:
        self.children.append(child.node)
        self.values += child.values
        self.levels = max(self.levels, 1 + child.levels)

    def close(self) -> None:
        if isinstance(self.node, yaml.MappingNode):
            self.node.value = list(zip(self.children[::2], self.children[1::2], strict=True))
        else:
            self.node.value = self.children


_EventLoader: TypeAlias = Any
"""A yaml.SafeLoader or CSafeLoader; the stubs leave their `resolve` untyped."""
_Event: TypeAlias = Any
"""A yaml.Event; the two loaders' marks are of different classes."""


class _Composer:
    """Makes node graphs of a loader's events."""

    def __init__(self, loader: _EventLoader, source: str) -> None:
        self._loader = loader
        self._source = source
        self._name = source
        self._values = 0  # of all documents so far, aliases expanded
        self._anchors: dict[str, _Part] = {}
        self._open: list[_Part] = []

    def documents(self) -> Iterator[tuple[str, yaml.Node]]:
        number = 0
        while (event := self._loader.get_event()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                number += 1
                if number > MAX_DOCUMENTS:
                    got = f"more than {MAX_DOCUMENTS:,} documents"
                    raise PolicyError.of(document=self._source, got=got, want="fewer, or more files")
                self._name = f"{self._source}, document {number}"
                self._anchors.clear()
                yield self._name, self._root().node

    def _root(self) -> _Part:
        while True:
            part = self._next()
            if part is not None and not self._open:
                return part
            if part is not None:
                self._open[-1].take(part)

    def _next(self) -> _Part | None:
        """The next node that is whole; None where one only begins."""
        event = self._loader.get_event()
        marks: Any = (event.start_mark, event.end_mark)
        match event:
            case yaml.AliasEvent():
                return self._bounded(self._aliased(event), event)
            case yaml.ScalarEvent():
                tag = self._tag(yaml.ScalarNode, event.tag, event.value, event.implicit)
                scalar = yaml.ScalarNode(tag, event.value, *marks)
                return self._bounded(self._anchored(event.anchor, _Part(scalar)), event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                kind = yaml.SequenceNode if isinstance(event, yaml.SequenceStartEvent) else yaml.MappingNode
                tag = self._tag(kind, event.tag, None, event.implicit)
                part = self._anchored(event.anchor, _Part(kind(tag, [], *marks)))
                self._open.append(self._bounded(part, event))
                return None
            case _:  # the end of the innermost open node: parsers pair them
                part = self._open.pop()
                part.close()
                return part

    def _tag(self, kind: type[yaml.Node], given: str | None, value: str | None, implicit: object) -> str:
        # The Resolver of both loaders; a lone "!" asks for the default of the node's kind.
        return str(self._loader.resolve(kind, value, implicit)) if given in (None, "!") else str(given)

    def _anchored(self, anchor: str | None, part: _Part) -> _Part:
        if anchor is not None:
            self._anchors[anchor] = part
        return part

    def _aliased(self, event: _Event) -> _Part:
        part = self._anchors.get(event.anchor)
        if part is None:
            problem = f'an alias of "{event.anchor}", which nothing before it is anchored as'
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        if any(part is parent for parent in self._open):
            raise PolicyError.of(
                document=self._name, path=_line(event), got="an alias of what it stands in", want="none"
            )
        return part

    def _bounded(self, part: _Part, event: _Event) -> _Part:
        """`part`, which `event` adds to the innermost open node, unless that makes it all too large or too deep."""
        self._values += part.values
        if self._values > MAX_VALUES:
            got = f"{self._values:,} values or more, with its aliases expanded"
            raise PolicyError.of(document=self._name, path=_line(event), got=got, want=f"at most {MAX_VALUES:,}")
        if len(self._open) + part.levels > MAX_DEPTH:
            raise PolicyError.of(
                document=self._name, path=_line(event), got="too deep a nesting", want=f"at most {MAX_DEPTH} levels"
            )
        return part
