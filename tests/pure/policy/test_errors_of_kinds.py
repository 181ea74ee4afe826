"""Errors that help, for each kind that the docs show: a misspelt field, a wrong unit, a wrong type, out of range."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from policy.errors import PolicyError
from policy.reading import read_documents
from tests.examples import examples


def shown() -> list[Any]:
    """One document of each kind that the docs show: the longest."""
    longest: dict[str, Any] = {}
    for example in examples():
        for document in read_documents(example.text.encode(), source=str(example)):
            body = json.loads(document.to_document().body)
            if len(str(body)) > len(str(longest.get(body["kind"], ""))):
                longest[body["kind"]] = body
    return [pytest.param(body, id=kind) for kind, body in sorted(longest.items())]


def refused(body: Any) -> list[str]:
    """Every problem of a document, as people read it, without its name."""
    with pytest.raises(PolicyError) as caught:
        read_documents(json.dumps(body).encode(), source="test")
    name = f"{body['kind']} default/{body['metadata']['name']}: "
    return [str(problem).removeprefix(name) for problem in caught.value.problems]


def fields(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all fields below spec."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*place, name)
            yield from fields(item, (*place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from fields(item, (*place, index))


def with_changed(body: Any, place: tuple[Any, ...], change: Any) -> Any:
    """`body` with `change` done to whatever holds the field at `place`."""
    changed = copy.deepcopy(body)
    holder = changed["spec"]
    for step in place[:-1]:
        holder = holder[step]
    change(holder, place[-1])
    return changed


@pytest.mark.parametrize("body", shown())
def test_a_misspelt_field_is_told_with_the_nearest_known_one(body: Any) -> None:
    def misspell(holder: Any, name: str) -> None:
        holder[name + "s" if not name.endswith("s") else name[:-1]] = holder.pop(name)

    [place] = [("targetRefs",)] if "targetRefs" in body["spec"] else [next(fields(body["spec"]))]
    told = refused(with_changed(body, place, misspell))
    assert any(f"did you mean {place[0]}?" in line for line in told), told


@pytest.mark.parametrize("body", shown())
def test_a_number_where_a_duration_belongs_is_told_its_unit(body: Any) -> None:
    def without_unit(holder: Any, name: str) -> None:
        holder[name] = 10

    durations = [place for place in fields(body["spec"]) if _is_duration(body["spec"], place)]
    for place in durations[:3]:
        told = refused(with_changed(body, place, without_unit))
        assert any('got 10, want a duration with its unit, such as "10s"' in line for line in told), told


@pytest.mark.parametrize("body", shown())
def test_every_part_that_is_replaced_by_something_else_is_refused_by_its_place(body: Any) -> None:
    def replace(holder: Any, name: str) -> None:
        holder[name] = [[{"x": 1}]]

    for place in list(fields(body["spec"]))[:12]:
        if any(step in ("merge", "labels", "annotations") for step in place):
            continue
        told = refused(with_changed(body, place, replace))
        assert any(str(place[-1]) in line for line in told), (place, told)


def _is_duration(spec: Any, place: tuple[Any, ...]) -> bool:
    value = spec
    for step in place:
        value = value[step]
    return isinstance(value, str) and value[-1:] in "smh" and value[:-1].rstrip("m").isdigit()


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("(?=a)", "a regular expression that RE2 takes: invalid perl operator: (?="),
        ("a{2000}", "a regular expression that RE2 takes: invalid repetition size: {2000}"),
        ("(", "a regular expression that RE2 takes: missing )"),
        ("[a-z]{1,200}", "a regular expression that costs less: at most 100 instructions of RE2, and this takes 403"),
        ("\\1", "a regular expression that RE2 takes: invalid escape sequence"),
    ],
)
def test_regular_expressions_are_those_of_re2_and_bounded_in_cost(value: str, want: str) -> None:
    body = _route({"matches": [{"path": {"type": "RegularExpression", "value": value}}]})
    [told] = refused(body)
    assert told.startswith("spec.rules[0].matches[0].path.value: got")
    assert want in told


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        (
            {"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["Host"]}}]},
            "headers other than Host, which the hostname of a URLRewrite changes",
        ),
        ({"matches": [{"path": {"type": "Exact", "value": "/a?b"}}]}, 'a path without "?"'),
    ],
)
def test_what_envoy_would_refuse_is_refused_before(rule: Any, want: str) -> None:
    assert any(want in line for line in refused(_route(rule)))


def _route(rule: Any) -> Any:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "payment"},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [rule]},
    }
