"""Where a request comes from: Envoy's geoip filter, for the policies that decide by country."""

from __future__ import annotations

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.route.v3 import FilterConfig
from envoy_data_plane.envoy.extensions.filters.http.geoip.v3 import Geoip
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.geoip_providers.common.v3 import (
    CommonGeoipProviderConfig,
    CommonGeoipProviderConfigGeolocationFieldKeys,
)
from envoy_data_plane.envoy.extensions.geoip_providers.maxmind.v3 import MaxMindConfig
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.google.protobuf import Any as Packed

from policy.authorization_policy import AuthorizationPolicy
from policy.compiler.inputs import HttpListener, RoutedRule
from xds.encoder import pack

NAME = "envoy.filters.http.geoip"
COUNTRY_HEADER = "x-apg-country"
"""The request header that has the country's code, if it is known. What clients send under this name is dropped."""


def asked(rule: RoutedRule) -> str | None:
    """The file to look countries up in; all policies of a mesh have the same."""
    policies = rule.policies.all(AuthorizationPolicy)
    return next((policy.spec.country_database for policy in policies if policy.spec.asks_for_country), None)


def on_route(value: str) -> FilterConfig:
    return FilterConfig(config=Packed())


def in_chain(values: tuple[str, ...]) -> Geoip:
    keys = CommonGeoipProviderConfigGeolocationFieldKeys(country=COUNTRY_HEADER)
    provider = MaxMindConfig(
        country_db_path=values[0], common_provider_config=CommonGeoipProviderConfig(geo_field_keys=keys)
    )
    return Geoip(
        provider=TypedExtensionConfig(name="envoy.geoip_providers.maxmind", typed_config=pack(provider)),
    )


def on_connection_manager(manager: HttpConnectionManager, served: HttpListener) -> None:
    """The filter sets the header of addresses that the file knows, and leaves that of others: nobody may bring one."""
    if any(name == NAME for name, _ in served.asked):
        mutation = EarlyHeaderMutation(mutations=[HeaderMutation(remove=COUNTRY_HEADER)])
        manager.early_header_mutation_extensions.append(
            TypedExtensionConfig(name="envoy.http.early_header_mutation.header_mutation", typed_config=pack(mutation))
        )
