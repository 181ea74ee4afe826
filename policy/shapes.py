"""What all documents have in common: names, metadata, durations, and how strictly they are read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from registry.model import DEFAULT_NAMESPACE, Document, DocumentKey

MAX_NAME = 253
MAX_LABEL = 63
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_DURATION_WORDS = 'a duration with its unit, such as "10s", "1m30s" or "500ms"'
_DURATION_PART = re.compile(r"([0-9]+)(ms|h|m|s)")
_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_LONGEST = timedelta(hours=99_999)


class Shape(BaseModel):
    """A part of a document: frozen, strict, and without fields that are not declared."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


LIST = BeforeValidator(_tuple)
"""A list in the document, a tuple in the model, so that documents can be keys of a memory."""


def _parse_duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(_DURATION_WORDS)
    parts = _DURATION_PART.findall(value)
    total = timedelta(milliseconds=sum(int(number) * _MILLISECONDS[unit] for number, unit in parts))
    if total > _LONGEST:  # "99999h99999h" could not be written again
        raise ValueError(f"a duration of at most {format_duration(_LONGEST)}")
    return total


def format_duration(value: timedelta) -> str:
    """A duration as GEP-2257 writes it."""
    left = round(value.total_seconds() * 1_000)
    text = ""
    for unit, milliseconds in _MILLISECONDS.items():
        number, left = divmod(left, milliseconds)
        text += f"{number}{unit}" if number else ""
    return text or "0s"


@dataclass(frozen=True, slots=True)
class Matching:
    """For texts that match `pattern` from end to end; `words` say so to who wrote another, in errors and in editors."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        compiled = re.compile(self.pattern)

        def check(value: str) -> str:
            if compiled.fullmatch(value) is None:
                raise ValueError(self.words)
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "description": self.words}


def matching(pattern: str, words: str) -> Matching:
    """Texts that match `pattern` from end to end, in `words` for who wrote another."""
    return Matching(pattern, words)


_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LETTERS = 'lower-case letters, digits and "-", a letter or digit at both ends'

ObjectName = Annotated[
    str, StringConstraints(max_length=MAX_NAME), matching(_SUBDOMAIN, f'{_LETTERS}; "." between such parts')
]
"""RFC 1123 subdomain."""
NamespaceName = Annotated[str, StringConstraints(max_length=MAX_LABEL), matching(_LABEL, _LETTERS)]
"""RFC 1123 label."""
PreciseHostname = Annotated[
    str, StringConstraints(max_length=MAX_NAME), matching(_SUBDOMAIN, 'a hostname, such as "shop.example.com"')
]
Hostname = Annotated[
    str,
    StringConstraints(max_length=MAX_NAME),
    matching(rf"(\*\.)?{_SUBDOMAIN}", 'a hostname, such as "shop.example.com" or "*.example.com"'),
]
"""A hostname whose first label may be "*"."""
Word = Annotated[
    str, StringConstraints(min_length=1, max_length=1024), matching(r"[^\x00-\x1f\x7f]*", "one line of text")
]
AbsoluteFile = Annotated[
    str, StringConstraints(max_length=1024), matching(r"/[^\x00-\x1f\x7f]+", "the absolute path of a file of the proxy")
]
Port = Annotated[int, Field(ge=1, le=65535)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{_DURATION.pattern})$", "description": _DURATION_WORDS}),
]
"""GEP-2257: one to four numbers with units, "1h30m", "500ms"; "0s" means no limit."""


class Metadata(Shape):
    """Who a document is. Labels and annotations are kept and mean nothing here."""

    name: ObjectName
    namespace: NamespaceName = DEFAULT_NAMESPACE
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.namespace))


class BaseDocument(Shape):
    """A document of any kind. HAS_SECRETS: whether it has fields that are never shown (`policy.secrets`)."""

    KIND: ClassVar[str]
    API_VERSION: ClassVar[str]
    OLDER_VERSIONS: ClassVar[tuple[str, ...]] = ()
    """Further versions that are read alike; documents are kept as of API_VERSION."""
    HAS_SECRETS: ClassVar[bool] = False

    metadata: Metadata

    def __hash__(self) -> int:
        """By name alone, so that documents are cheap parts of the keys that resources are remembered under. Equality
        compares everything."""
        return hash(self.key)

    @cached_property
    def key(self) -> DocumentKey:
        return DocumentKey(self.KIND, self.metadata.namespace, self.metadata.name)

    def to_document(self, *, context: Mapping[str, Any] | None = None) -> Document:
        """The document as the registry keeps it: canonical JSON, without what is default.

        context: for the fields' serializers; `policy.secrets.SHOWN` keeps secrets out."""
        body: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_defaults=True, context=context)
        body |= {"apiVersion": self.API_VERSION, "kind": self.KIND}
        body.setdefault("metadata", {})["namespace"] = self.metadata.namespace
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return Document(*self.key, body=text)


_FIELDS: dict[frozenset[str], set[str]] = {}
_MOST_SHARED = 20_000
_SHARED: dict[BaseModel, BaseModel] = {}
DocumentT = TypeVar("DocumentT", bound=BaseModel)


def slim(shape: DocumentT) -> DocumentT:
    """`shape`, which is frozen, with less memory: it shares parts that are equal with others, and what pydantic
    remembers of each part, which fields were given. Of thousands of documents most of that is the same."""
    given = shape.model_fields_set
    object.__setattr__(shape, "__pydantic_fields_set__", _FIELDS.setdefault(frozenset(given), given))
    for name, value in shape.__dict__.items():
        if isinstance(value, BaseModel):
            shape.__dict__[name] = _shared(slim(value))
        elif isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
            shape.__dict__[name] = tuple(_shared(slim(item)) if isinstance(item, BaseModel) else item for item in value)
    return shape


def _shared(part: BaseModel) -> BaseModel:
    """The first of equal parts."""
    if len(_SHARED) > _MOST_SHARED:
        _SHARED.clear()
    try:
        return _SHARED.setdefault(part, part)
    except TypeError:  # it holds labels, or something else that cannot be a key
        return part
