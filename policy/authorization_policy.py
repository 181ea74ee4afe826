"""AuthorizationPolicy: which requests may pass."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.errors import Problem
from policy.http_route import HTTPHeaderMatch, HTTPPathMatch
from policy.shapes import LIST, AbsoluteFile, NamespaceName, ObjectName, Shape, Word, matching

COUNTRY_DATABASE = "/usr/share/GeoIP/GeoLite2-Country.mmdb"
"""Where MaxMind's updater keeps its file."""


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    try:
        right = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError('an address range, such as "10.0.0.0/8" or "2001:db8::/32"') from None
    raise ValueError(f'an address range without bits beyond its prefix: "{right}"')


AddressRange = Annotated[str, AfterValidator(_network)]
Country = Annotated[str, matching(r"[A-Z]{2}", 'an ISO 3166 code of two capitals, such as "DE"')]
Principal = Annotated[
    str,
    StringConstraints(max_length=2048),
    matching(
        r"spiffe://[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*(/\*)?",
        'a SPIFFE ID, such as "spiffe://mesh.example/ns/shop/sa/cart", or one that ends in "/*"',
    ),
]
Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]


AddressList = Annotated[
    str,
    matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", 'the name of a file in the folder of address lists: "threats.txt"'),
]
MAX_LISTED = 5_000
"""Ranges of one list. Each route that a policy is about carries them all."""


class ClaimMatch(Shape):
    """A claim of a valid token that is one of `values`, or a list with one of them in it. `within`: the claims that
    lead to it, from the outermost."""

    name: Word
    within: Annotated[tuple[Word, ...], LIST, Field(max_length=8)] = ()
    values: Annotated[tuple[Word, ...], LIST, Field(min_length=1, max_length=64)]


class Conditions(Shape):
    """All that are given must hold. Within each, one of its entries must; of `claims`, all.

    addresses, address_lists: one of either. listed_addresses: what is on the lists; nobody writes it in a document
    (`policy.address_lists`).
    """

    principals: Annotated[tuple[Principal, ...], LIST, Field(max_length=64)] = ()
    namespaces: Annotated[tuple[NamespaceName, ...], LIST, Field(max_length=64)] = ()
    claims: Annotated[tuple[ClaimMatch, ...], LIST, Field(max_length=16)] = ()
    addresses: Annotated[tuple[AddressRange, ...], LIST, Field(max_length=256)] = ()
    address_lists: Annotated[tuple[AddressList, ...], LIST, Field(max_length=16)] = ()
    listed_addresses: Annotated[tuple[AddressRange, ...], LIST, Field(max_length=16 * MAX_LISTED)] = ()
    countries: Annotated[tuple[Country, ...], LIST, Field(max_length=256)] = ()
    methods: Annotated[tuple[Method, ...], LIST, Field(max_length=16)] = ()
    paths: Annotated[tuple[HTTPPathMatch, ...], LIST, Field(max_length=64)] = ()
    headers: Annotated[tuple[HTTPHeaderMatch, ...], LIST, Field(max_length=16)] = ()

    @property
    def given(self) -> bool:
        """Whether there is any condition."""
        return any(getattr(self, name) for name in Conditions.model_fields)


class AuthorizationRule(Conditions):
    """Requests that meet the conditions, but for those that meet `unless`. Without conditions: all."""

    name: ObjectName | None = None
    unless: Conditions | None = None

    @model_validator(mode="after")
    def _exception_of_something(self) -> AuthorizationRule:
        if self.unless is not None and not self.unless.given:
            raise ValueError("an unless with a condition: without one, the rule would never apply")
        return self


class ClientAddress(Shape):
    """How many proxies stand in front of the gateway and append to X-Forwarded-For: that many of its last addresses
    are believed."""

    trusted_proxies: Annotated[int, Field(ge=1, le=16)]


class AuthorizationPolicySpec(AttachedSpec):
    """audit: the rules are evaluated and counted, and decide nothing."""

    action: Literal["Allow", "Deny"]
    rules: Annotated[tuple[AuthorizationRule, ...], LIST, Field(max_length=64)] = ()
    audit: bool = False
    client_address: ClientAddress | None = None
    country_database: AbsoluteFile = COUNTRY_DATABASE

    @property
    def asks_for_country(self) -> bool:
        conditions = [part for rule in self.rules for part in (rule, rule.unless) if part is not None]
        return any(part.countries for part in conditions)

    @model_validator(mode="after")
    def _denies_something(self) -> AuthorizationPolicySpec:
        names = [rule.name for rule in self.rules if rule.name is not None]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"rules with names of their own, and {twice} is there twice")
        if self.action == "Deny" and not self.rules:
            raise ValueError("a rule at least: to deny all that nothing allows, write action: Allow without rules")
        return self


class AuthorizationPolicy(AttachedPolicy):
    """All policies that apply to a request decide together: it passes if no Deny matches it and, where there is any
    Allow, one of these does."""

    KIND: ClassVar[str] = "AuthorizationPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute", "Service")
    STACKS: ClassVar[bool] = True
    AT_SERVER: ClassVar[bool] = True

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["AuthorizationPolicy"] = "AuthorizationPolicy"
    spec: AuthorizationPolicySpec

    def findings(self) -> Iterator[Problem | str]:
        """Addresses are read before any route is known; all sidecars of a service decide alike."""
        for index, rule in enumerate(self.spec.rules):
            if rule.listed_addresses or (rule.unless is not None and rule.unless.listed_addresses):
                where = f"spec.rules[{index}].listedAddresses"
                yield Problem(str(self.key), where, "addresses", "addressLists: what is on them is read from the files")
        for index, ref in enumerate(self.spec.target_refs):
            if ref.kind == "Service" and ref.section_name is not None:
                where = f"spec.targetRefs[{index}].sectionName"
                yield Problem(str(self.key), where, f"the version {ref.section_name}", "the whole Service")
        if self.spec.client_address is None:
            return
        for index, ref in enumerate(self.spec.target_refs):
            if ref.kind != "Gateway":
                where = f"spec.targetRefs[{index}]"
                want = "a Gateway: what addresses mean is decided for all of a port's requests"
                yield Problem(str(self.key), where, f"{ref.kind}, in a policy with clientAddress", want)

    @classmethod
    def disagreements(cls, policies: Sequence[AttachedPolicy]) -> Iterator[Problem | str]:
        """A chain looks a request's country up once, in one file."""
        asking = [policy for policy in policies if isinstance(policy, cls) and policy.spec.asks_for_country]
        for policy in asking[1:]:
            first, path = asking[0], asking[0].spec.country_database
            if policy.spec.country_database != path:
                got = f'the text "{policy.spec.country_database}"'
                yield Problem(str(policy.key), "spec.countryDatabase", got, f'"{path}", as in {first.key}')
