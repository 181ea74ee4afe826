"""From pydantic's errors to problems that help: where, what was there, and what would be right."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from policy.errors import Problem
from policy.secrets import holds_secret

Location: TypeAlias = tuple[int | str, ...]

_SHOWN = 60  # characters of a value
_NOT_SHOWN = "a value that is kept secret"
_LISTED = 5


def problems(error: ValidationError, model: type[BaseModel], *, document: str) -> Iterator[Problem]:
    """The problems of `document`, which is not a valid `model`."""
    for details in error.errors(include_url=False):
        yield _problem(details, model, document)


def path(location: Location) -> str:
    """A place in a document, as people write it: spec.rules[0].name."""
    text = ""
    for step in location:
        name = f"[{step}]" if isinstance(step, int) else plain(step)
        text += f".{name}" if text and not isinstance(step, int) else name
    return text


def plain(text: str, *, limit: int = _SHOWN) -> str:
    """`text`, shortened, on one line and without what a terminal would obey."""
    short = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit])
    return short + ("…" if len(text) > limit else "")


def shown(value: object) -> str:
    """A value as JSON, shortened, with its type where that is not plain to see."""
    if isinstance(value, str):
        return f'the text "{plain(value)}"'
    if isinstance(value, Mapping):
        return "an object" if value else "an empty object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if value is None:
        return "null"
    return json.dumps(value, default=str)[:_SHOWN]


def nearest(word: str, words: Sequence[str]) -> str:
    """The one of `words` that `word` may be a misspelling of, as a question; "" if none is near."""
    if len(word) > _SHOWN:
        return ""
    close = difflib.get_close_matches(word.lower(), {w.lower(): w for w in words}, n=1, cutoff=0.6)
    return f"; did you mean {next(w for w in words if w.lower() == close[0])}?" if close else ""


def listed(words: Collection[str]) -> str:
    """The first few of `words`."""
    return ", ".join(list(words)[:_LISTED]) + (", …" if len(words) > _LISTED else "")


def _problem(details: ErrorDetails, model: type[BaseModel], document: str) -> Problem:
    location, kind, context = details["loc"], details["type"], details.get("ctx", {})
    got = _NOT_SHOWN if _is_secret(model, location, details["input"]) else shown(details["input"])
    want = details["msg"]
    match kind:
        case "extra_forbidden":
            fields = _fields(model, location[:-1])
            got = "a field that does not exist"
            want = f"one of {', '.join(fields)}{nearest(str(location[-1]), fields)}" if fields else "no such field"
        case "missing":
            got, want = "nothing", "a value: this field is required"
        case "value_error":
            want = str(context["error"])
        case "literal_error":
            want = str(context["expected"]).replace("'", "").replace(" or ", ", or ")
        case "string_type":
            want = "a text" + (" (in quotes)" if isinstance(details["input"], bool | int | float) else "")
        case "int_type" | "int_from_float":
            bounds = _range(model, location)
            want = f"a whole number from {bounds}" if bounds else "a whole number"
        case "float_type" | "finite_number":
            bounds = _range(model, location)
            want = f"a number from {bounds}" if bounds else "a number"
        case "bool_type":
            want = "true or false"
        case "tuple_type":
            want = "a list"
        case "model_type" | "model_attributes_type" | "dict_type":
            want = "an object"
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            want = _range(model, location) or want
        case "too_short" | "too_long":
            got = f"{context['actual_length']} items"
            bound = context.get("min_length", context.get("max_length"))
            want = f"{'at least' if kind == 'too_short' else 'at most'} {bound}"
        case "string_too_short" | "string_too_long":
            bound = context.get("min_length", context.get("max_length"))
            want = f"{'at least' if kind == 'string_too_short' else 'at most'} {bound} characters"
        case _:
            pass
    return Problem(document, path(location), got, want)


def _is_secret(model: type[BaseModel], location: Location, value: object) -> bool:
    """Whether `value`, at `location`, is a secret or may be one that stands where it does not belong."""
    if value is None or isinstance(value, Mapping | list | tuple):  # what these hold is not shown
        return False
    depth = next((index for index in range(len(location) - 1, -1, -1) if isinstance(location[index], str)), None)
    owner = _model_at(model, location[:depth]) if depth is not None else None
    if depth is None or owner is None:
        return False
    return any(
        location[depth] in (name, info.alias) and holds_secret(info) for name, info in owner.model_fields.items()
    )


def _range(model: type[BaseModel], location: Location) -> str | None:
    """The bounds of a number, both at once."""
    parents = location[: -2 if isinstance(location[-1], int) else -1]
    owner = _model_at(model, parents)
    if owner is None:
        return None
    # An item of a list is bounded where its list is declared.
    field = next((step for step in reversed(location) if isinstance(step, str)), None)
    for name, info in owner.model_fields.items():
        if field in (name, info.alias):
            return _bounds(info.metadata) or _bounds(list(_within(info.annotation)))
    return None


def _within(annotation: Any) -> Iterator[Any]:  # noqa: ANN401  # any annotation there is
    for argument in get_args(annotation):
        yield argument
        yield from _within(argument)


def _bounds(metadata: Sequence[Any]) -> str | None:
    flat = [item for entry in metadata for item in (getattr(entry, "metadata", None) or [entry])]

    def bound(name: str) -> Any:  # noqa: ANN401  # of numbers of any type
        return next((value for item in flat if (value := getattr(item, name, None)) is not None), None)

    least, most, above, below = (bound(name) for name in ("ge", "le", "gt", "lt"))
    if least is not None and most is not None:
        return f"{least} to {most}"
    low = f"at least {least}" if least is not None else f"more than {above}" if above is not None else None
    high = f"at most {most}" if most is not None else f"less than {below}" if below is not None else None
    return f"{low}, {high}" if low is not None and high is not None else None


def _fields(model: type[BaseModel], location: Location) -> list[str]:
    """The fields, as documents write them, of the part at `location`."""
    owner = _model_at(model, location)
    return [info.alias or name for name, info in owner.model_fields.items()] if owner is not None else []


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The shape of the part at `location`."""
    current: type[BaseModel] | None = model
    for step in location:
        if isinstance(step, int) or current is None:
            continue
        field = next((info for name, info in current.model_fields.items() if step in (name, info.alias)), None)
        current = _model_within(field.annotation) if field is not None else None
    return current


def _model_within(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  # any annotation there is
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_within(arg)) is not None), None)
