"""What AuthorizationPolicies make of a request. Of a condition about what nobody told, the answer is not known (None),
and what follows from it is worked out as in Kleene's logic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from policy.authorization_policy import AuthorizationPolicy, AuthorizationRule, ClaimMatch, Conditions
from policy.explain.matching import on_path, on_text
from policy.explain.meeting import Met, Place, doubting, passing, refusing
from policy.explain.request import Request

_STATUS = 403


def deny(place: Place, request: Request) -> Met:
    """The first filter: no Deny may match."""
    enforced, audited = _policies(place, "Deny")
    steps = _audit(place, request, audited)
    doubt: Met | None = None
    for policy, index, rule in _rules(enforced):
        holds, path = _holds(rule, place, request), f"spec.rules[{index}]"
        if holds:
            met = refusing(request, policy, _STATUS, f"{_named(rule, index)} denies it", path=path)
            return met._replace(steps=(*steps, *met.steps))
        if holds is None and doubt is None:
            words = f"refused with {_STATUS} if {_named(rule, index)} matches, which hangs on {_missing(rule, request)}"
            doubt = doubting(request, policy, words, path=path)
    if doubt is not None:
        return doubt._replace(steps=(*steps, *doubt.steps))
    steps += tuple(step for policy in enforced for step in passing(request, policy, "no rule denies it").steps)
    return Met(request, steps)


def allow(place: Place, request: Request) -> Met:
    """The second filter: where there is an Allow, one must match."""
    enforced, audited = _policies(place, "Allow")
    steps = _audit(place, request, (*enforced, *audited) if audited else ())
    if not enforced:
        return Met(request, steps)
    doubt: Met | None = None
    for policy, index, rule in _rules(enforced):
        holds, path = _holds(rule, place, request), f"spec.rules[{index}]"
        if holds:
            met = passing(request, policy, f"{_named(rule, index)} allows it", path=path)
            return met._replace(steps=(*steps, *met.steps))
        if holds is None and doubt is None:
            words = (
                f"refused with {_STATUS} unless {_named(rule, index)} matches, which hangs on {_missing(rule, request)}"
            )
            doubt = doubting(request, policy, words, path=path)
    last = enforced[-1]
    others = f" ({len(enforced)} policies)" if len(enforced) > 1 else ""
    met = doubt or refusing(request, last, _STATUS, f"no rule allows it{others}")
    return met._replace(steps=(*steps, *met.steps))


def _policies(place: Place, action: str) -> tuple[tuple[AuthorizationPolicy, ...], tuple[AuthorizationPolicy, ...]]:
    """Those that decide, and those that only audit."""
    found = [policy for policy in place.rule.policies.all(AuthorizationPolicy) if policy.spec.action == action]
    return tuple(item for item in found if not item.spec.audit), tuple(item for item in found if item.spec.audit)


def _rules(policies: Iterable[AuthorizationPolicy]) -> Iterator[tuple[AuthorizationPolicy, int, AuthorizationRule]]:
    """In the order in which Envoy tries them: by name."""
    found = [(policy, index, rule) for policy in policies for index, rule in enumerate(policy.spec.rules)]
    return iter(sorted(found, key=lambda item: (item[0].key, item[2].name or str(item[1]))))


def _audit(place: Place, request: Request, policies: tuple[AuthorizationPolicy, ...]) -> tuple[Any, ...]:
    """What policies that only audit would have done."""
    audited = [policy for policy in policies if policy.spec.audit]
    if not audited:
        return ()
    verdicts = [(_holds(rule, place, request), policy) for policy, _, rule in _rules(policies)]
    decisive = next((policy for holds, policy in verdicts if holds), None)
    denies = audited[0].spec.action == "Deny"
    unknown = decisive is None and any(holds is None for holds, _ in verdicts)
    refuses = (decisive is not None) if denies else (decisive is None)
    said = "may be refused" if unknown else "would be refused" if refuses else "would pass"
    told = decisive if decisive in audited and decisive is not None else audited[0]
    return passing(request, told, f"audits only: {said}, were it enforced").steps


def _named(rule: AuthorizationRule, index: int) -> str:
    return f"the rule {rule.name or index}"


def _holds(rule: AuthorizationRule, place: Place, request: Request) -> bool | None:
    held = _and(_conditions(rule, place, request))
    if rule.unless is None or held is False:
        return held
    excepted = _and(_conditions(rule.unless, place, request))
    return _and([held, None if excepted is None else not excepted])


def _and(parts: Iterable[bool | None]) -> bool | None:
    found = list(parts)
    return False if False in found else None if None in found else True


def _conditions(given: Conditions, place: Place, request: Request) -> Iterator[bool | None]:
    who = request.principal if place.asks is not None else None
    if given.principals:
        yield who is not None and any(_is_principal(wanted, who) for wanted in given.principals)
    if given.namespaces:
        parts = who.split("/") if who is not None else []
        yield len(parts) > 5 and parts[3] == "ns" and parts[4] in given.namespaces
    for claim in given.claims:
        yield _claims(claim, request.claims)
    if given.addresses or given.address_lists:
        ranges = (*given.addresses, *given.listed_addresses)
        yield _any_of(request.address, ranges, lambda found, wanted: found in ip_network(wanted))
    if given.countries:
        yield _any_of(request.country, given.countries, lambda found, wanted: found == wanted)
    if given.methods:
        yield request.method in given.methods
    if given.paths:
        yield any(on_path(path, request.path) for path in given.paths)
    if given.headers:
        values = [(header, request.header(header.name)) for header in given.headers]
        yield any(value is not None and on_text(header.type, header.value, value) for header, value in values)


def _any_of(found: Any, wanted: Iterable[str], fits: Callable[[Any, str], bool]) -> bool | None:  # noqa: ANN401
    return None if found is None else any(fits(found, item) for item in wanted)


def _is_principal(wanted: str, principal: str) -> bool:
    return principal.startswith(wanted[:-1]) if wanted.endswith("/*") else principal == wanted


def _claims(wanted: ClaimMatch, claims: Mapping[str, Any] | None) -> bool:
    value: Any = claims
    for part in (*wanted.within, wanted.name):
        value = value.get(part) if isinstance(value, Mapping) else None
    values = value if isinstance(value, list) else [value]
    return any(isinstance(item, str) and item in wanted.values for item in values)


def _missing(rule: AuthorizationRule, request: Request) -> str:
    """What the rule asks for that nobody told."""
    parts = [part for part in (rule, rule.unless) if part is not None]
    lacking = []
    if request.address is None and any(part.addresses or part.address_lists for part in parts):
        lacking.append("the client's address (--from)")
    if request.country is None and any(part.countries for part in parts):
        lacking.append("its country (--country)")
    return " and ".join(lacking)
