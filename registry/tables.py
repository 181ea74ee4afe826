"""The tables: what exists now, and the log of revisions that made it. Both are written in one transaction."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1

metadata = MetaData()

_number = BigInteger().with_variant(Integer(), "sqlite")

meta = Table("meta", metadata, Column("key", String(32), primary_key=True), Column("value", String(64), nullable=False))

services = Table(
    "services",
    metadata,
    Column("namespace", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("port", Integer, nullable=False),
    Column("protocol", String(16), nullable=False),
    Column("labels", JSON, nullable=False),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("namespace", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("address", String(45), primary_key=True),
    Column("port", Integer, primary_key=True),
    Column("labels", JSON, nullable=False),
    Column("weight", Integer, nullable=False),
    ForeignKeyConstraint(["namespace", "service"], ["services.namespace", "services.name"]),
)

documents = Table(
    "documents",
    metadata,
    Column("kind", String(63), primary_key=True),
    Column("namespace", String(63), primary_key=True),
    Column("name", String(253), primary_key=True),
    Column("body", Text, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

revision_changes = Table(
    "revision_changes",
    metadata,
    Column("revision", _number, ForeignKey("revisions.number"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
)
