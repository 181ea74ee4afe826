"""Threats: ThreatPolicy as Envoy's buffer filter, which bounds bodies, and its Lua filter, which runs `threats.lua`."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer, BufferPerRoute
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute
from envoy_data_plane.google.protobuf import Struct

from policy.compiler.inputs import RoutedRule
from policy.threat_policy import ThreatPolicy, ThreatPolicySpec

_CODE = "threats"
_SCRIPT = files("policy.compiler").joinpath("threats.lua").read_text()


class Asked(NamedTuple):
    """What the script is to look for, and under whose name it tells."""

    policy: str
    spec: ThreatPolicySpec


def asked_to_bound(rule: RoutedRule) -> int | None:
    policy = rule.policies.one(ThreatPolicy)
    return policy.spec.bounds.body_bytes if policy is not None else None


def asked_to_inspect(rule: RoutedRule) -> Asked | None:
    policy = rule.policies.one(ThreatPolicy)
    if policy is None or not (policy.spec.patterns or policy.spec.bounds.of_headers):
        return None
    return Asked(f"{policy.key.namespace}/{policy.key.name}", policy.spec)


def buffer_on_route(value: int) -> BufferPerRoute:
    return BufferPerRoute(buffer=Buffer(max_request_bytes=value))


def buffer_in_chain(values: tuple[int, ...]) -> Buffer:
    return Buffer(max_request_bytes=min(values))


def script_on_route(value: Asked) -> LuaPerRoute:
    return LuaPerRoute(name=_CODE, filter_context=Struct.from_dict(context(value)))


def script_in_chain(values: tuple[Asked, ...]) -> Lua:
    return Lua(source_codes={_CODE: DataSource(inline_string=_SCRIPT)}, stat_prefix="threats")


def context(value: Asked) -> dict[str, Any]:
    """What the script is told, as JSON."""
    spec, bounds = value.spec, value.spec.bounds
    found: dict[str, Any] = {"name": value.policy, "mode": spec.mode}
    if spec.patterns:
        found |= {"patterns": list(spec.patterns), "inspect": list(spec.inspect)}
    if spec.skip_headers:
        found["skip_headers"] = [name.lower() for name in spec.skip_headers]
    for name in ("url_bytes", "header_bytes", "header_count"):
        if (bound := getattr(bounds, name)) is not None:
            found[name] = bound
    return found
