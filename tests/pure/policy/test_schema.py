"""The schemas that editors get: valid, and of the reader's opinion wherever one field decides."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from policy.errors import PolicyError
from policy.reading import read_documents
from policy.schema import kind_names, schema_of, schema_of_all
from tests.commands import apg
from tests.generated import mutated, text_of
from tests.meshes import gateway, route
from tests.shown_documents import Example, examples

ALL = Draft202012Validator(schema_of_all())


def errors(document: Any) -> list[str]:
    """Where the schema for all kinds finds something wrong."""
    return sorted(error.json_path for error in ALL.iter_errors(document))


@pytest.mark.parametrize("kind", kind_names())
def test_each_schema_is_a_valid_one_and_says_what_its_parts_are(kind: str) -> None:
    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["required"][:2] == ["apiVersion", "kind"]
    assert schema["properties"]["kind"]["const"] == kind
    assert schema["description"]
    open_parts = [
        name
        for name, part in schema["$defs"].items()
        if part.get("type") == "object" and part.get("additionalProperties") is not False
    ]
    assert open_parts == [], "an editor would not notice a misspelt field in these"


def test_the_schema_for_all_kinds_is_a_valid_one() -> None:
    Draft202012Validator.check_schema(schema_of_all())


@pytest.mark.parametrize("example", [pytest.param(item, id=item.place) for item in examples()])
def test_every_example_is_valid_for_the_reader_and_for_the_schemas(example: Example) -> None:
    read_documents(example.text.encode(), source=example.place)
    for document in yaml.safe_load_all(example.text):
        assert errors(document) == []
        assert list(Draft202012Validator(schema_of(document["kind"])).iter_errors(document)) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (gateway(8080).replace("listeners:", "listener:"), "$.spec"),
        (gateway(70_000), "$.spec.listeners[0].port"),
        (gateway(8080).replace("protocol: HTTP", "protocol: SCTP"), "$.spec.listeners[0].protocol"),
        (gateway(8080, name="Edge"), "$.metadata.name"),
        (route("payment").replace("PathPrefix", "Prefix"), "$.spec.rules[0].matches[0].path.type"),
        (route("payment=-1"), "$.spec.rules[0].backendRefs[0].weight"),
        (route("payment").rstrip() + "\n      timeouts: {request: 10}\n", "$.spec.rules[0].timeouts.request"),
        (route("payment").rstrip() + "\n      timeouts: {request: 10 s}\n", "$.spec.rules[0].timeouts.request"),
        (route("payment").replace("HTTPRoute", "HttpRoute"), "$.kind"),
        (route("payment").replace("gateway.networking.k8s.io/v1", "v1"), "$.apiVersion"),
    ],
)
def test_what_one_field_shows_to_be_wrong_the_schema_shows_there(text: str, where: str) -> None:
    assert where in errors(yaml.safe_load(text))


def test_a_document_that_does_not_say_its_kind_is_not_valid() -> None:
    document = yaml.safe_load(gateway(8080))
    del document["kind"]
    assert errors(document) == ["$"]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=mutated())
def test_what_the_reader_takes_the_schema_takes(body: Any) -> None:
    """But for null, which the reader takes for a field that is left out, and no editor is to offer."""
    try:
        read_documents(text_of(body), source="generated")
    except PolicyError:
        return
    if "null" not in json.dumps(body):
        assert errors(body) == []


def test_the_command_prints_them_and_needs_no_control_plane() -> None:
    one = apg("schema", "httproute")
    assert json.loads(one.out) == schema_of("HTTPRoute")
    wrong = apg("schema", "HTTPRout")
    assert wrong.code == 2
    assert "did you mean HTTPRoute?" in wrong.err
