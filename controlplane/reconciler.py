"""From a changed mesh to published snapshots: compile, publish, tell. The newest mesh counts; none is queued."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from policy.compiler.compiler import Compiler, Demand
from registry.mesh import Mesh
from xds.cache import SnapshotCache
from xds.errors import XdsError

_log = logging.getLogger("apg.reconciler")


class Reconciler:
    """Publishes what the mesh compiles to.

    A single change goes at once. While changes keep coming, they are gathered until `quiet` has passed without one,
    or `ceiling` since the first of them.
    """

    def __init__(
        self,
        compiler: Compiler,
        cache: SnapshotCache,
        *,
        quiet: timedelta,
        ceiling: timedelta,
        published: Callable[[int, tuple[str, ...]], None],
        demand: Callable[[Mesh], Demand] = lambda _: {},
    ) -> None:
        """demand: what is asked for on demand, to compile a mesh with."""
        self._compiler = compiler
        self._cache = cache
        self._quiet = quiet.total_seconds()
        self._ceiling = ceiling.total_seconds()
        self._published = published
        self._demand = demand
        self._newest: Mesh | None = None
        self._served: Mesh | None = None
        self._changed = asyncio.Event()
        self.published_revision = 0  # of the newest mesh that the streams serve

    @property
    def served(self) -> Mesh | None:
        """The newest mesh that the streams serve."""
        return self._served

    def offer(self, mesh: Mesh) -> None:
        """A newer mesh, to be published soon."""
        self._newest = mesh
        self._changed.set()

    async def run(self) -> None:
        """Publishes until cancelled."""
        last = -self._quiet
        while True:
            await self._changed.wait()
            self._changed.clear()
            if time.monotonic() - last < self._quiet:
                await self._gather()
            self.publish()
            last = time.monotonic()

    def publish(self) -> None:
        """Compiles and publishes the newest mesh now. A mesh that does not compile changes nothing: the proxies keep
        what they have, and the log says why."""
        mesh, self._newest = self._newest, None
        if mesh is not None:
            self._publish(mesh)

    def publish_again(self) -> None:
        """Publishes now, though the mesh may be as it was: what is asked for on demand is not."""
        mesh, self._newest = self._newest or self._served, None
        if mesh is not None:
            self._publish(mesh)

    def _publish(self, mesh: Mesh) -> None:
        self._compiler.demand = self._demand(mesh)
        try:
            snapshots = self._compiler.compile(mesh)
        except XdsError as error:
            _log.error("revision=%d not published, the last one is served on: %s", mesh.revision, error)
            return
        gone = [group for group in self._cache.groups if group not in snapshots]
        changed = [group for group, snapshot in snapshots.items() if self._cache.get(group) is not snapshot]
        for group in gone:
            self._cache.clear(group)
        for group in changed:
            self._cache.publish(group, snapshots[group])
        self._served, self.published_revision = mesh, mesh.revision
        self._published(mesh.revision, tuple(sorted([*gone, *changed])))

    async def _gather(self) -> None:
        end = time.monotonic() + self._ceiling
        while (left := end - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(self._quiet, left)):
                    await self._changed.wait()
            except TimeoutError:
                return
            self._changed.clear()
