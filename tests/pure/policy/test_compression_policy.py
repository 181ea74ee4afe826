"""CompressionPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import CompositePerRoute, ExecuteFilterAction

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway, route
from tests.shop import policy
from xds.resource_types import ROUTE


def mesh(spec: str) -> Mesh:
    text = documents(gateway(80), route("payment"), policy("CompressionPolicy", spec))
    items: list[Item] = [Service("default", "payment")]
    items += [item.to_document() for item in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def compressors(spec: str) -> list[dict[str, Any]]:
    resource = Compiler().compile(mesh(spec))["default/edge"].get(ROUTE, "default/edge/80")
    assert resource is not None
    [entry] = RouteConfiguration.parse(resource.body).virtual_hosts[0].routes
    config = entry.typed_per_filter_config["apg.compression"].unpack()
    assert isinstance(config, CompositePerRoute)
    assert config.matcher is not None
    assert config.matcher.on_no_match is not None
    assert config.matcher.on_no_match.action is not None
    assert config.matcher.on_no_match.action.typed_config is not None
    action = config.matcher.on_no_match.action.typed_config.unpack()
    assert isinstance(action, ExecuteFilterAction)
    entries = action.filter_chain.typed_config if action.filter_chain else [action.typed_config]
    found = [entry.typed_config.unpack() for entry in entries if entry and entry.typed_config]
    return [compressor.to_dict(casing=Casing.SNAKE) for compressor in found if compressor is not None]


def test_each_encoding_has_a_compressor() -> None:
    made = compressors("encodings: [Zstd, Gzip], contentTypes: [text/html], minimumBytes: 100, effort: Small")
    assert [compressor.get("choose_first", False) for compressor in made] == [True, False]
    response = {
        "common_config": {"min_content_length": 100, "content_type": ["text/html"]},
        "weaken_etag_on_compress": True,
    }
    assert [compressor["response_direction_config"] for compressor in made] == [response, response]
    libraries = [compressor["compressor_library"]["typed_config"] for compressor in made]
    assert [(library["@type"].rpartition(".")[2], library["compression_level"]) for library in libraries] == [
        ("Zstd", 12),
        ("Gzip", "COMPRESSION_LEVEL_9"),
    ]


def test_without_a_word_all_encodings_and_envoys_media_types() -> None:
    made = compressors("")
    assert [compressor["compressor_library"]["name"] for compressor in made] == ["brotli", "zstd", "gzip"]
    assert made[0]["response_direction_config"]["common_config"] == {"min_content_length": 1024}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("encodings: [Deflate]", 'spec.encodings[0]: got the text "Deflate", want Brotli, Gzip, or Zstd'),
        ("encodings: [Gzip, Gzip]", "spec: got an object, want each of encodings once"),
        ("contentTypes: [text/*]", 'spec.contentTypes[0]: got the text "text/*", want a media type, such as "application/json"'),
        ("minimumBytes: 1", "spec.minimumBytes: got 1, want 30 to 1000000"),
        ("minimumBytes: 1Ki", 'spec.minimumBytes: got the text "1Ki", want a whole number from 30 to 1000000'),
        ("minimumSize: 100", "spec.minimumSize: got a field that does not exist, want one of targetRefs, encodings, contentTypes, minimumBytes, effort; did you mean minimumBytes?"),
        ("effort: Max", 'spec.effort: got the text "Max", want Fast, Balanced, or Small'),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    with pytest.raises(PolicyError) as caught:
        mesh(spec)
    assert [str(problem) for problem in caught.value.problems] == [f"CompressionPolicy default/test: {wanted}"]
