"""From YAML nodes to the values that JSON knows: texts, numbers, booleans, null, lists, objects with distinct keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import yaml

from policy.errors import PolicyError
from policy.problems import plain, shown
from policy.safe_yaml import unreadable

_MAX_NUMBER = 64  # characters
_KEY_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "merge", "timestamp", "value"))

_Construct: TypeAlias = Callable[[Any, Any], object]


class _Constructor(yaml.SafeLoader):
    """Makes values of nodes that another loader composed."""

    def __init__(self) -> None:
        super().__init__("")


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


def _unknown(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    return loader.construct_undefined(node)


def _checked(construct: _Construct, words: str) -> _Construct:
    """`construct`, for text that a tag such as !!int only claims to be one, and for numbers too long to be any."""

    def build(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
        # SafeLoader indexes into the text, looks it up, or calls int() with it.
        try:
            if len(node.value) > _MAX_NUMBER:
                raise ValueError
            return construct(loader, node)
        except (ValueError, IndexError, KeyError, OverflowError):
            raise yaml.constructor.ConstructorError(
                problem=f"{shown(node.value)}, which is not {words}", problem_mark=node.start_mark
            ) from None

    return build


for _tag, _words in (("int", "a whole number"), ("float", "a number"), ("bool", "true or false")):
    _full = f"tag:yaml.org,2002:{_tag}"
    _Constructor.add_constructor(_full, _checked(yaml.SafeLoader.yaml_constructors[_full], _words))
for _tag in ("binary", "omap", "pairs", "set"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_tag}", _unknown)
# Dates stay text: JSON has none, and "2026-11-24" is more often a version than a day.
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Constructor.add_constructor("tag:yaml.org,2002:value", _text)  # a lone "="


def value_of(root: yaml.Node, *, name: str) -> object:
    """What `root` stands for. `name` is the document's, for errors.

    Raises:
        PolicyError: a key twice, a tag that JSON has nothing for, a number that is none.
    """
    _refuse_keys(root, name)
    try:
        return _Constructor().construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise unreadable(error, name) from None


def _refuse_keys(root: yaml.Node, name: str) -> None:
    seen: set[int] = set()
    left = [root]
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_keys_of(node, name)
            left.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            left.extend(node.value)


def _refuse_keys_of(node: yaml.MappingNode, name: str) -> None:
    keys: set[str] = set()
    for key, _ in node.value:
        line = f"line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise PolicyError.of(document=name, path=line, got="a key that is a list or an object", want="a text")
        if key.tag not in _KEY_TAGS:
            got = f"the key {plain(key.value)}, which is not a text"
            raise PolicyError.of(document=name, path=line, got=got, want="a text, in quotes if need be")
        if key.value in keys:
            raise PolicyError.of(document=name, path=line, got=f'the key "{plain(key.value)}" twice', want="it once")
        keys.add(key.value)
