"""JSON merged into Envoy's messages: what fits is decided by the message classes of envoy-data-plane.

A merge is strategic, as Kubernetes has it. Objects are merged field by field; null takes a field away; a list is
replaced, but for lists of messages that have a name: there each item is merged into the one of its name (without a
name, into the one at its place), new ones are added, and {name: x, $patch: delete} takes one away. An `Any` is merged
into one of the same "@type", and replaces one of another.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from betterproto2 import FieldMetadata, Message
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google.protobuf import Any as Packed
from envoy_data_plane.google.protobuf import ListValue, Struct, Value
from envoy_data_plane.message_pool import default_message_pool
from pydantic.alias_generators import to_camel

from policy.problems import nearest, plain, shown
from xds.encoder import pack
from xds.misfits import field_table

TYPE = "@type"
DIRECTIVE = "$patch"

_PREFIX = "type.googleapis.com/"
_DURATION = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?s")
_PACKAGE = re.compile(r"(envoy|xds|udpa|google|opentelemetry|cel)(\.[a-z0-9_]+)*\.[A-Z][A-Za-z0-9_.]*")
_RANGES = {
    **dict.fromkeys(("int32", "sfixed32", "sint32"), (-(2**31), 2**31 - 1)),
    **dict.fromkeys(("int64", "sfixed64", "sint64"), (-(2**63), 2**63 - 1)),
    **dict.fromkeys(("fixed32", "uint32"), (0, 2**32 - 1)),
    **dict.fromkeys(("fixed64", "uint64"), (0, 2**64 - 1)),
}
_FREE = (Struct, Value, ListValue)
"""Messages that stand for any JSON."""


class Misfit(NamedTuple):
    """A value that has no place in a message. path: from the patch on, "" for all of it."""

    path: str
    got: str
    want: str


def misfits(cls: type[Message], patch: object, path: str = "") -> Iterator[Misfit]:
    """What of `patch` cannot be merged into any message of `cls`."""
    if cls in _FREE:
        return
    if not isinstance(patch, Mapping):
        yield Misfit(path, shown(patch), f"an object: {cls.__name__}")
        return
    if cls is Packed:
        inner = _packed_class(patch.get(TYPE))
        if inner is None:
            got = shown(patch[TYPE]) if TYPE in patch else "nothing"
            want = f'the type of a message of Envoy, such as "{_PREFIX}envoy.extensions.filters.http.lua.v3.Lua"'
            yield Misfit(_below(path, TYPE), got, want)
        else:
            yield from misfits(inner, _without(patch, TYPE), path)
        return
    table, names = field_table(cls), _fields(cls)
    taken: dict[str, str] = {}
    for key, value in patch.items():
        where = _below(path, key)
        name = names.get(key)
        if name is None:
            want = f"a field of {cls.__name__}{nearest(str(key), sorted(table.meta_by_field_name))}"
            yield Misfit(where, "a field that does not exist", want)
            continue
        meta = table.meta_by_field_name[name]
        if value is None:
            continue
        if meta.group and (other := taken.setdefault(meta.group, key)) != key:
            yield Misfit(where, f"{key} beside {other}", "one of them: they exclude each other")
        yield from _misfits_of_field(cls, name, meta, value, where)


def merge(message: Message, patch: Mapping[str, Any]) -> None:
    """Merges `patch`, which has no misfits, into `message`."""
    table, names = field_table(type(message)), _fields(type(message))
    for key, value in patch.items():
        name = names[key]
        meta = table.meta_by_field_name[name]
        if value is None:
            setattr(message, name, table.default_gen[name]())
            continue
        if meta.group:
            for other in table.oneof_field_by_group[meta.group]:
                if other.name != name:
                    setattr(message, other.name, None)
        current = getattr(message, name)
        if meta.map_meta is not None:
            setattr(message, name, _merged_map(table.cls_by_field[f"{name}.value"], meta.map_meta, current, value))
        elif meta.repeated:
            setattr(message, name, _merged_list(table.cls_by_field[name], meta, current, value))
        else:
            setattr(message, name, _merged(table.cls_by_field[name], meta, current, value))


def _misfits_of_field(
    cls: type[Message], name: str, meta: FieldMetadata, value: object, where: str
) -> Iterator[Misfit]:
    table = field_table(cls)
    if meta.map_meta is not None:
        if not isinstance(value, Mapping):
            yield Misfit(where, shown(value), "an object")
            return
        for key, item in value.items():
            if item is not None:
                yield from _misfits_of_value(
                    table.cls_by_field[f"{name}.value"], meta.map_meta[1], item, _below(where, key)
                )
    elif meta.repeated:
        if not isinstance(value, list | tuple):
            yield Misfit(where, shown(value), "a list")
            return
        element = table.cls_by_field[name]
        for index, item in enumerate(value):
            place = f"{where}[{index}]"
            if _is_removal(item):
                if "name" not in item or not _has_name(element) or item[DIRECTIVE] != "delete" or len(item) > 2:
                    yield Misfit(
                        place, f"a {DIRECTIVE}", f"{{name: ..., {DIRECTIVE}: delete}}, in a list of messages with names"
                    )
            else:
                yield from _misfits_of_value(element, meta, item, place)
    else:
        yield from _misfits_of_value(table.cls_by_field[name], meta, value, where)


def _misfits_of_value(cls: type, meta: FieldMetadata, value: object, where: str) -> Iterator[Misfit]:
    if meta.proto_type == "message" and meta.unwrap is None:
        yield from misfits(cls, value, where)
        return
    try:
        _scalar(cls, meta, value)
    except ValueError as error:
        yield Misfit(where, shown(value), str(error))


def _merged_map(
    cls: type, metas: tuple[FieldMetadata, FieldMetadata], current: Mapping[Any, Any], patch: Mapping[str, Any]
) -> dict[Any, Any]:
    made = dict(current)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(cls, metas[1], made.get(key), value)
    return made


def _merged_list(cls: type, meta: FieldMetadata, current: Sequence[Any], patch: Sequence[Any]) -> list[Any]:
    if meta.proto_type != "message" or not _has_name(cls):
        return [_merged(cls, meta, None, item) for item in patch]
    made = list(current)
    for index, item in enumerate(patch):
        name = item.get("name")
        at = next((place for place, held in enumerate(made) if held.name == name), None)
        if name is None and index < len(made):
            at = index
        if _is_removal(item):
            if at is not None:
                del made[at]
        elif at is not None:
            merge(made[at], item)
        else:
            # The last HTTP filter is the router, and nothing may come behind it.
            made.insert(len(made) - 1 if cls is HttpFilter and made else len(made), _merged(cls, meta, None, item))
    return made


def _merged(cls: type, meta: FieldMetadata, current: Any, value: Any) -> Any:  # noqa: ANN401  # any value of a field
    if meta.proto_type != "message" or meta.unwrap is not None:
        return _scalar(cls, meta, value)
    if cls is Packed:
        return _merged_packed(current, value)
    if cls is Struct and current is not None and isinstance(value, Mapping):
        return Struct.from_dict({**current.to_dict(), **value})
    if cls in _FREE:
        return cls.from_dict(value)
    made = cls() if current is None else current
    merge(made, value)
    return made


def _merged_packed(current: Packed | None, patch: Mapping[str, Any]) -> Packed:
    inner = _packed_class(patch[TYPE])
    assert inner is not None, patch[TYPE]
    held = current is not None and current.type_url == patch[TYPE]
    message = inner.parse(current.value) if current is not None and held else inner()
    merge(message, _without(patch, TYPE))
    return pack(message)


def _scalar(cls: type, meta: FieldMetadata, value: object) -> Any:  # noqa: ANN401  # any scalar
    """The value as the field holds it. Raises ValueError, with what would be right."""
    if meta.unwrap is not None:
        wrapper: type[Message] = meta.unwrap()
        if wrapper.__name__ == "Duration":
            return _duration(value)
        meta = field_table(wrapper).meta_by_field_name.get("value", meta)
        if wrapper.__name__ == "Timestamp":
            raise ValueError("nothing: times cannot be patched")
    match meta.proto_type:
        case "bool":
            if not isinstance(value, bool):
                raise ValueError("true or false")
            return value
        case "string":
            if not isinstance(value, str):
                raise ValueError("a text")
            return value
        case "bytes":
            return _octets(value)
        case "enum":
            return _enum(cls, value)
        case "double" | "float":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError("a number")
            return float(value)
        case kind:
            low, high = _RANGES[kind]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"a whole number from {low} to {high}")
            return value


def _duration(value: object) -> timedelta:
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError('a duration in seconds, such as "0.5s"')
    try:
        return timedelta(seconds=float(value[:-1]))
    except OverflowError:
        raise ValueError("a duration of at most some million years") from None


def _octets(value: object) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except binascii.Error:
        pass
    raise ValueError("octets in base64")


def _enum(cls: Any, value: object) -> Any:  # noqa: ANN401  # an enum of betterproto's
    members = {member.name: member for member in cls}
    if isinstance(value, str) and value in members:
        return members[value]
    words = ", ".join(members)
    hint = nearest(value, list(members)) if isinstance(value, str) else ""
    raise ValueError(f"one of {words}{hint}")


@cache
def _fields(cls: type[Message]) -> dict[str, str]:
    """The fields of a class by the names that Envoy's documentation and JSON have for them."""
    found = {}
    for name in field_table(cls).meta_by_field_name:
        word = name.rstrip("_")  # betterproto keeps away from Python's own words
        found.update({name: name, word: name, to_camel(word): name})
    return found


def _has_name(cls: type) -> bool:
    meta = field_table(cls).meta_by_field_name.get("name") if issubclass(cls, Message) else None
    return meta is not None and meta.proto_type == "string"


def _packed_class(url: object) -> type[Message] | None:
    """The class of a type URL. Classes are known once their module is imported."""
    if not isinstance(url, str) or not url.startswith(_PREFIX):
        return None
    name = url.removeprefix(_PREFIX)
    if url not in default_message_pool.url_to_type and _PACKAGE.fullmatch(name):
        package = re.split(r"\.(?=[A-Z])", name, maxsplit=1)[0]
        try:
            importlib.import_module(f"envoy_data_plane.{package}")
        except ModuleNotFoundError:
            return None
    return default_message_pool.url_to_type.get(url)


def _is_removal(item: object) -> bool:
    return isinstance(item, Mapping) and DIRECTIVE in item


def _without(patch: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in patch.items() if name != key}


def _below(path: str, key: object) -> str:
    name = plain(str(key))
    return f"{path}.{name}" if path else name
