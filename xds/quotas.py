"""How limits are shared out among the clients that keep to them together: a machine without I/O or clock.

A limit is so many requests per time for all clients together. Each reports how many requests wanted to pass, and is
given a share: equal ones at first, then by measured demand. The shares of a limit never add up to more than it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

RESERVE = 0.2
"""The part of a limit that is dealt out evenly whatever the demand, so that a quiet client can begin at once."""

_SMOOTHING = 0.5  # of the newest report
_CHANGE = 0.2  # a share that moves by less stays as it is: each new one comes with a full bucket
_PAUSE = 15.0  # seconds between two changes of a client's share for the sake of demand
_EXACT = 1_000_000_000  # parts of a limit that can be told apart
_FORGOTTEN = 600.0  # seconds without demand

LASTING = 86_400.0
"""Seconds that a share holds for a client that hears no more of it; told again before half of them are over."""

ClientT = TypeVar("ClientT", bound=Hashable)
KeyT = TypeVar("KeyT", bound=Hashable)


class Limit(NamedTuple):
    """So many requests in `milliseconds`, at most `burst` of them at once."""

    requests: int
    milliseconds: int
    burst: int


_NAME = re.compile(r"(?P<name>\S{1,800}) (?P<requests>\d{1,10})/(?P<milliseconds>\d{1,9})ms burst (?P<burst>\d{1,10})")


def bucket_name(name: str, limit: Limit) -> str:
    """What clients call their buckets of a limit: it says all that there is to know of it. `name` has no blanks."""
    return f"{name} {limit.requests}/{limit.milliseconds}ms burst {limit.burst}"


def parsed_bucket(text: str) -> tuple[str, Limit] | None:
    """The name and the limit in a bucket's name; None if it is none of ours."""
    found = _NAME.fullmatch(text)
    if found is None or not int(found["milliseconds"]):
        return None
    return found["name"], Limit(int(found["requests"]), int(found["milliseconds"]), int(found["burst"]))


class Share(NamedTuple):
    """A client's part of a limit, in tokens for each of the limit's intervals; none: nothing passes."""

    tokens: int
    burst: int


@dataclass(slots=True)
class _Member:
    demand: float | None = None  # requests a second; None: unknown yet
    wanted_at: float = 0.0
    share: Share | None = None
    given_at: float = -math.inf


@dataclass(slots=True)
class _Pool(Generic[ClientT]):
    limit: Limit
    members: dict[ClientT, _Member] = field(default_factory=dict)


class Quotas(Generic[ClientT, KeyT]):
    """The shares of all limits. A key names a limit; limits with other numbers under the same key are others."""

    def __init__(self, *, replicas: int = 1) -> None:
        """replicas: how many like this one deal out the same limits, each to clients of its own: its part of a limit is
        one of so many, and never less than one request."""
        self._replicas = replicas
        self._pools: dict[tuple[KeyT, Limit], _Pool[ClientT]] = {}

    def report(
        self, client: ClientT, key: KeyT, limit: Limit, *, wanted: int, seconds: float, now: float
    ) -> dict[ClientT, Share | None]:
        """Takes a report of `wanted` requests in `seconds` (0: the client's first), and returns the shares that change
        thereby, of this client and of others. None: the client has wanted nothing for long, and is to forget it."""
        pool = self._pools.setdefault((key, limit), _Pool(limit))
        known = client in pool.members
        member = pool.members.setdefault(client, _Member())
        if wanted or not known:
            member.wanted_at = now
        if seconds > 0:
            rate = wanted / seconds
            before = member.demand
            member.demand = rate if before is None else before + _SMOOTHING * (rate - before)
        elif wanted and member.demand is None and known:
            member.demand = float(wanted)
        gone: dict[ClientT, Share | None] = {}
        if now - member.wanted_at >= _FORGOTTEN:
            gone = {client: None}
            self._remove(client, (key, limit))
        return gone | self._changes((key, limit), now=now, at_once=not known or bool(gone))

    def leave(self, client: ClientT, *, now: float) -> dict[tuple[KeyT, Limit], dict[ClientT, Share | None]]:
        """Forgets a client that is gone, and returns the shares of others that change thereby, by limit."""
        found = {}
        for pool in [pool for pool, entry in self._pools.items() if client in entry.members]:
            self._remove(client, pool)
            if changes := self._changes(pool, now=now, at_once=True):
                found[pool] = changes
        return found

    def _remove(self, client: ClientT, pool: tuple[KeyT, Limit]) -> None:
        members = self._pools[pool].members
        del members[client]
        if not members:
            del self._pools[pool]

    def _changes(self, name: tuple[KeyT, Limit], *, now: float, at_once: bool) -> dict[ClientT, Share | None]:
        pool = self._pools.get(name)
        if pool is None:
            return {}
        limit = part_of(pool.limit, self._replicas)
        shares = shares_of(limit, {client: member.demand for client, member in pool.members.items()})
        moved = [client for client, member in pool.members.items() if _moved(member.share, shares[client])]
        resting = any(now - pool.members[client].given_at < _PAUSE for client in moved)
        if not moved or (resting and not at_once):
            stale = {client: member for client, member in pool.members.items() if now - member.given_at > LASTING / 2}
            for member in stale.values():
                member.given_at = now
            return {client: member.share for client, member in stale.items() if member.share is not None}
        # All or none: a share that grew while another's has yet to shrink would be more than there is.
        changed: dict[ClientT, Share | None] = {}
        for client, member in pool.members.items():
            if member.share != shares[client]:
                member.share, member.given_at = shares[client], now
                changed[client] = shares[client]
        return changed


def part_of(limit: Limit, replicas: int) -> Limit:
    """What one of `replicas` has of a limit to deal out. A remainder is nobody's, but one request is the least."""
    return limit._replace(requests=max(1, limit.requests // replicas), burst=max(1, limit.burst // replicas))


def shares_of(limit: Limit, demands: Mapping[ClientT, float | None]) -> dict[ClientT, Share]:
    """Each client's share of `limit`: RESERVE of it evenly, the rest in proportion to demand; all of it evenly as long
    as somebody's demand is unknown or nobody has any. Tokens add up to the limit's."""
    known = [demand for demand in demands.values() if demand is not None]
    total = sum(known)
    even = 1.0 / len(demands)
    if len(known) < len(demands) or total <= 0:
        parts = dict.fromkeys(demands, even)
    else:
        parts = {
            client: RESERVE * even + (1 - RESERVE) * ((demand or 0.0) / total) for client, demand in demands.items()
        }
    tokens, bursts = _dealt(limit.requests, parts), _dealt(limit.burst, parts)
    # A bucket without room for one request would let none pass.
    return {client: Share(tokens[client], max(1, bursts[client]) if tokens[client] else 0) for client in demands}


def _dealt(whole: int, parts: Mapping[ClientT, float]) -> dict[ClientT, int]:
    """Whole numbers in proportion to `parts`, together `whole`: largest remainders, in exact arithmetic."""
    weights = {client: round(part * _EXACT) for client, part in parts.items()}
    total = sum(weights.values())
    dealt = {client: whole * weight // total for client, weight in weights.items()}
    left = whole - sum(dealt.values())
    by_remainder = sorted(weights, key=lambda client: -(whole * weights[client] % total))
    for client in by_remainder[:left]:
        dealt[client] += 1
    return dealt


def _moved(share: Share | None, to: Share) -> bool:
    if share is None or (share.tokens == 0) != (to.tokens == 0):
        return True
    return abs(share.tokens - to.tokens) > _CHANGE * max(share.tokens, to.tokens)
