"""The encoder writes what betterproto2 writes, what the official classes read, and refuses what no field can carry."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from betterproto2 import FieldMetadata, Message, encode_varint
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterLbPolicy
from envoy_data_plane.envoy.config.core.v3 import Address, HealthCheck, Metadata, Node, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.config.listener.v3 import FilterChain, Listener
from envoy_data_plane.envoy.config.listener.v3 import Filter as NetworkFilter
from envoy_data_plane.envoy.config.metrics.v3 import HistogramBucketSettings
from envoy_data_plane.envoy.config.rbac.v3 import Rbac
from envoy_data_plane.envoy.config.route.v3 import Route, RouteConfiguration, VirtualHost
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtAuthentication
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import DownstreamTlsContext, Secret
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from envoy_data_plane.envoy.service.load_stats.v3 import LoadStatsRequest
from envoy_data_plane.google.protobuf import (
    BytesValue,
    DoubleValue,
    Duration,
    FileDescriptorProto,
    Int32Value,
    ListValue,
    StringValue,
    Struct,
    Timestamp,
    UInt64Value,
    Value,
)
from envoy_data_plane.google.protobuf import Any as Packed
from envoy_data_plane.opentelemetry.proto.metrics.v1 import ExponentialHistogramDataPoint, NumberDataPoint
from hypothesis import HealthCheck as Health
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pure.xds.conftest import OfficialClasses
from xds import wire
from xds.encoder import encode, pack, type_url
from xds.errors import EncodeError
