"""Compression: CompressionPolicy as compressors that a route runs, one for each encoding."""

from __future__ import annotations

from typing import assert_never

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.extensions.compression.brotli.compressor.v3 import Brotli
from envoy_data_plane.envoy.extensions.compression.gzip.compressor.v3 import Gzip, GzipCompressionLevel
from envoy_data_plane.envoy.extensions.compression.zstd.compressor.v3 import Zstd
from envoy_data_plane.envoy.extensions.filters.http.compressor.v3 import (
    Compressor,
    CompressorCommonDirectionConfig,
    CompressorResponseDirectionConfig,
)

from policy.compiler.inputs import RoutedRule
from policy.compiler.routed_filters import running
from policy.compression_policy import CompressionPolicy, CompressionPolicySpec, Encoding
from xds.encoder import pack

NAME = "apg.compression"

_FILTER = "envoy.filters.http.compressor"
_GZIP = {
    "Fast": GzipCompressionLevel.BEST_SPEED,
    "Balanced": GzipCompressionLevel.COMPRESSION_LEVEL_5,
    "Small": GzipCompressionLevel.BEST_COMPRESSION,
}
_BROTLI = {"Fast": 1, "Balanced": 4, "Small": 9}
_ZSTD = {"Fast": 1, "Balanced": 3, "Small": 12}


def asked(rule: RoutedRule) -> CompressionPolicySpec | None:
    """The effective CompressionPolicy of a rule, if it asks for any encoding."""
    policy = rule.policies.one(CompressionPolicy)
    return policy.spec if policy is not None and policy.spec.encodings else None


def on_route(spec: CompressionPolicySpec) -> Message:
    """A compressor for each encoding. They settle among themselves, by `accept-encoding`, which of them compresses."""
    return running([(_FILTER, _compressor(encoding, spec)) for encoding in spec.encodings])


def _compressor(encoding: Encoding, spec: CompressionPolicySpec) -> Compressor:
    name, library = _library(encoding, spec)
    return Compressor(
        choose_first=encoding == spec.encodings[0],
        compressor_library=TypedExtensionConfig(name=name, typed_config=pack(library)),
        response_direction_config=CompressorResponseDirectionConfig(
            common_config=CompressorCommonDirectionConfig(
                min_content_length=spec.minimum_bytes, content_type=list(spec.content_types)
            ),
            weaken_etag_on_compress=True,  # taken away, clients could not ask again whether something changed
        ),
    )


def _library(encoding: Encoding, spec: CompressionPolicySpec) -> tuple[str, Message]:
    match encoding:
        case "Brotli":
            return "brotli", Brotli(quality=_BROTLI[spec.effort])
        case "Gzip":
            return "gzip", Gzip(compression_level=_GZIP[spec.effort])
        case "Zstd":
            return "zstd", Zstd(compression_level=_ZSTD[spec.effort])
        case _:
            assert_never(encoding)
