"""The registry's values: services, endpoints, documents, and the revisions that change them.

All are frozen and hashable, so the compiler can use them as keys. What a document *means* is not known here: `policy`
reads its body.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

DEFAULT_NAMESPACE = "default"
VERSION_LABEL = "version"

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Label pairs, sorted by key: hashable, and equal whenever the labels are."""


def labels(mapping: Mapping[str, str]) -> Labels:
    """`mapping` as sorted pairs."""
    return tuple(sorted(mapping.items()))


class Protocol(enum.Enum):
    """What a service's endpoints speak."""

    HTTP = "http"
    HTTP2 = "http2"


class ServiceKey(NamedTuple):
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class EndpointKey(NamedTuple):
    namespace: str
    service: str
    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.namespace}/{self.service} {host}:{self.port}"


class DocumentKey(NamedTuple):
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Service:
    """A name that callers use. `port` is the one they name, whatever its endpoints listen on."""

    namespace: str
    name: str
    port: int = 80
    protocol: Protocol = Protocol.HTTP
    labels: Labels = ()

    @property
    def key(self) -> ServiceKey:
        return ServiceKey(self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One instance of a service, at an IP address. `weight` is relative to its siblings, 1 to 128."""

    namespace: str
    service: str
    address: str
    port: int
    labels: Labels = ()
    weight: int = 1

    @property
    def key(self) -> EndpointKey:
        return EndpointKey(self.namespace, self.service, self.address, self.port)

    @property
    def service_key(self) -> ServiceKey:
        return ServiceKey(self.namespace, self.service)

    @property
    def version(self) -> str | None:
        """The value of the label `version`, if there is one."""
        return dict(self.labels).get(VERSION_LABEL)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Document:
    """What somebody asked for: `body` is canonical JSON (sorted keys, no spaces) that `policy` has validated."""

    kind: str
    namespace: str
    name: str
    body: str

    @property
    def key(self) -> DocumentKey:
        return DocumentKey(self.kind, self.namespace, self.name)


Item: TypeAlias = Service | Endpoint | Document
ItemKey: TypeAlias = ServiceKey | EndpointKey | DocumentKey


@dataclass(frozen=True, slots=True)
class Change:
    """One item before and after; None stands for its absence. Both are never None, and their keys agree."""

    before: Item | None
    after: Item | None

    def __post_init__(self) -> None:
        if self.before is None and self.after is None:
            raise ValueError("a change needs an item before or after it")
        if self.before is not None and self.after is not None and self.before.key != self.after.key:
            raise ValueError(f"a change keeps its key: {self.before.key} became {self.after.key}")

    @property
    def item(self) -> Item:
        """The item after the change, or, where it was removed, before it."""
        item = self.after if self.after is not None else self.before
        assert item is not None
        return item

    @property
    def key(self) -> ItemKey:
        return self.item.key

    def inverse(self) -> Change:
        return Change(before=self.after, after=self.before)

    def __str__(self) -> str:
        verb = "add" if self.before is None else "remove" if self.after is None else "change"
        match self.item:
            case Service(key=key):
                return f"{verb} Service {key}"
            case Endpoint(key=endpoint):
                return f"{verb} Endpoint {endpoint}"
            case Document(key=document):
                return f"{verb} {document}"


@dataclass(frozen=True, slots=True)
class Revision:
    """One committed change of the mesh. Numbers start at 1 and have no gaps; `at` is aware, in UTC."""

    number: int
    at: datetime
    author: str
    reason: str
    changes: tuple[Change, ...]


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
