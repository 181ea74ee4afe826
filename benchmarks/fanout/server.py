"""Our server as a process of its own: `python -m benchmarks.fanout.server --content shared|distinct …`

It speaks with the harness as the peer does: a line of JSON when it listens, then one for each command it reads. The
commands are `change NUMBER …`: these changes, one after the other, for all; and `aside NUMBER …`, for the group "aside"
alone, which has the same shared content. Times are of CLOCK_MONOTONIC, in nanoseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable

from benchmarks.fanout.content import all_of, cluster, endpoints, listener, node_name, numbers_of, routes
from xds.cache import SnapshotCache
from xds.fleet import Fleet
from xds.flow import Flow
from xds.garbage import collect_rarely
from xds.resource import Resource
from xds.server import Server, node_cluster
from xds.snapshot import Snapshot

GROUP = "bench"
ASIDE = "aside"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--content", choices=["shared", "distinct"], default="shared")
    parser.add_argument("--clusters", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--turns", type=int, default=Flow().turns, help="proxies served their first configuration at once"
    )
    parser.add_argument("--share-port", action="store_true", help="other processes may listen on the port, too")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(arguments: argparse.Namespace) -> None:
    cache, flow = SnapshotCache(), Flow(turns=arguments.turns)
    if arguments.content == "shared":
        snapshot = Snapshot.of(Resource.of(message) for message in all_of(range(arguments.clusters)))
        for group in (GROUP, ASIDE):
            cache.publish(group, snapshot)
        server = Server(cache, Fleet(), group_of=node_cluster, flow=flow)
    else:
        _publish_distinct(cache, arguments.clusters, arguments.nodes)
        server = Server(cache, Fleet(), group_of=lambda node: node.id, flow=flow)
    collect_rarely()
    _say(port=await server.start(f"127.0.0.1:{arguments.port}", share_port=arguments.share_port))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        start = time.monotonic_ns()
        command, *numbers = line.decode().split()
        for number in numbers:
            _change(cache, int(number), [ASIDE] if command == "aside" else list(cache.groups))
            await asyncio.sleep(0)  # as a control plane does: the next change comes by way of the loop
        _say(start_ns=start, end_ns=time.monotonic_ns())
    await server.stop(grace=0)


def _publish_distinct(cache: SnapshotCache, clusters: int, nodes: int) -> None:
    """A resource is made once, and shared between all snapshots that hold it."""
    pairs: dict[int, tuple[Resource, Resource]] = {}
    ingress = Resource.of(listener())
    for node in range(nodes):
        numbers = numbers_of(node, clusters)
        for number in numbers:
            if number not in pairs:
                pairs[number] = Resource.of(cluster(number)), Resource.of(endpoints(number))
        own = [resource for number in numbers for resource in pairs[number]]
        cache.publish(node_name(node), Snapshot.of([*own, ingress, Resource.of(routes(numbers))]))


def _change(cache: SnapshotCache, number: int, groups: Iterable[str]) -> None:
    changed = Resource.of(endpoints(0, number))
    for group in groups:
        cache.publish(group, cache.groups[group].replace(put=[changed]))


def _say(**answer: int) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
