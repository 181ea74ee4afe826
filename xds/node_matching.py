"""Which nodes a question is about: envoy.type.matcher.v3.NodeMatcher, as much of it as is safe to run here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import re2
from google.protobuf.struct_pb2 import Struct, Value

from protos.apg.xds.v3.discovery_pb2 import Node
from protos.apg.xds.v3.status_pb2 import NodeMatcher, StringMatcher, StructMatcher
from xds.errors import RequestError, UnsupportedError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20  # bytes; the pattern is a caller's


def check(matchers: Iterable[NodeMatcher]) -> None:
    """Refuses matchers that cannot be honoured, before any node is looked at.

    Raises:
        UnsupportedError: a kind of match that is not supported.
        RequestError: a matcher without a pattern, or with one that RE2 refuses.
    """
    for matcher in matchers:
        if matcher.HasField("node_id"):
            _check_text(matcher.node_id, "node_matchers.node_id")
        for each in matcher.node_metadatas:
            _check_metadata(each)


def matches(node: Node, matchers: Iterable[NodeMatcher]) -> bool:
    """Whether any of the matchers fits; all parts of that one have to. Without matchers every node fits."""
    alternatives = list(matchers)
    return not alternatives or any(_fits(node, matcher) for matcher in alternatives)


def _check_text(matcher: StringMatcher, where: str) -> None:
    match matcher.WhichOneof("match_pattern"):
        case "exact":
            return
        case "prefix" | "suffix" | "contains" as kind:
            if not getattr(matcher, kind):
                raise RequestError(f"{where}.{kind}: got an empty text: want one, or no matcher")
        case "safe_regex":
            _compiled(matcher.safe_regex.regex, where)
        case None:
            raise RequestError(f"{where}: no pattern: want exact, prefix, suffix, contains or safe_regex")
        case other:
            raise UnsupportedError(
                f"{where}.{other} is not supported: want exact, prefix, suffix, contains or safe_regex"
            )


def _compiled(pattern: str, where: str) -> Any:  # noqa: ANN401  # of a package without types
    """RE2 takes time in proportion to the text, whatever a caller's pattern is (Envoy, "RegexMatcher"); `ignore_case`
    means nothing to it."""
    try:
        return re2.compile(pattern, _OPTIONS)
    except (re2.error, UnicodeEncodeError):
        raise RequestError(f"{where}.safe_regex.regex: got {pattern[:100]!r}, want one that RE2 takes") from None


def _check_metadata(matcher: StructMatcher) -> None:
    where = "node_matchers.node_metadatas"
    if not matcher.path or not all(segment.key for segment in matcher.path):
        raise RequestError(f"{where}.path: got one without a key: want a key for each step")
    match matcher.value.WhichOneof("match_pattern"):
        case "string_match":
            _check_text(matcher.value.string_match, f"{where}.value.string_match")
        case "bool_match" | "present_match":
            return
        case None:
            raise RequestError(f"{where}.value: no pattern: want string_match, bool_match or present_match")
        case other:
            raise UnsupportedError(
                f"{where}.value.{other} is not supported: want string_match, bool_match or present_match"
            )


def _fits(node: Node, matcher: NodeMatcher) -> bool:
    if matcher.HasField("node_id") and not _text_fits(node.id, matcher.node_id):
        return False
    return all(_metadata_fits(node.metadata, each) for each in matcher.node_metadatas)


def _text_fits(text: str, matcher: StringMatcher) -> bool:
    kind = matcher.WhichOneof("match_pattern") or "exact"
    if kind == "safe_regex":
        return _compiled(matcher.safe_regex.regex, kind).fullmatch(text) is not None
    pattern: str = getattr(matcher, kind)
    if matcher.ignore_case:
        text, pattern = text.lower(), pattern.lower()
    match kind:
        case "prefix":
            return text.startswith(pattern)
        case "suffix":
            return text.endswith(pattern)
        case "contains":
            return pattern in text
        case _:
            return text == pattern


def _metadata_fits(metadata: Struct, matcher: StructMatcher) -> bool:
    value = _at(metadata, [segment.key for segment in matcher.path])
    match matcher.value.WhichOneof("match_pattern"):
        case "present_match":
            return (value is not None) == matcher.value.present_match
        case "bool_match":
            return (
                value is not None
                and value.WhichOneof("kind") == "bool_value"
                and value.bool_value == matcher.value.bool_match
            )
        case _:
            return (
                value is not None
                and value.WhichOneof("kind") == "string_value"
                and _text_fits(value.string_value, matcher.value.string_match)
            )


def _at(metadata: Struct, path: list[str]) -> Value | None:
    fields = metadata.fields
    for key in path[:-1]:
        if key not in fields or fields[key].WhichOneof("kind") != "struct_value":
            return None
        fields = fields[key].struct_value.fields
    last = path[-1]
    return fields[last] if last in fields else None  # noqa: SIM401  a protobuf map's get() would do, untyped
