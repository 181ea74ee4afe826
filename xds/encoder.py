"""Encodes envoy-data-plane messages: one function per message class, compiled on first use from its field table.

betterproto2 walks that table anew for each message, and validates each again; the compiled function does what is left
once the table is known. It is generated source, as in `dataclasses`: an unset field costs one attribute and one
comparison, and no call.

The bytes are those of betterproto2's `bytes(message)`, except that

- the entries of a map are sorted by key, so that the same content has the same bytes;
- -0.0 in a float or double field is written: proto3 omits positive zero alone;
- a Duration that is negative and no whole number of seconds, or centuries long, keeps its value;
- what betterproto2 lets pass though protobuf has no place for it is refused: an enum's value beyond int32, a Duration
  beyond 10,000 years, a number for a bool.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import copysign
from typing import cast

from betterproto2 import FieldMetadata, Message
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.message_pool import default_message_pool

from xds import wire
from xds.errors import EncodeError
from xds.misfits import REFUSALS, Encoder, field_table, misfit

_SCALARS: dict[str, tuple[int, Callable[..., bytes]]] = {
    "bool": (wire.VARINT, wire.boolean),
    "double": (wire.FIXED64, wire.float64),
    "enum": (wire.VARINT, wire.int32),
    "fixed32": (wire.FIXED32, wire.fixed32),
    "fixed64": (wire.FIXED64, wire.fixed64),
    "float": (wire.FIXED32, wire.float32),
    "int32": (wire.VARINT, wire.int32),
    "int64": (wire.VARINT, wire.int64),
    "sfixed32": (wire.FIXED32, wire.sfixed32),
    "sfixed64": (wire.FIXED64, wire.sfixed64),
    "sint32": (wire.VARINT, wire.sint32),
    "sint64": (wire.VARINT, wire.sint64),
    "uint32": (wire.VARINT, wire.uint32),
    "uint64": (wire.VARINT, wire.uint64),
}
_PLAIN_VARINTS = ("enum", "int32", "int64", "uint32", "uint64")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_DURATION = 315_576_000_000  # seconds, 10,000 years: google/protobuf/duration.proto


def encode(message: Message) -> bytes:
    """The message's bytes.

    Raises:
        EncodeError: a value that its field cannot carry; names the message, the field and the value.
    """
    try:
        return _ENCODERS[type(message)](message)
    except REFUSALS as error:
        raise EncodeError(misfit(message, error, _ENCODERS.__getitem__)) from error


def type_url(message: Message) -> str:
    """The name by which a google.protobuf.Any refers to the message's class.

    Raises:
        EncodeError: it is not a message of envoy-data-plane.
    """
    url = default_message_pool.type_to_url.get(type(message))
    if url is None:
        raise EncodeError(f"got {message!r}, want a message of envoy-data-plane")
    return url


def pack(message: Message) -> Any:
    """The message in a google.protobuf.Any.

    Raises:
        EncodeError: as `encode` and `type_url`.
    """
    return Any(type_url=type_url(message), value=encode(message))


class _Encoders(dict[type[Message], Encoder]):
    """The encoders of the message classes met so far."""

    def __missing__(self, cls: type[Message]) -> Encoder:
        if not issubclass(cls, Message):
            raise TypeError(f"{cls.__name__} is not a message class")
        self[cls] = encoder = _Source(cls).compiled()
        return encoder


_ENCODERS = _Encoders()


class _Source:
    """The source of one class's encoder, and the names that it uses. In it `m` is the message, `v` a field's value,
    `k` a map's key, `b` a payload and `n` its length."""

    def __init__(self, cls: type[Message]) -> None:
        self._table = field_table(cls)
        self._names: dict[str, object] = {
            "cls": cls,
            "copysign": copysign,
            **_TIMES,
            "join": b"".join,
            "octets": wire.octets,
            "small": wire.SMALL,
            "varint": wire.varint,
            **{f"write_{proto_type}": write for proto_type, (_, write) in _SCALARS.items()},
        }
        lines = [
            "def encoder(m):",
            " if m.__class__ is not cls and not isinstance(m, cls): raise TypeError",
            " out = []; add = out.append",
            *(f" {group}_taken = False" for group in self._table.oneof_field_by_group),
        ]
        for name, meta in self._table.meta_by_field_name.items():
            lines += [f" v = m.{name}", *self._field(name, meta)]
        lines.append(" return join(out) + m._unknown_fields")
        self.text = "\n".join(lines)

    def compiled(self) -> Encoder:
        # Only names and numbers from classes generated of .proto files are in the source.
        exec(self.text, self._names)  # noqa: S102
        return cast("Encoder", self._names["encoder"])

    def _field(self, name: str, meta: FieldMetadata) -> list[str]:
        """The lines that write the field whose value is in `v`."""
        cls = self._table.cls_by_field
        if meta.map_meta is not None:
            key, value = meta.map_meta
            entry = f"{self._single(key, 'k')} + {self._single(value, 'v', cls[f'{name}.value'])}"
            return [" if v:", f"  for k, v in sorted(v.items()): add({self._delimited(meta.number, entry)})"]
        if meta.repeated and meta.proto_type in _SCALARS:
            packed = f"join([{_scalar(meta.proto_type, 'v')} for v in v])"
            return [f" if v: add({self._delimited(meta.number, packed)})"]
        single = self._single(meta, "v", cls[name])
        if meta.repeated:
            return [" if v:", f"  for v in v: add({single})"]
        if meta.group:
            taken = f"{meta.group}_taken"
            return [" if v is not None:", f"  if {taken}: raise ValueError", f"  {taken} = True; add({single})"]
        return [f" if {'v is not None' if meta.optional else _given(meta.proto_type)}: add({single})"]

    def _single(self, meta: FieldMetadata, value: str, cls: type | None = None) -> str:
        """An expression for one field's bytes, tag and all; `cls` is the class of its value."""
        if meta.proto_type in _SCALARS:
            wire_type, _ = _SCALARS[meta.proto_type]
            tag = self._named(f"tag_{meta.number}_{wire_type}", wire.tag(meta.number, wire_type))
            return f"{tag} + {_scalar(meta.proto_type, value)}"
        if meta.proto_type == "string":
            payload = f"{value}.encode()"
        elif meta.proto_type == "bytes":
            payload = f"octets({value})"
        else:
            payload = self._message(meta, value, cls)
        return self._delimited(meta.number, payload)

    def _message(self, meta: FieldMetadata, value: str, cls: type | None) -> str:
        """An expression for the bytes of a message, or of what betterproto2 keeps unwrapped of one."""
        if meta.unwrap is None:
            return f"{self._child(cast('type[Message]', cls))}({value})"
        wrapper: type[Message] = meta.unwrap()
        if wrapper.__name__ in _TIMES:
            return f"{wrapper.__name__}({value})"
        inner = field_table(wrapper).meta_by_field_name["value"]  # UInt32Value and its like
        return f"({self._single(inner, value)} if {_given(inner.proto_type)} else b'')"

    def _delimited(self, number: int, payload: str) -> str:
        """An expression for a field of bytes, text or a message."""
        prefixes = self._named(f"prefixes_{number}", wire.prefixes(number, wire.LENGTH_DELIMITED))
        tag = self._named(f"tag_{number}_{wire.LENGTH_DELIMITED}", wire.tag(number, wire.LENGTH_DELIMITED))
        return f"(({prefixes}[n] if (n := len(b := {payload})) < 128 else {tag} + varint(n)) + b)"

    def _child(self, cls: type[Message]) -> str:
        """The name of another class's encoder. That is compiled when it is first needed, then put in its place: what
        a Cluster can hold is hundreds of classes, some holding each other; what one does hold is few."""
        name = f"{cls.__module__}.{cls.__qualname__}".replace(".", "_")
        names = self._names

        def encode_first(message: Message) -> bytes:
            names[name] = encoder = _ENCODERS[cls]
            return encoder(message)

        return self._named(name, encode_first)

    def _named(self, name: str, value: object) -> str:
        self._names.setdefault(name, value)
        return name


def _given(proto_type: str) -> str:
    """The condition that `v` is not its type's default. It holds for a value of a wrong type, too, so that the
    encoder refuses it."""
    match proto_type:
        case "bool":
            return "v is not False"
        case "string":
            return "v != ''"
        case "double" | "float":
            return "(v != 0 or copysign(1, v) < 0)"
        case "bytes":
            return "v != b''"
        case _:
            return "v != 0"


def _scalar(proto_type: str, value: str) -> str:
    """An expression for a number's bytes, without a tag."""
    written = f"write_{proto_type}({value})"
    if proto_type in _PLAIN_VARINTS:
        return f"(small[{value}] if 0 <= {value} < 128 else {written})"
    return written


def _duration(value: timedelta) -> bytes:
    seconds, microseconds = value.days * 86_400 + value.seconds, value.microseconds
    if seconds < 0 < microseconds:  # both parts have the same sign in protobuf; timedelta's fraction is never negative
        seconds, microseconds = seconds + 1, microseconds - 1_000_000
    if abs(seconds) > _LONGEST_DURATION:
        raise ValueError(f"{value} is longer than 10,000 years")
    return _seconds_and_nanos(seconds, microseconds * 1000)


def _timestamp(value: datetime) -> bytes:
    since = value - _EPOCH  # TypeError without a time zone
    return _seconds_and_nanos(since.days * 86_400 + since.seconds, since.microseconds * 1000)


def _seconds_and_nanos(seconds: int, nanos: int) -> bytes:
    """Fields 1 and 2 of both google.protobuf.Duration and google.protobuf.Timestamp."""
    return (b"\x08" + wire.int64(seconds) if seconds else b"") + (b"\x10" + wire.int32(nanos) if nanos else b"")


_TIMES = {"Duration": _duration, "Timestamp": _timestamp}
