"""YAML, or JSON, from strangers: bounded before it is expanded, with errors that say where.

A YAML alias repeats what its anchor holds, so a few lines can stand for billions of nodes. The composed graph still
shares them; its expanded size is counted there, without expanding anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from policy.errors import PolicyError

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 64
MAX_DOCUMENTS = 1_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _text(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


class _Constructor(yaml.SafeLoader):
    """Makes values of nodes that another loader composed."""

    def __init__(self) -> None:
        super().__init__("")


# Dates stay text: JSON has none, and "2026-11-24" is more often a version than a day.
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _text)


def load_all(text: bytes, *, source: str) -> Iterator[tuple[int, Any]]:
    """Each document's place (1, 2, …) and value; empty ones are left out.

    Raises:
        PolicyError: it is too large, too deep, or not YAML; with line and column where there is one.
    """
    if len(text) > MAX_BYTES:
        raise PolicyError.of(document=source, got=f"{len(text):,} bytes", want=f"at most {MAX_BYTES:,}")
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        got = f"byte 0x{text[error.start]:02x} at {error.start:,}, which is not UTF-8"
        raise PolicyError.of(document=source, got=got, want="UTF-8 text") from None
    for number, node in enumerate(_composed(decoded, source), start=1):
        if number > MAX_DOCUMENTS:
            raise PolicyError.of(
                document=source, got=f"more than {MAX_DOCUMENTS:,} documents", want="fewer, or more files"
            )
        name = f"{source}, document {number}"
        _bound(node, name)
        try:
            value = _Constructor().construct_document(node)
        except yaml.MarkedYAMLError as error:
            raise _unreadable(error, source) from None
        except (ValueError, OverflowError) as error:
            raise PolicyError.of(document=name, got=f"a value that cannot be read: {error}", want="another") from None
        if value is not None:
            yield number, value


def _composed(text: str, source: str) -> Iterator[yaml.Node]:
    try:
        loader = _Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                assert node is not None, "check_node said that there is one"
                yield node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, source) from None
    except yaml.reader.ReaderError as error:
        got = f"the character U+{ord(error.character) if isinstance(error.character, str) else error.character:04X}"
        raise PolicyError.of(document=source, got=f"{got} at {error.position:,}", want="printable text") from None
    except RecursionError:
        raise PolicyError.of(document=source, got="too deep a nesting", want=f"at most {MAX_DEPTH} levels") from None


def _unreadable(error: yaml.MarkedYAMLError, source: str) -> PolicyError:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    words = " ".join(part for part in (error.context, error.problem) if part)
    return PolicyError.of(document=source, path=where, got=words or "no YAML", want="YAML or JSON")


def _bound(root: yaml.Node, name: str) -> None:
    """Refuses what is too large once its aliases are expanded, too deep, cyclic, or names a key twice."""
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    while stack:
        node, children_done = stack.pop()
        identity = id(node)
        if identity in sizes:
            continue
        children = _children(node)
        if not children_done:
            if identity in open_nodes:
                raise PolicyError.of(document=name, path=_line(node), got="an alias of what it stands in", want="none")
            open_nodes.add(identity)
            stack.append((node, True))
            for child in children:
                if id(child) in open_nodes and id(child) not in sizes:
                    raise PolicyError.of(
                        document=name, path=_line(child), got="an alias of what it stands in", want="none"
                    )
                stack.append((child, False))
            continue
        if isinstance(node, yaml.MappingNode):
            _refuse_duplicate_keys(node, name)
        sizes[identity] = 1 + sum(sizes[id(child)] for child in children)
        depths[identity] = 1 + max((depths[id(child)] for child in children), default=0)
        if sizes[identity] > MAX_NODES:
            got = f"{sizes[identity]:,} values or more, with its aliases expanded"
            raise PolicyError.of(document=name, path=_line(node), got=got, want=f"at most {MAX_NODES:,}")
        if depths[identity] > MAX_DEPTH:
            raise PolicyError.of(
                document=name, path=_line(node), got="too deep a nesting", want=f"at most {MAX_DEPTH} levels"
            )


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _refuse_duplicate_keys(node: yaml.MappingNode, name: str) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise PolicyError.of(document=name, path=_line(key), got="a key that is a list or an object", want="a text")
        if key.value in seen:
            raise PolicyError.of(document=name, path=_line(key), got=f'the key "{key.value}" twice', want="it once")
        seen.add(key.value)


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
