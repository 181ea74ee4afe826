"""Intents as JSON, and back, and their JSON Schema: all made from the fields of the classes, so that none can lag.

A language model fills in these forms, and programs read them. Reading one is parsing at the edge: a form that does not
fit, or whose intent cannot be, raises FormError.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from intelligence.intents.errors import ContradictionError
from intelligence.intents.intents import INTENTS, Intent, Share, kind_of
from intelligence.intents.said import span
from registry.model import DEFAULT_NAMESPACE, ServiceKey

_SPAN = re.compile(r"(?:\d{1,9}(?:h|ms|m|s))+")
_SPAN_PART = re.compile(r"(\d+)(h|ms|m|s)")
_UNITS = {
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_ALL = "all"
_MOST_ITEMS = 8
_LONGEST_TEXT = 200


class FormError(ValueError):
    """A form that no intent can be read from; the message says what would be right."""


def _fields(kind: type) -> Mapping[str, Any]:
    """The fields of a class and their types."""
    return _FIELDS[kind]


def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {item.name: hints[item.name] for item in dataclasses.fields(kind)}


_FIELDS: Mapping[type, Mapping[str, Any]] = {kind: _hints(kind) for kind in (*INTENTS, Share)}


BY_KIND: Mapping[str, type[Intent]] = {kind_of(kind): kind for kind in INTENTS}


# --- writing ---


def form_of(intent: Intent) -> dict[str, Any]:
    """The fields of an intent as JSON holds them; `target` of all services is "all"."""
    return {"kind": kind_of(intent), **_record(intent)}


def _record(value: Any) -> dict[str, Any]:  # noqa: ANN401  # any of the classes
    return {name: _plain(getattr(value, name), name) for name in _fields(type(value))}


def _plain(value: object, name: str) -> Any:  # noqa: ANN401  # whatever JSON can hold
    match value:
        case None:
            return _ALL if name == "target" else None
        case ServiceKey():
            return str(value)
        case Share():
            return _record(value)
        case tuple():
            return [_plain(item, "") for item in value]
        case enum.Enum():
            return value.value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case timedelta():
            return span(value)
        case _:
            return value


# --- the schema ---


def schema(services: Sequence[str], versions: Sequence[str], *, kinds: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON Schema of an answer: {"intents": [one of the forms, …]}; an empty list means: not understood.

    services: the only names that can be written for a service. versions: those for a version.
    """
    forms = [_form_schema(BY_KIND[kind], services, versions) for kind in (kinds or BY_KIND)]
    return {
        "type": "object",
        "properties": {"intents": {"type": "array", "items": {"anyOf": forms}, "maxItems": _MOST_ITEMS}},
        "required": ["intents"],
        "additionalProperties": False,
    }


def _form_schema(kind: type[Intent], services: Sequence[str], versions: Sequence[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {"kind": {"type": "string", "enum": [kind_of(kind)]}}
    required = ["kind"]
    for item in dataclasses.fields(kind):
        properties[item.name] = _schema_of(_fields(kind)[item.name], item.name, services, versions)
        if item.default is dataclasses.MISSING:
            required.append(item.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema_of(hint: Any, name: str, services: Sequence[str], versions: Sequence[str]) -> dict[str, Any]:  # noqa: ANN401
    origin = typing.get_origin(hint)
    if origin is types.UnionType or origin is typing.Union:
        [inner] = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        if name == "target":
            return {"type": "string", "enum": [*services, _ALL]}
        return {"anyOf": [_schema_of(inner, name, services, versions), {"type": "null"}]}
    if origin is tuple:
        items = _schema_of(typing.get_args(hint)[0], name, services, versions)
        return {"type": "array", "items": items, "maxItems": _MOST_ITEMS}
    if hint is ServiceKey:
        return {"type": "string", "enum": list(services)}
    if hint is Share:
        return {
            "type": "object",
            "properties": {
                "version": {"type": "string", "enum": list(versions)},
                "percent": {"type": "number", "minimum": 0, "maximum": 100},
            },
            "required": ["version", "percent"],
            "additionalProperties": False,
        }
    if hint is str and name in ("version", "canary") and versions:
        return {"type": "string", "enum": ["", *versions] if name == "version" else list(versions)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"type": "string", "enum": [member.value for member in hint]}
    if hint is timedelta:
        return {"type": "string", "pattern": r"^([0-9]{1,6}(h|ms|m|s)){1,4}$"}
    simple = {str: "string", int: "integer", Decimal: "number", bool: "boolean"}
    return {"type": simple[hint]}


# --- reading ---


def intent_of(form: object) -> Intent:
    """The intent that a form holds. Raises FormError."""
    if not isinstance(form, Mapping):
        raise FormError("an intent: want an object with its kind")
    kind = BY_KIND.get(str(form.get("kind")))
    if kind is None:
        raise FormError(f"kind: got {str(form.get('kind'))[:60]!r}, want one of {', '.join(BY_KIND)}")
    made = _read_record(kind, {key: value for key, value in form.items() if key != "kind"}, kind_of(kind))
    return typing.cast("Intent", made)


def _read_record(kind: type, values: Mapping[str, object], where: str) -> object:
    known = _fields(kind)
    if unknown := sorted(str(name) for name in values if name not in known):
        raise FormError(f"{where}.{unknown[0][:60]}: no such field: want {', '.join(known)}")
    given: dict[str, object] = {}
    for item in dataclasses.fields(kind):
        if item.name in values:
            given[item.name] = _read(known[item.name], values[item.name], f"{where}.{item.name}")
        elif item.default is dataclasses.MISSING:
            raise FormError(f"{where}.{item.name}: got nothing, want a value")
    try:
        return kind(**given)
    except ContradictionError as error:
        raise FormError(f"{where}: {error}") from None


def _read(hint: Any, value: object, where: str) -> object:  # noqa: ANN401  # any of the fields' types
    origin = typing.get_origin(hint)
    if origin is types.UnionType or origin is typing.Union:
        [inner] = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        if value is None or (where.endswith(".target") and value == _ALL):
            return None
        return _read(inner, value, where)
    if origin is tuple:
        if not isinstance(value, list) or len(value) > 100:
            raise FormError(f"{where}: want a list")
        return tuple(_read(typing.get_args(hint)[0], item, where) for item in value)
    if hint is ServiceKey:
        return _service(value, where)
    if hint is Share:
        if not isinstance(value, Mapping):
            raise FormError(f"{where}: want objects with version and percent")
        return _read_record(Share, value, where)
    if hint is str:
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
            raise FormError(f"{where}: want a line of text, {_LONGEST_TEXT} characters at most")
        return value
    if hint is bool:
        if not isinstance(value, bool):
            raise FormError(f"{where}: want true or false")
        return value
    if hint in (int, Decimal):
        return _number(hint, value, where)
    if hint is timedelta:
        if not isinstance(value, str) or not _SPAN.fullmatch(value):
            raise FormError(f'{where}: want a duration with its unit, such as "10s"')
        return sum((int(number) * _UNITS[unit] for number, unit in _SPAN_PART.findall(value)), timedelta(0))
    try:
        return hint(value)
    except ValueError:
        raise FormError(f"{where}: want one of {', '.join(member.value for member in hint)}") from None


def _number(hint: type, value: object, where: str) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        raise FormError(f"{where}: want a number")
    if hint is int:
        if value != int(value):
            raise FormError(f"{where}: want a whole number")
        return int(value)
    try:
        return Decimal(str(round(value, 4)))
    except InvalidOperation:
        raise FormError(f"{where}: want a number") from None


def _service(value: object, where: str) -> ServiceKey:
    if not isinstance(value, str) or not value:
        raise FormError(f"{where}: want a service's name")
    namespace, slash, name = value.partition("/")
    return ServiceKey(namespace, name) if slash else ServiceKey(DEFAULT_NAMESPACE, namespace)
