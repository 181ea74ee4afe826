"""An xDS server as a process of its own, by the public interface: `python -m tests.xds_process PORT MARK COUNT`.

It serves the node "edge-1" COUNT clusters of some kilobytes each, as of MARK, and more of the next mark when told so by
a line on its input. It prints its port.
"""

from __future__ import annotations

import asyncio
import sys

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import Metadata
from envoy_data_plane.google.protobuf import Struct, Value

from xds import Resource, Server, SnapshotCache, node_id

NODE = "edge-1"


def large(name: str, mark: int) -> Resource:
    """A cluster of 16 kB."""
    padding = Struct(fields={"padding": Value(string_value=str(mark) * 16_000)})
    return Resource.of(Cluster(name=name, metadata=Metadata(filter_metadata={"test": padding})))


async def main(port: int, mark: int, count: int) -> None:
    cache = SnapshotCache()
    server = Server(cache, group_of=node_id)
    names = [f"cluster-{number}" for number in range(count)]
    cache.set(NODE, [large(name, mark) for name in names])
    sys.stdout.write(f"{await server.start(f'127.0.0.1:{port}')}\n")
    sys.stdout.flush()
    while await asyncio.to_thread(sys.stdin.readline):
        mark += 1
        cache.set(NODE, [large(name, mark) for name in names])


if __name__ == "__main__":
    asyncio.run(main(*(int(argument) for argument in sys.argv[1:])))
