"""Lists of addresses from the files of a folder, as threat feeds are delivered: one address or range a line.

A list that is broken, too long or gone changes nothing but the log: what was good last is used on. A line that is no
address is left out and counted. `policy.address_lists` says what lists are for.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from policy.authorization_policy import MAX_LISTED

_log = logging.getLogger("apg.address_lists")

_MAX_FILE = 4 << 20  # bytes
_MAX_LISTS = 64
_LOOK = timedelta(seconds=1)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_WIDEST = {4: 8, 6: 16}
"""The shortest prefixes that are believed: a list with 0.0.0.0/0 on it, by mistake or on purpose, shuts nobody out."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Read:
    """What a list's text comes to. skipped: how many lines are no addresses; first: what is wrong with the first."""

    addresses: tuple[str, ...]
    skipped: int = 0
    first: str = ""


def read(text: str) -> Read:
    """The ranges of a list, merged and sorted. A line is an address or a range; what follows it, or a "#" or ";", is a
    comment.

    Raises:
        ValueError: more lines are wrong than right, or there are more than `MAX_LISTED` ranges.
    """
    found: list[Network] = []
    skipped, first = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        said = re.split(r"[\s,;#]", line.strip().lstrip("\ufeff"), maxsplit=1)[0]
        if not said:
            continue
        try:
            found.append(_network(said))
        except ValueError as error:
            skipped += 1
            first = first or f"line {number}: {error}"
    if skipped > len(found):
        raise ValueError(f"{skipped} lines are no addresses, and {len(found)} are ({first}): want a list of addresses")
    merged = [str(network) for network in _merged(found)]
    if len(merged) > MAX_LISTED:
        raise ValueError(f"{len(merged)} ranges, want {MAX_LISTED} at most")
    return Read(tuple(merged), skipped, first)


def _network(said: str) -> Network:
    try:
        network = ipaddress.ip_network(said, strict=False)
    except ValueError:
        raise ValueError('want an address or a range, such as "203.0.113.0/24"') from None
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError(f"a range as wide as /{network.prefixlen}, want /{_WIDEST[network.version]} or narrower")
    return network


def _merged(networks: Iterable[Network]) -> list[Network]:
    fours = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    sixes = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(fours), *ipaddress.collapse_addresses(sixes)]


class FileAddressLists:
    """The lists of a folder, as of the last `reload`. A list is called as its file is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lists: dict[str, tuple[str, ...]] = {}
        self._stamps: dict[str, tuple[int, int, int]] = {}

    def addresses(self, name: str) -> tuple[str, ...] | None:
        return self._lists.get(name)

    def reload(self) -> bool:
        """Reads the files that changed since the last time. Whether anything did for those who ask."""
        lists = dict(self._lists)
        paths = [path for path in sorted(self.folder.glob("*")) if _NAME.fullmatch(path.name)]
        if len(paths) > _MAX_LISTS and len(self._stamps) < _MAX_LISTS:
            _log.error("folder=%s has %d files, and the first %d are read", self.folder, len(paths), _MAX_LISTS)
        for path in paths[:_MAX_LISTS]:
            try:
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                if self._stamps.get(path.name) == stamp or not path.is_file():
                    continue
                self._stamps[path.name] = stamp
                if status.st_size > _MAX_FILE:
                    raise ValueError(f"{status.st_size} bytes, want {_MAX_FILE} at most")
                found = read(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
                _log.error("list=%s not read, the last good one is used on: %s", path.name, error)
                continue
            lists[path.name] = found.addresses
            level = logging.WARNING if found.skipped else logging.INFO
            _log.log(
                level, "list=%s ranges=%d skipped=%d %s", path.name, len(found.addresses), found.skipped, found.first
            )
        changed = lists != self._lists
        self._lists = lists
        return changed

    async def watch(self, changed: Callable[[], None]) -> None:
        """Reloads until cancelled, and calls `changed` whenever something did."""
        while True:
            await asyncio.sleep(_LOOK.total_seconds())
            if await asyncio.to_thread(self.reload):
                changed()
