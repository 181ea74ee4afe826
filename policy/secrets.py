"""Secrets in documents: kept as they are where the mesh is kept, and shown to nobody (docs/decisions/0055).

A document that is shown (listed, in a diff, in an error) has a mark in place of each secret. Marks of equal secrets are
equal while the process lives, so a diff shows that a secret changed; they are keyed by what only this process knows,
because a plain digest would let whoever reads it try out passwords.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Any, Final, get_args

from pydantic import AfterValidator, BaseModel, PlainSerializer, SerializationInfo
from pydantic.fields import FieldInfo

SHOWN: Final[Mapping[str, bool]] = {"shown": True}
"""The context of a dump that people see."""

_PREFIX = "(secret "
_KEY = secrets.token_bytes(16)


class _Mark:
    """What tells a field with a secret from others."""


NOT_SHOWN = _Mark()
"""Marks a field whose wrong values may be secrets: errors do not repeat them."""


def mark_of(secret: str) -> str:
    """What is shown in place of `secret`."""
    return f"{_PREFIX}{blake2b(secret.encode(), key=_KEY, digest_size=4).hexdigest()})"


def _not_a_mark(value: str) -> str:
    if value.startswith(_PREFIX):
        raise ValueError("the secret itself: this stands in its place where documents are shown")
    return value


def _serialized(value: str, info: SerializationInfo) -> str:
    return mark_of(value) if info.context == SHOWN else value


Secret = Annotated[str, AfterValidator(_not_a_mark), PlainSerializer(_serialized, return_type=str), NOT_SHOWN]
"""A text that is never shown."""


def holds_secret(field: FieldInfo) -> bool:
    """Whether a value of `field` is a secret, or has one within."""
    return any(isinstance(item, _Mark) for item in field.metadata) or _within(field.annotation)


def _within(annotation: Any) -> bool:  # noqa: ANN401  # any annotation there is
    if isinstance(annotation, _Mark):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(holds_secret(field) for field in annotation.model_fields.values())
    parts = (*get_args(annotation), *getattr(annotation, "__metadata__", ()))
    return any(_within(part) for part in parts)
