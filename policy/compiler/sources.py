"""Where resources come from."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import AggregatedConfigSource, ApiVersion, ConfigSource


def ads() -> ConfigSource:
    """The aggregated stream that brought this resource."""
    return ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)
