"""Where resources come from."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import AggregatedConfigSource, ApiVersion, ConfigSource

from xds.messages import unchecked

_AggregatedConfigSource = unchecked(AggregatedConfigSource)
_ConfigSource = unchecked(ConfigSource)


def ads() -> ConfigSource:
    """The aggregated stream that brought this resource."""
    return _ConfigSource(ads=_AggregatedConfigSource(), resource_api_version=ApiVersion.V3)
