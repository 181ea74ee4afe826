"""An xDS management server: snapshots in, streams out. Knows no service and no policy. See docs/xds.md.

These names are what the package offers to others; each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xds.cache import SnapshotCache
    from xds.errors import EncodeError, RequestError, SnapshotError, XdsError
    from xds.fleet import Fleet
    from xds.flow import Flow
    from xds.listening import Tls, Transport
    from xds.resource import Resource
    from xds.resource_types import RESOURCE_TYPES, ResourceKey, ResourceType, resource_type
    from xds.server import Server, node_cluster, node_id
    from xds.snapshot import Snapshot

__all__ = [
    "RESOURCE_TYPES",
    "EncodeError",
    "Fleet",
    "Flow",
    "RequestError",
    "Resource",
    "ResourceKey",
    "ResourceType",
    "Server",
    "Snapshot",
    "SnapshotCache",
    "SnapshotError",
    "Tls",
    "Transport",
    "XdsError",
    "node_cluster",
    "node_id",
    "resource_type",
]

_HOMES = {
    "cache": ("SnapshotCache",),
    "errors": ("EncodeError", "RequestError", "SnapshotError", "XdsError"),
    "fleet": ("Fleet",),
    "flow": ("Flow",),
    "listening": ("Tls", "Transport"),
    "resource": ("Resource",),
    "resource_types": ("RESOURCE_TYPES", "ResourceKey", "ResourceType", "resource_type"),
    "server": ("Server", "node_cluster", "node_id"),
    "snapshot": ("Snapshot",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
