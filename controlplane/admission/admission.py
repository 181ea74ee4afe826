"""Admission: nothing reaches a proxy that a real Envoy would refuse.

The changed units of each group go to `envoy --mode validate` together. Only where that refuses are they halved, down to
the resource and, within a route configuration, down to the route. Verdicts are remembered by content.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from envoy_data_plane.envoy.config.route.v3 import Route

from controlplane.admission import blame
from controlplane.admission.bootstrap import Routes, bootstrap
from controlplane.admission.refusal import Refusal
from controlplane.admission.units import Unit, units
from controlplane.proxy import check_config, find_envoy
from policy.errors import NotAdmittedError
from policy.plan import Plan
from protos.apg.xds.v3 import references_pb2 as pb
from xds.resource import Resource
from xds.resource_types import LISTENER, ROUTE, ResourceKey

_BATCH = 1_000  # units for one Envoy: some 2 s
_AT_ONCE = 2
_REMEMBERED = 50_000  # verdicts; an accepted one takes some 150 bytes
_REFUSALS = 5  # routes of one configuration that are looked for
_DEADLINE = timedelta(seconds=60)


class Admission:
    """Asks `envoy` (None: the one that is found when it is first needed), at most `at_once` of it at a time."""

    def __init__(self, envoy: Path | None = None, *, at_once: int = _AT_ONCE, remembered: int = _REMEMBERED) -> None:
        self._envoy = envoy
        self._turns = asyncio.Semaphore(at_once)
        self._remembered = remembered
        self._verdicts: OrderedDict[bytes, tuple[Refusal, ...]] = OrderedDict()
        self.asked = 0  # how many Envoys were started so far

    async def check(self, plan: Plan) -> None:
        """Returns when Envoy takes all that `plan` puts in place.

        Raises:
            NotAdmittedError: what it refuses, on the documents that it came from, in its words.
            ProxyError: Envoy could not be asked.
        """
        put: dict[str, list[ResourceKey]] = {}
        for diff in plan.resources:
            if diff.after is not None:
                put.setdefault(diff.group, []).append(diff.after.key)
        refusals: list[Refusal] = []
        for group, keys in put.items():
            refusals += await self._refusals(list(units(plan.snapshots[group], keys)))
        if refusals:
            changed = {change.key for change in plan.changes}
            raise NotAdmittedError(blame.problems(refusals, plan.after, changed=changed))

    async def _refusals(self, wanted: Sequence[Unit]) -> list[Refusal]:
        unknown = [unit for unit in wanted if not self._known(unit.digest)]
        batches = [unknown[start : start + _BATCH] for start in range(0, len(unknown), _BATCH)]
        together = [refusal for batch in await asyncio.gather(*map(self._of_batch, batches)) for refusal in batch]
        alone = [refusal for unit in wanted for refusal in self._verdicts.get(unit.digest, ())]
        self._forget()
        return [*alone, *together]

    def _known(self, digest: bytes) -> bool:
        if digest in self._verdicts:
            self._verdicts.move_to_end(digest)
            return True
        return False

    def _forget(self) -> None:
        while len(self._verdicts) > self._remembered:
            self._verdicts.popitem(last=False)

    async def _of_batch(self, batch: Sequence[Unit]) -> list[Refusal]:
        """Judges `batch` and remembers the verdict on each unit. Returns what only holds for units together."""
        words = await self._words(bootstrap(batch))
        if words is None:
            self._verdicts.update((unit.digest, ()) for unit in batch)
            return []
        if len(batch) == 1:
            self._verdicts[batch[0].digest] = await self._located(batch[0], words)
            return []
        middle = len(batch) // 2
        halves = await asyncio.gather(self._of_batch(batch[:middle]), self._of_batch(batch[middle:]))
        found = [refusal for half in halves for refusal in half]
        if found or any(self._verdicts[unit.digest] for unit in batch):
            return found
        return [Refusal(tuple(unit.head for unit in batch), words)]  # each passes alone

    async def _located(self, unit: Unit, words: str) -> tuple[Refusal, ...]:
        """Which part of a unit that is refused is to blame."""
        if unit.head.type is not LISTENER:
            alone = await self._words(bootstrap([Unit(unit.head)])) if unit.parts else words
            return (Refusal((unit.head,) if alone else unit.parts, alone or words),)
        configurations = {part.name: part.body for part in unit.parts if part.type is ROUTE}
        without = {name: _only(body, frozenset()) for name, body in configurations.items()}
        if (alone := await self._words(bootstrap([unit], routes=without))) is not None:
            return (Refusal((unit.head,), alone),)
        found = [
            refusal
            for part in unit.parts
            if part.type is ROUTE
            for refusal in await self._located_in_routes(unit, part, without)
        ]
        return tuple(found) or (Refusal((unit.head, *unit.parts), words),)

    async def _located_in_routes(self, unit: Unit, part: Resource, without: Routes) -> list[Refusal]:
        """The routes of `part` that Envoy refuses: the first, then the first of the others, and so on."""
        places = list(_places(part.body))
        found: list[Refusal] = []
        while len(found) < _REFUSALS:
            words = await self._words_on(unit, part, without, places)
            if words is None:
                break
            low, high = 0, len(places)  # Envoy takes the first `low` places, and refuses the first `high`
            while high - low > 1:
                middle = (low + high) // 2
                tried = await self._words_on(unit, part, without, places[:middle])
                low, high, words = (middle, high, words) if tried is None else (low, middle, tried)
            if high == 0 or not places:
                return [Refusal((part,), words)]
            culprit = places.pop(high - 1)
            found.append(Refusal((part,), words, culprit.name))
        return found

    async def _words_on(self, unit: Unit, part: Resource, without: Routes, places: Sequence[_Place]) -> str | None:
        routes = {**without, part.name: _only(part.body, frozenset(place.index for place in places))}
        return await self._words(bootstrap([unit], routes=routes))

    async def _words(self, config: bytes) -> str | None:
        if self._envoy is None:
            self._envoy = find_envoy()
        async with self._turns:
            self.asked += 1
            return await check_config(self._envoy, config, deadline=_DEADLINE)


@dataclass(frozen=True, slots=True)
class _Place:
    """A virtual host (without its routes: route -1) or one of its routes, and what it is called."""

    index: tuple[int, int]
    name: str


def _places(body: bytes) -> Iterator[_Place]:
    for number, host in enumerate(pb.RouteConfigurationRefs.FromString(body).virtual_hosts):
        yield _Place((number, -1), f"virtual host {host.name}")
        for index, route in enumerate(host.routes):
            yield _Place((number, index), Route.parse(route.SerializeToString()).name)


def _only(body: bytes, kept: frozenset[tuple[int, int]]) -> bytes:
    """The route configuration with just some of its virtual hosts and routes."""
    configuration = pb.RouteConfigurationRefs.FromString(body)
    hosts = list(configuration.virtual_hosts)
    del configuration.virtual_hosts[:]
    for number, host in enumerate(hosts):
        routes = [route for index, route in enumerate(host.routes) if (number, index) in kept]
        if not routes and (number, -1) not in kept:
            continue
        del host.routes[:]
        host.routes.extend(routes)
        configuration.virtual_hosts.append(host)
    return configuration.SerializeToString()
