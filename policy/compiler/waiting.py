"""Requests that wait for their host to be found: the filters in front of an outbound listener's chain.

Envoy 1.40 lets such a request go on in the chain of filters that it has, where those that only its route enables are
missing. So the routes that ask for any enable a mark among them, too, and the guard, which is always there, refuses a
request without it: better one that is sent again than one that no policy met.
"""

from __future__ import annotations

from collections.abc import Mapping

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import FilterConfig
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute
from envoy_data_plane.envoy.extensions.filters.http.on_demand.v3 import OnDemand
from envoy_data_plane.envoy.extensions.filters.http.set_metadata.v3 import Config as SetMetadata
from envoy_data_plane.envoy.extensions.filters.http.set_metadata.v3 import Metadata
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google.protobuf import Any as Packed
from envoy_data_plane.google.protobuf import Struct

from xds.encoder import pack

_MARK, _GUARD = "envoy.filters.http.set_metadata/on_demand", "envoy.filters.http.lua/on_demand"
_CODE = "refuse unmarked"
_SCRIPT = f"""
function envoy_on_request(handle)
  if handle:streamInfo():dynamicMetadata():get("{_MARK}") == nil then
    handle:respond({{[":status"] = "503", ["retry-after"] = "0"}},
      "the way to this service was found just now, too late for its policies: send the request again\\n")
  end
end
"""


def filters() -> list[HttpFilter]:
    """What stands first: whatever else there is depends on the route."""
    mark = Metadata(metadata_namespace=_MARK, value=Struct.from_dict({"met": True}))
    guard = Lua(source_codes={_CODE: DataSource(inline_string=_SCRIPT)}, stat_prefix="on_demand")
    return [
        HttpFilter(name="envoy.filters.http.on_demand", typed_config=pack(OnDemand())),
        HttpFilter(name=_MARK, typed_config=pack(SetMetadata(metadata=[mark])), disabled=True),
        HttpFilter(name=_GUARD, typed_config=pack(guard)),
    ]


def on_route() -> Mapping[str, Packed]:
    """The `typed_per_filter_config` of a route that asks for filters."""
    return {_MARK: pack(FilterConfig(config=Packed())), _GUARD: pack(LuaPerRoute(name=_CODE))}
