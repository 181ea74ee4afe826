"""Documents that nobody would write: from the kinds' schemas, and by mutation of those that the docs show."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st

from policy.schema import schema_of
from tests.examples import examples

_NAMES = ("payment", "payment-v1", "cart", "checkout", "auth", "edge", "http", "pay", "refund", "nobody")
_USUAL: dict[str, list[Any]] = {
    "targetRefs": [
        [{"kind": "HTTPRoute", "name": "payment"}],
        [{"kind": "HTTPRoute", "name": "payment", "sectionName": "refund"}],
        [{"kind": "Gateway", "name": "edge"}],
        [{"kind": "Service", "name": "payment"}],
    ],
    "parentRefs": [[{"name": "edge"}]],
    "backendRef": [{"name": "auth"}, {"name": "payment"}],
    "backendRefs": [[{"name": "payment"}], [{"name": "payment-v1", "weight": 9}, {"name": "cart", "weight": 1}]],
    "namespace": ["default"],
}
"""What most documents need to be about something that exists."""
_NEVER = ("group",)  # follows from the kind, and is wrong most of the time

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 70_000),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(
        ["", "0s", "1s", "10", "100%", "%", "%{}", "/", "//", "/a/../b", "*", "(?=a)", "(a+)+$", "a" * 300]
    ),
    st.sampled_from(["é", "\x00", "\n", "{{", "%REQ(x)%", "host", ":path", "Host", "content-length", "10.0.0.0/33"]),
    st.text(max_size=8),
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)


@cache
def _shown() -> tuple[dict[str, Any], ...]:
    from policy.reading import read_documents

    bodies = [
        json.loads(document.to_document().body)
        for example in examples()
        for document in read_documents(example.text.encode(), source=str(example))
    ]
    return tuple(bodies)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A document of the docs with one to three places changed."""
    body: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(_shown())))
    schema = schema_of(body["kind"])
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        places = [place for place in _places(body) if place[0] == "spec"]
        if not places:
            break
        place = draw(st.sampled_from(places))
        holder = _at(body, place[:-1])
        fitting = _schema_at(schema, place)
        what = draw(st.sampled_from(["fitting", "fitting", "fitting", "any", "drop", "twice"]))
        if what == "drop":
            del holder[place[-1]]
        elif what == "twice" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[place[-1]]))
        elif what == "any" or fitting is None:
            holder[place[-1]] = draw(_JSON)
        else:
            holder[place[-1]] = draw(values(fitting, schema["$defs"]))
    return body


@st.composite
def made(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A document of `kind` that its schema allows."""
    schema = schema_of(kind)
    own = {name: part for name, part in schema.items() if name != "$defs"}
    body = dict(draw(values(own, schema["$defs"])))
    return {**body, "metadata": {"name": draw(st.sampled_from(["made", "payment", "edge"]))}}


def values(schema: Any, definitions: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """What a schema of ours allows; names are mostly those that the mesh of the docs has."""
    if "$ref" in schema:
        return values(definitions[schema["$ref"].rpartition("/")[2]], definitions, depth)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return st.one_of([values(part, definitions, depth) for part in schema[key]])
    match schema.get("type"):
        case "object":
            return _objects(schema, definitions, depth)
        case "array":
            items = schema.get("items", {})
            most = min(schema.get("maxItems", schema.get("maxLength", 3)), 2 if depth < 6 else 1)
            least = schema.get("minItems", schema.get("minLength", 0))
            return st.lists(values(items, definitions, depth + 1), min_size=least, max_size=max(least, most))
        case "integer":
            low, high = schema.get("minimum", -10), schema.get("maximum", 1_000_000)
            return st.integers(low, high)
        case "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 1_000)
            return st.floats(low, high, allow_nan=False) | st.integers(int(low), int(high))
        case "boolean":
            return st.booleans()
        case "string":
            return _texts(schema)
        case _:
            return _JSON


def _objects(schema: Any, definitions: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    properties = schema.get("properties", {})
    if not properties:
        return st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), max_size=2)
    required = schema.get("required", [])
    optional = [name for name in properties if name not in required and name not in _NEVER]

    @st.composite
    def draw_object(draw: st.DrawFn) -> dict[str, Any]:
        most = 2 if depth < 5 else 0
        chosen = draw(st.lists(st.sampled_from(optional), max_size=most, unique=True)) if optional and most else []
        return {name: draw(_property(name, properties[name], definitions, depth)) for name in [*required, *chosen]}

    return draw_object()


def _property(name: str, schema: Any, definitions: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    fitting = values(schema, definitions, depth + 1)
    if name in _USUAL:
        usual = st.sampled_from(_USUAL[name]).map(copy.deepcopy)  # what is drawn may be changed
        return st.one_of(usual, usual, fitting)
    if name in ("name", "sectionName") and schema.get("type") == "string":
        return st.one_of(st.sampled_from(_NAMES), st.sampled_from(_NAMES), fitting)
    return fitting


def _texts(schema: Any) -> st.SearchStrategy[str]:
    if (pattern := schema.get("pattern")) is not None:
        whole = pattern.removeprefix("^").removesuffix("$")
        return st.from_regex(whole, fullmatch=True).map(lambda text: text[: schema.get("maxLength", 200)])
    telling = [
        "/",
        "/pay",
        "a",
        "x-a",
        "100%",
        "%START_TIME%",
        "(a|b)",
        "[",
        "shop.example",
        "*",
        "é",
        "/a?b=c",
        "host",
    ]
    return st.one_of(
        st.sampled_from(telling),
        st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 12), 12)),
    )


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*place, index))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        value = value[step]
    return value


def _schema_at(schema: Any, place: tuple[Any, ...]) -> Any:
    """The part of a document's schema that is for `place`; None where that depends on more."""
    current: Any = schema
    for step in place:
        while current is not None and "$ref" in current:
            current = schema["$defs"].get(current["$ref"].rpartition("/")[2])
        if current is None:
            return None
        current = current.get("items") if isinstance(step, int) else current.get("properties", {}).get(step)
    return current


def text_of(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
