"""The encoder writes what betterproto2 writes, what the official classes read, and refuses what no field can carry."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from betterproto2 import FieldMetadata, Message, encode_varint
from envoy_data_plane.cel.expr import SourceInfo
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import Address, Metadata, Pipe, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.metrics.v3 import HistogramBucketSettings
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost
from envoy_data_plane.envoy.data.core.v3 import TlvsMetadata
from envoy_data_plane.envoy.extensions.filters.http.proto_message_extraction.v3 import MethodExtraction
from envoy_data_plane.envoy.extensions.filters.network.dubbo_proxy.v3 import MethodMatch
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse
from envoy_data_plane.google.protobuf import Any as Packed
from envoy_data_plane.google.protobuf import DoubleValue, Duration, ListValue, Struct, Timestamp, UInt32Value, Value
from envoy_data_plane.validate import (
    BoolRules,
    BytesRules,
    DoubleRules,
    DurationRules,
    FieldRules,
    Fixed32Rules,
    Fixed64Rules,
    FloatRules,
    Int32Rules,
    Int64Rules,
    SFixed32Rules,
    SFixed64Rules,
    SInt32Rules,
    SInt64Rules,
    StringRules,
    TimestampRules,
    UInt32Rules,
    UInt64Rules,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.official import OfficialClasses
from xds import wire
from xds.encoder import encode, pack, type_url
from xds.errors import EncodeError

CLASSES: list[type[Message]] = [
    Bootstrap,
    Cluster,
    ClusterLoadAssignment,
    DeltaDiscoveryResponse,
    FieldRules,
    HistogramBucketSettings,
    HttpConnectionManager,
    Listener,
    MethodExtraction,
    MethodMatch,
    Packed,
    RouteConfiguration,
    Secret,
    SourceInfo,
    Struct,
    TlvsMetadata,
    Value,
]

# Of each scalar type and of times, single fields and repeated ones.
SCALAR_CLASSES: list[type[Message]] = [
    BoolRules,
    BytesRules,
    DoubleRules,
    DurationRules,
    Fixed32Rules,
    Fixed64Rules,
    FloatRules,
    Int32Rules,
    Int64Rules,
    SFixed32Rules,
    SFixed64Rules,
    SInt32Rules,
    SInt64Rules,
    StringRules,
    TimestampRules,
    UInt32Rules,
    UInt64Rules,
]

# Shrinking would start two interpreters for each of hundreds of steps.
_UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)

# Deprecated fields warn when they are set, and are encoded like others.
deprecated_fields_too = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")


def int_of(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.one_of(st.integers(0, 300), st.integers(low, high), st.sampled_from([low, high]))


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "bytes": st.one_of(st.binary(max_size=6), st.just(b"\xff" * 20_000)),
    "double": st.floats().map(lambda value: value + 0.0),  # -0.0 + 0.0 is 0.0: betterproto2 loses the former's sign
    "float": st.floats(width=32).map(lambda value: value + 0.0),
    "string": st.one_of(st.text(max_size=6), st.sampled_from(["x" * 127, "y" * 128, "ä€😀" * 3000])),
    **dict.fromkeys(("int32", "sint32", "sfixed32"), int_of(32, signed=True)),
    **dict.fromkeys(("int64", "sint64", "sfixed64"), int_of(64, signed=True)),
    **dict.fromkeys(("uint32", "fixed32"), int_of(32, signed=False)),
    **dict.fromkeys(("uint64", "fixed64"), int_of(64, signed=False)),
}
# betterproto2 does not write a negative duration with a fraction right.
DURATIONS = st.one_of(st.timedeltas(timedelta(0), timedelta(days=30_000)), st.just(timedelta(seconds=-90)))
DATETIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]))


def values(meta: FieldMetadata, cls: Any, depth: int) -> st.SearchStrategy[Any] | None:
    """Values that one field of this description can hold; None if that would be nested deeper than `depth`."""
    if meta.proto_type == "enum":
        return st.one_of(st.sampled_from(list(cls)), st.sampled_from([-5, 4711]).map(cls))
    if meta.proto_type != "message":
        return SCALARS[meta.proto_type]
    if meta.unwrap is None:
        return messages(cls, depth - 1) if depth else None
    wrapper: Any = meta.unwrap()
    if wrapper is Duration:
        return DURATIONS
    if wrapper is Timestamp:
        return DATETIMES
    return SCALARS[wrapper._betterproto.meta_by_field_name["value"].proto_type]


@st.composite
def messages(draw: st.DrawFn, cls: Any, depth: int) -> Message:
    """Messages of `cls` with a few of its fields set, and at most one of a oneof."""
    table = cls._betterproto
    fields: dict[str, Any] = {}
    groups: set[str] = set()
    for name in draw(st.lists(st.sampled_from(sorted(table.meta_by_field_name) or [""]), max_size=4, unique=True)):
        meta = table.meta_by_field_name.get(name)
        if meta is None or meta.group in groups:
            continue
        if meta.map_meta:
            held = values(meta.map_meta[1], table.cls_by_field[f"{name}.value"], depth)
            if held is not None:
                entries = draw(st.dictionaries(SCALARS[meta.map_meta[0].proto_type], held, max_size=3))
                fields[name] = dict(sorted(entries.items()))  # betterproto2 writes them as they come
            continue
        held = values(meta, table.cls_by_field[name], depth)
        if held is not None:
            fields[name] = draw(st.lists(held, max_size=3) if meta.repeated else held)
            groups |= {meta.group} if meta.group else set()
    return cls(**fields)  # type: ignore[no-any-return]


anything = st.sampled_from([*CLASSES, *SCALAR_CLASSES]).flatmap(lambda cls: messages(cls, 3))


@deprecated_fields_too
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(message=anything)
def test_the_bytes_are_those_of_betterproto2(message: Message) -> None:
    assert encode(message) == bytes(message)


@pytest.mark.parametrize("cls", SCALAR_CLASSES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_each_scalar_is_written_as_by_betterproto2(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls, 0))
    assert encode(message) == bytes(message)


@deprecated_fields_too
@pytest.mark.xdist_group("xds-protos")
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=_UNSHRUNK)
@given(batch=st.lists(anything, min_size=40, max_size=60))
def test_the_official_classes_read_what_betterproto2_means(official: OfficialClasses, batch: list[Message]) -> None:
    names = [type_url(message).rpartition("/")[2] for message in batch]
    ours = official.read((name, encode(message)) for name, message in zip(names, batch, strict=True))
    theirs = official.read((name, bytes(message)) for name, message in zip(names, batch, strict=True))
    assert [reading.strays for reading in ours] == [[]] * len(batch)
    assert ours == theirs


@pytest.mark.xdist_group("xds-protos")
def test_the_official_classes_read_what_betterproto2_gets_wrong(official: OfficialClasses) -> None:
    texts = {
        "google.protobuf.DoubleValue": (DoubleValue(value=-0.0), "value: -0.0"),
        "envoy.config.metrics.v3.HistogramBucketSettings": (
            HistogramBucketSettings(buckets=[0.0, -0.0]),
            "buckets: 0.0 buckets: -0.0",
        ),
        "envoy.config.cluster.v3.Cluster": (
            Cluster(connect_timeout=timedelta(seconds=-1.5)),
            "connect_timeout { seconds: -1 nanos: -500000000 }",
        ),
        "envoy.config.listener.v3.Listener": (
            Listener(listener_filters_timeout=timedelta(days=3_652_499, microseconds=999_999)),
            "listener_filters_timeout { seconds: 315575913600 nanos: 999999000 }",
        ),
    }
    readings = official.read((name, encode(message)) for name, (message, _) in texts.items())
    assert [reading.text for reading in readings] == [text for _, text in texts.values()]


def test_an_empty_message_in_a_repeated_field_is_still_an_item() -> None:
    assert encode(FilterChain(filters=[Filter(), Filter()])) == b"\x1a\x00\x1a\x00"
    assert encode(ListValue(values=[Value()])) == b"\x0a\x00"


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (timedelta(0), b""),
        (timedelta(milliseconds=250), b"\x10\x80\xe5\x9a\x77"),
        (timedelta(seconds=3), b"\x08\x03"),
        (timedelta(microseconds=-1), b"\x10" + encode_varint(-1000)),
        (timedelta(seconds=-1), b"\x08" + encode_varint(-1)),
        (timedelta(seconds=-2, microseconds=-5), b"\x08" + encode_varint(-2) + b"\x10" + encode_varint(-5000)),
        (timedelta(days=3_652_500), b"\x08" + encode_varint(315_576_000_000)),
    ],
)
def test_both_parts_of_a_duration_have_its_sign(value: timedelta, body: bytes) -> None:
    assert encode(Cluster(connect_timeout=value)) == wire.length_delimited(4, body)


def test_negative_zero_is_no_default() -> None:
    assert encode(DoubleValue(value=0.0)) == b""
    assert encode(DoubleValue(value=-0.0)) == b"\x09" + struct.pack("<d", -0.0)
    assert encode(FieldRules.parse(b"\x0a\x05\x0d\x00\x00\x00\x80")) == b"\x0a\x05\x0d\x00\x00\x00\x80"


@pytest.mark.parametrize("seed", range(4))
def test_the_order_in_which_a_map_was_filled_does_not_show(seed: int) -> None:
    entries = {f"key-{number}": Value(number_value=number) for number in range(20)}
    shuffled = random.Random(seed).sample(sorted(entries), len(entries))
    message = Metadata(filter_metadata={"f": Struct(fields={key: entries[key] for key in shuffled})})
    ordered = Metadata(filter_metadata={"f": Struct(fields=dict(sorted(entries.items())))})
    assert encode(message) == bytes(ordered)


def test_fields_that_the_classes_do_not_know_are_kept() -> None:
    unknown = wire.length_delimited(1999, b"from the future")
    body = wire.length_delimited(1, wire.string(1, "/run/x") + unknown)
    parsed = Address.parse(wire.length_delimited(2, wire.string(1, "/run/x") + unknown) + unknown)
    assert encode(parsed) == wire.length_delimited(2, body[2:]) + unknown
    assert encode(Address(pipe=Pipe(path="/run/x"))) == wire.length_delimited(2, wire.string(1, "/run/x"))


def test_a_message_is_packed_with_its_type_url() -> None:
    message = UInt32Value(value=7)
    assert type_url(message) == "type.googleapis.com/google.protobuf.UInt32Value"
    assert pack(message) == Packed.pack(message)
    assert pack(VirtualHost(name="a")) == Packed.pack(VirtualHost(name="a"))


def assignment() -> ClusterLoadAssignment:
    address = Address(socket_address=SocketAddress(address="127.0.0.1", port_value=80))
    endpoint = LbEndpoint(endpoint=Endpoint(address=address))
    return ClusterLoadAssignment(cluster_name="pay", endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])])


def set_after(make: Callable[[], Any], path: str, value: object) -> Message:
    """A message with one value set behind the validator's back, as assignments are."""
    message = holder = make()
    *steps, last = path.split(".")
    for step in steps:
        holder = holder[int(step)] if step.isdigit() else getattr(holder, step)
    if last.isdigit():
        holder[int(last)] = value
    else:
        setattr(holder, last, value)
    return message  # type: ignore[no-any-return]


SOCKET = "endpoints.0.lb_endpoints.0.endpoint.address.socket_address"


@pytest.mark.parametrize(
    ("make", "path", "value", "says"),
    [
        (assignment, f"{SOCKET}.port_value", "80", "port_value: got '80', want an integer from 0 to 4294967295"),
        (assignment, f"{SOCKET}.port_value", 1 << 32, "port_value: got 4294967296, want an integer from 0"),
        (assignment, f"{SOCKET}.port_value", 80.0, "port_value: got 80.0, want an integer"),
        (assignment, f"{SOCKET}.named_port", "http", "port_specifier: got named_port and port_value, want one of them"),
        (assignment, f"{SOCKET}.address", b"::1", "address: got b'::1', want text that UTF-8 can carry"),
        (assignment, "cluster_name", "\ud800", r"ClusterLoadAssignment.cluster_name: got '\ud800', want text"),
        (assignment, "cluster_name", None, "ClusterLoadAssignment.cluster_name: got None, want text"),
        (assignment, "endpoints", 5, "ClusterLoadAssignment.endpoints: got 5, want LocalityLbEndpoints"),
        (assignment, "endpoints.0", None, "ClusterLoadAssignment.endpoints[0]: got None, want LocalityLbEndpoints"),
        (assignment, "endpoints.0", Pipe(path="/"), "endpoints[0]: got Pipe(path='/'), want LocalityLbEndpoints"),
        (assignment, "named_endpoints", {1: Endpoint()}, "named_endpoints[1]: got Endpoint(), want text that UTF-8"),
        (assignment, "named_endpoints", {"a": None}, "ClusterLoadAssignment.named_endpoints['a']: got None, want text"),
        (Cluster, "type", "EDS", "Cluster.type: got 'EDS', want an enum's value"),
        (Cluster, "type", 1 << 31, "Cluster.type: got 2147483648, want an enum's value"),
        (Cluster, "ignore_health_on_host_removal", 1, "ignore_health_on_host_removal: got 1, want True or False"),
        (Cluster, "connect_timeout", 5, "Cluster.connect_timeout: got 5, want a timedelta of at most 10,000 years"),
        (Cluster, "connect_timeout", timedelta.max, "Cluster.connect_timeout: got datetime.timedelta(days=999999999"),
        (Cluster, "per_connection_buffer_limit_bytes", -1, "limit_bytes: got -1, want an integer from 0 to 4294967295"),
        (Timestamp, "nanos", 1 << 31, "nanos: got 2147483648, want an integer from -2147483648 to 2147483647"),
        (Timestamp, "seconds", -1 << 64, "Timestamp.seconds: got -18446744073709551616, want an integer from -9223372"),
        (Packed, "value", "text", "Any.value: got 'text', want bytes"),
        (DoubleValue, "value", "1", "DoubleValue.value: got '1', want a number"),
    ],
)
def test_a_value_that_its_field_cannot_carry_is_named(
    make: Callable[[], Any], path: str, value: object, says: str
) -> None:
    with pytest.raises(EncodeError) as refused:
        encode(set_after(make, path, value))
    assert says in str(refused.value)


def test_the_path_to_a_refused_value_is_told() -> None:
    path = "ClusterLoadAssignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value"
    with pytest.raises(EncodeError) as refused:
        encode(set_after(assignment, f"{SOCKET}.port_value", -1))
    assert str(refused.value) == f"{path}: got -1, want an integer from 0 to 4294967295"


def test_a_time_without_a_time_zone_is_refused() -> None:
    naive = datetime(2024, 5, 1)  # noqa: DTZ001  # that is the point
    with pytest.raises(EncodeError, match=r"TimestampRules.const: got .* want a datetime with its time zone"):
        encode(set_after(TimestampRules, "const", naive))


@pytest.mark.parametrize("thing", [None, 5, "text", Cluster])
def test_only_messages_are_encoded(thing: Any) -> None:
    with pytest.raises(EncodeError, match="want a protobuf message"):
        encode(thing)
    with pytest.raises(EncodeError, match="want a message of envoy-data-plane"):
        type_url(thing)


def test_messages_without_an_end_are_refused() -> None:
    loop = ListValue()
    loop.values = [Value(list_value=ListValue())]
    loop.values[0].list_value = loop
    with pytest.raises(EncodeError, match="nested too deeply"):
        encode(loop)


def test_a_refusal_leaves_the_encoder_as_it_was() -> None:
    with pytest.raises(EncodeError):
        encode(set_after(Cluster, "type", "EDS"))
    assert encode(Cluster(type=ClusterDiscoveryType.EDS)) == b"\x10\x03"


@given(value=st.one_of(st.integers(0, 3_000_000), st.integers(0, (1 << 64) - 1)))
def test_varints_are_those_of_betterproto2(value: int) -> None:
    assert wire.varint(value) == encode_varint(value)


@pytest.mark.parametrize("value", [127, 128, 16_383, 16_384, 2_097_151, 2_097_152, (1 << 64) - 1])
def test_varints_grow_where_seven_bits_more_are_needed(value: int) -> None:
    assert wire.varint(value) == encode_varint(value)
    assert wire.tag(value, wire.LENGTH_DELIMITED) == encode_varint(value << 3 | 2)


def test_a_negative_varint_is_refused() -> None:
    with pytest.raises(ValueError, match="byte"):
        wire.varint(-1)


def test_an_empty_text_is_not_written() -> None:
    assert wire.string(3, "") == b""
    assert wire.string(3, "é") == b"\x1a\x02\xc3\xa9"
