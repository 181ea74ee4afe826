"""What the console shows, gathered from the control plane's parts."""

from __future__ import annotations

from typing import Any

from controlplane.operations import Operations
from xds.fleet import ClientStatus, Fleet

_REVISIONS = 20


async def view(operations: Operations, fleet: Fleet, *, published_revision: int) -> dict[str, Any]:
    """The state of things, as JSON holds it (`console.app.View`)."""
    mesh = operations.mesh
    revisions = await operations.revisions(before=None, limit=_REVISIONS)
    return {
        "revision": mesh.revision,
        "published_revision": published_revision,
        "proxies": [_proxy(status) for status in fleet.status()],
        "services": [
            {"name": str(key), "endpoints": len(mesh.endpoints_of(key)), "versions": list(mesh.versions_of(key))}
            for key in sorted(mesh.services)
        ],
        "revisions": [
            {
                "number": revision.number,
                "at": revision.at.isoformat(),
                "author": revision.author,
                "reason": revision.reason,
                "changes": [str(change) for change in revision.changes],
            }
            for revision in revisions
        ],
    }


def _proxy(status: ClientStatus) -> dict[str, Any]:
    refused = [item for item in status.types if item.nacked is not None]
    return {
        "node_id": status.client.node_id,
        "group": status.client.group,
        "variant": status.client.variant,
        "connected_since": status.client.connected_since.isoformat(),
        "known_group": status.known_group,
        "in_sync": status.in_sync,
        "refusals": [f"{item.type} {item.nacked.reason}" for item in refused if item.nacked is not None],
    }
