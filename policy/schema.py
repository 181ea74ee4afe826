"""JSON Schema (draft 2020-12) for documents, from the models that read them, so that editors complete and check.

A schema says what one field alone can show: names, types, ranges, patterns. What fields say together, and what exists,
is for `policy.reading` and `policy.validation` to judge.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from policy.kinds import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


class _ForEditors(GenerateJsonSchema):
    """Without what would get in an editor's way: each field's name again as its title, and "or null", which the reader
    takes for a field that is left out, but nobody wants to be offered."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401  # of pydantic's own types
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        value = super().default_schema(schema)
        if value.get("default", ...) is None:
            del value["default"]
        return value


def kind_names() -> tuple[str, ...]:
    """The kinds that there is a schema for, sorted."""
    return tuple(sorted({kind for _, kind in KINDS}))


def schema_of(kind: str) -> Schema:
    """The schema of one kind of document. `kind` is one of `kind_names()`."""
    definitions = _definitions([kind])
    own = definitions.pop(kind)
    return {"$schema": DIALECT, "title": kind, **own, "$defs": definitions}


def schema_of_all() -> Schema:
    """One schema for documents of every kind: `kind` decides which."""
    names = kind_names()
    return {
        "$schema": DIALECT,
        "title": "A document of APG Mesh",
        "type": "object",
        "properties": {"kind": {"enum": list(names)}},
        "required": ["apiVersion", "kind"],
        # "if" and "then" rather than "oneOf": errors are then about the kind that was meant.
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{name}"},
            }
            for name in names
        ],
        "$defs": _definitions(names),
    }


def _definitions(kinds: Collection[str]) -> Schema:
    models = list(dict.fromkeys(model for (_, kind), model in KINDS.items() if kind in kinds))
    _, whole = models_json_schema(
        [(model, "validation") for model in models], by_alias=True, schema_generator=_ForEditors
    )
    definitions: Schema = whole["$defs"]
    for name, definition in definitions.items():
        definition.pop("title", None)
        if name in kinds:
            # Models have them as defaults; documents have to say them.
            definition["required"] = ["apiVersion", "kind", *definition.get("required", [])]
            for constant in ("apiVersion", "kind"):
                definition["properties"][constant].pop("default", None)
    return definitions
