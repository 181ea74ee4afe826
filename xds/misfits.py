"""Says which value of a message cannot be encoded, and what would be right.

Compiled encoders are fast and only fail; here the failing message is taken apart until the value is found.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from betterproto2 import FieldMetadata, Message, ProtoClassMetadata

Encoder: TypeAlias = Callable[[Message], bytes]
Encoders: TypeAlias = Callable[[type[Message]], Encoder]

REFUSALS = (AttributeError, TypeError, ValueError, OverflowError, RecursionError, struct.error)
"""What an encoder raises for a value that does not fit."""

_SHOWN = 100  # characters of a value

_WANT = {
    "bool": "True or False",
    "bytes": "bytes",
    "double": "a number",
    "enum": "an enum's value (-2147483648 to 2147483647)",
    "float": "a number within the range of 32-bit floats",
    "string": "text that UTF-8 can carry",
    **dict.fromkeys(("int32", "sfixed32", "sint32"), "an integer from -2147483648 to 2147483647"),
    **dict.fromkeys(("int64", "sfixed64", "sint64"), "an integer from -9223372036854775808 to 9223372036854775807"),
    **dict.fromkeys(("fixed32", "uint32"), "an integer from 0 to 4294967295"),
    **dict.fromkeys(("fixed64", "uint64"), "an integer from 0 to 18446744073709551615"),
}
_WANT_WRAPPED = {
    "Duration": "a timedelta of at most 10,000 years",
    "Timestamp": "a datetime with its time zone",
}


class _Fault(NamedTuple):
    path: str
    got: str
    want: str


def field_table(cls: type[Message]) -> ProtoClassMetadata:
    """betterproto2's own description of a message class."""
    table: ProtoClassMetadata = cls._betterproto  # type: ignore[arg-type]  # its classproperty is typed for instances
    return table


def misfit(message: object, error: Exception, encoders: Encoders) -> str:
    """What is wrong with `message`, whose encoder (one of `encoders`, by class) raised `error`."""
    if not isinstance(message, Message):
        return f"got {_shown(message)}, want a protobuf message"
    name = type(message).__name__
    if isinstance(error, RecursionError):
        return f"{name}: got messages nested too deeply to be encoded, want at most protobuf's 100 levels"
    fault = next(_faults(message, encoders), _Fault("", _shown(message), f"a message that can be encoded ({error!r})"))
    return f"{name}{fault.path}: got {fault.got}, want {fault.want}"


def _faults(message: Message, encoders: Encoders) -> Iterator[_Fault]:
    cls = type(message)
    table = field_table(cls)
    for name, meta in table.meta_by_field_name.items():
        value = vars(message).get(name)
        if _fits(cls, name, value, encoders):
            continue
        element = table.cls_by_field[f"{name}.value" if meta.map_meta else name]
        for step, item, alone in _items(meta, value):
            if not _fits(cls, name, alone, encoders):
                inner = _faults(item, encoders) if isinstance(item, Message) and isinstance(item, element) else ()
                for fault in inner:
                    yield fault._replace(path=f".{name}{step}{fault.path}")
                yield _Fault(f".{name}{step}", _shown(item), _want(meta, element))
        yield _Fault(f".{name}", _shown(value), _want(meta, element))
    for group, fields in table.oneof_field_by_group.items():
        given = sorted(field.name for field in fields if vars(message).get(field.name) is not None)
        if len(given) > 1:
            yield _Fault(f".{group}", " and ".join(given), "one of them: they share a oneof")


def _items(meta: FieldMetadata, value: object) -> Iterator[tuple[str, object, object]]:
    """The values in a field, with their place in it, and the field as it would be with this value alone."""
    if meta.map_meta and isinstance(value, dict):
        yield from ((f"[{key!r}]", item, {key: item}) for key, item in value.items())
    elif meta.repeated and isinstance(value, list):
        yield from ((f"[{index}]", item, [item]) for index, item in enumerate(value))
    else:
        yield "", value, value


def _fits(cls: type[Message], name: str, value: object, encoders: Encoders) -> bool:
    """Whether a message of `cls` with no field but this one can be encoded."""
    probe = object.__new__(cls)
    vars(probe).update({field: default() for field, default in field_table(cls).default_gen.items()})
    vars(probe).update({name: value, "_unknown_fields": b""})
    try:
        encoders(cls)(probe)
    except REFUSALS:
        return False
    return True


def _want(meta: FieldMetadata, element: type) -> str:
    if meta.map_meta is not None:
        key, value = meta.map_meta
        return f"{_want(key, element)} as key, {_want(value, element)} as value"
    if meta.proto_type != "message":
        return _WANT[meta.proto_type]
    if meta.unwrap is None:
        return element.__name__
    wrapper: type[Message] = meta.unwrap()
    return _WANT_WRAPPED.get(wrapper.__name__) or _WANT[field_table(wrapper).meta_by_field_name["value"].proto_type]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
