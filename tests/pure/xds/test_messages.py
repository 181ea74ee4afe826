"""Messages that are made unchecked are those that their class makes."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import SocketAddress
from envoy_data_plane.envoy.config.route.v3 import Route, RouteMatch

from xds.encoder import encode
from xds.errors import EncodeError
from xds.messages import unchecked


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (SocketAddress, {"address": "10.0.0.1", "port_value": 80}),
        (Cluster, {"name": "a", "type": ClusterDiscoveryType.EDS, "lrs_report_endpoint_metrics": ["cpu"]}),
        (Route, {"match": RouteMatch(prefix="/"), "request_headers_to_remove": ["x"]}),
        (Route, {}),
    ],
)
def test_they_are_equal_and_have_the_same_bytes(cls: type[Message], fields: dict[str, Any]) -> None:
    made, by_class = unchecked(cls)(**fields), cls(**fields)
    assert made == by_class
    assert encode(made) == encode(by_class) == bytes(by_class)


def test_no_two_messages_share_a_list() -> None:
    make = unchecked(Route)
    one, other = make(), make()
    one.request_headers_to_remove.append("x")
    assert other.request_headers_to_remove == []


def test_a_field_that_the_class_does_not_have_is_refused() -> None:
    make: Any = unchecked(SocketAddress)
    with pytest.raises(TypeError, match="SocketAddress has no field adress"):
        make(adress="10.0.0.1")


def test_a_value_that_the_field_cannot_carry_is_refused_when_it_is_encoded() -> None:
    make: Any = unchecked(SocketAddress)
    with pytest.raises(EncodeError, match="port_value"):
        encode(make(port_value=-1))
