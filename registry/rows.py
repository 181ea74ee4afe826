"""Items as rows of the tables, and as the JSON that the log of revisions keeps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Table, and_

from registry import tables
from registry.model import Document, Endpoint, Item, ItemKey, Labels, Protocol, Service, labels

Values: TypeAlias = dict[str, Any]


def table_of(item: Item) -> Table:
    match item:
        case Service():
            return tables.services
        case Endpoint():
            return tables.endpoints
        case Document():
            return tables.documents


def values_of(item: Item) -> Values:
    """The columns of an item's row."""
    match item:
        case Service(namespace, name, port, protocol):
            return {
                "namespace": namespace,
                "name": name,
                "port": port,
                "protocol": protocol.value,
                "labels": dict(item.labels),
            }
        case Endpoint(namespace, service, address, port):
            return {
                "namespace": namespace,
                "service": service,
                "address": address,
                "port": port,
                "labels": dict(item.labels),
                "weight": item.weight,
            }
        case Document(kind, namespace, name, body):
            return {"kind": kind, "namespace": namespace, "name": name, "body": body}


def where_key(table: Table, key: ItemKey) -> ColumnElement[bool]:
    """The condition that selects the row of `key`."""
    return and_(*(column == value for column, value in zip(table.primary_key.columns, key, strict=True)))


@lru_cache(maxsize=10_000)
def _one(value: Labels) -> Labels:
    """The first of equal labels. A mesh has tens of thousands of endpoints, and few different labels."""
    return value


def service(row: Mapping[str, Any]) -> Service:
    return Service(
        namespace=sys.intern(row["namespace"]),
        name=sys.intern(row["name"]),
        port=row["port"],
        protocol=Protocol(row["protocol"]),
        labels=_one(labels(row["labels"])),
    )


def endpoint(row: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        namespace=sys.intern(row["namespace"]),
        service=sys.intern(row["service"]),
        address=row["address"],
        port=row["port"],
        labels=_one(labels(row["labels"])),
        weight=row["weight"],
    )


def document(row: Mapping[str, Any]) -> Document:
    return Document(
        kind=sys.intern(row["kind"]), namespace=sys.intern(row["namespace"]), name=row["name"], body=row["body"]
    )


_READERS: dict[str, Callable[[Mapping[str, Any]], Item]] = {
    "services": service,
    "endpoints": endpoint,
    "documents": document,
}


def to_log(item: Item | None) -> Values | None:
    """An item as the log keeps it: its table's name and its columns."""
    return None if item is None else {"table": table_of(item).name, **values_of(item)}


def from_log(entry: Mapping[str, Any] | None) -> Item | None:
    return None if entry is None else _READERS[entry["table"]](entry)
