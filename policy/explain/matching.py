"""Whether a request meets a match, and if not, which condition fails first."""

from __future__ import annotations

from policy.explain.request import Request
from policy.http_route import HTTPPathMatch, HTTPRouteMatch
from policy.regex import pattern


def unmet(match: HTTPRouteMatch, request: Request) -> str | None:
    """The first condition of `match` that `request` does not meet, in words; None if it meets them all."""
    if not on_path(match.path, request.path):
        return f"the path is not {_words(match.path)}"
    if match.method is not None and match.method != request.method:
        return f"the method is not {match.method}"
    for header in match.headers:
        value = request.header(header.name)
        if value is None:
            return f"there is no header {header.name}"
        if not on_text(header.type, header.value, value):
            return f'the header {header.name} is "{value}", not {_value_words(header.type, header.value)}'
    for parameter in match.query_params:
        value = request.parameters.get(parameter.name)
        if value is None:
            return f"there is no query parameter {parameter.name}"
        if not on_text(parameter.type, parameter.value, value):
            wanted = _value_words(parameter.type, parameter.value)
            return f'the query parameter {parameter.name} is "{value}", not {wanted}'
    return None


def words(match: HTTPRouteMatch) -> str:
    """The conditions of a match."""
    parts = [f"the path is {_words(match.path)}"]
    if match.method is not None:
        parts.append(f"the method is {match.method}")
    for kind, conditions in (("header", match.headers), ("query parameter", match.query_params)):
        parts += [f"the {kind} {item.name} is {_value_words(item.type, item.value)}" for item in conditions]
    return " and ".join(parts)


def meets_path(match: HTTPRouteMatch, request: Request) -> bool:
    return on_path(match.path, request.path)


def on_path(match: HTTPPathMatch, path: str) -> bool:
    match match.type:
        case "Exact":
            return path == match.value
        case "RegularExpression":
            return pattern(match.value).covers(path)
        case "PathPrefix":
            prefix = match.value.rstrip("/")
            return path == prefix or path.startswith(f"{prefix}/")


def on_text(type: str, wanted: str, value: str) -> bool:
    return pattern(wanted).covers(value) if type == "RegularExpression" else wanted == value


def _words(path: HTTPPathMatch) -> str:
    match path.type:
        case "Exact":
            return path.value
        case "RegularExpression":
            return f"like {path.value}"
        case "PathPrefix":
            return "any" if path.value == "/" else f"{path.value} or below it"


def _value_words(type: str, value: str) -> str:
    return f"like {value}" if type == "RegularExpression" else f'"{value}"'
