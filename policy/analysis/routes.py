"""Checks of routes: matches that nothing reaches, splits that do not add up, paths that authentication leaves open."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from policy.analysis.finding import Finding, Severity
from policy.analysis.served import Served
from policy.authentication_policy import AuthenticationPolicy
from policy.compiler.inputs import RoutedHost, RoutedRule
from policy.compiler.matches import precedence
from policy.http_route import HTTPRouteMatch

_ALL = (".*", "/.*", "^.*$", "^/.*$", "^/.*", "/.*$")
"""Regular expressions that all paths match, as people write them."""

_LOOKS_LIKE_PERCENT = 10
_OPEN_SHOWN = 20


def shadowed(served: Served) -> Iterator[Finding]:
    """Matches whose requests another match takes first, on every host that serves them."""
    reached: set[tuple[str, int, int]] = set()
    hidden: dict[tuple[str, int, int], tuple[RoutedRule, int, str]] = {}
    for _, port in served.gateway_ports:
        for hosts in port.hosts.values():
            for host in hosts:
                for place, by in _of_host(host):
                    if by is None:
                        reached.add(place)
                    else:
                        hidden.setdefault(place, by)
    for place, (rule, number, why) in sorted(hidden.items(), key=lambda item: item[0]):
        same_document = rule.origin == place[0] and "same match" in why  # which validation tells
        if place not in reached and not same_document:
            document, index, match = place
            yield Finding(
                Severity.WARNING,
                "shadowed",
                document,
                f"spec.rules[{index}].matches[{match}]",
                f"no request gets here: {rule.origin}, spec.rules[{rule.index}].matches[{number}], {why}",
                "remove one of the two, or make this match more specific (a header, a method, a longer path)",
            )


def _of_host(
    host: RoutedHost,
) -> Iterator[tuple[tuple[str, int, int], tuple[RoutedRule, int, str] | None]]:
    """Each match of a host, and what takes its requests first, if something does."""
    entries = [(rule, number, match) for rule in host.rules for number, match in enumerate(rule.rule.matches)]
    entries.sort(key=lambda entry: precedence(entry[2]))
    first: dict[Hashable, tuple[RoutedRule, int]] = {}
    takes_all: dict[Hashable, tuple[RoutedRule, int]] = {}
    for rule, number, match in entries:
        conditions, exact = _conditions(match), (match.path.type, match.path.value.rstrip("/"), _conditions(match))
        by: tuple[RoutedRule, int, str] | None = None
        if exact in first:
            by = (*first[exact], "has the same match and comes first")
        else:
            for wider in (conditions, _NOTHING):
                if match.path.type != "Exact" and wider in takes_all:
                    by = (*takes_all[wider], "takes all paths, and regular expressions go before prefixes")
                    break
        first.setdefault(exact, (rule, number))
        if match.path.type == "RegularExpression" and match.path.value in _ALL:
            takes_all.setdefault(conditions, (rule, number))
        yield (rule.origin, rule.index, number), by


def _conditions(match: HTTPRouteMatch) -> Hashable:
    """All of a match but its path, so that equal conditions are equal values."""
    headers = frozenset((item.name.lower(), item.type, item.value) for item in match.headers)
    parameters = frozenset((item.name, item.type, item.value) for item in match.query_params)
    return match.method, headers, parameters


_NOTHING = _conditions(HTTPRouteMatch())


def splits(served: Served) -> Iterator[Finding]:
    """Weights that look like percentages and are none together."""
    for rule in dict.fromkeys(served.rules):
        weights = [ref.weight for ref in rule.rule.backend_refs]
        total = sum(weights)
        if len(weights) < 2 or total in (0, 100) or max(weights) < _LOOKS_LIKE_PERCENT or total % 100 == 0:
            continue
        if len(set(weights)) == 1:
            continue
        shares = ", ".join(f"{ref.name} {ref.weight / total:.0%}" for ref in rule.rule.backend_refs)
        yield Finding(
            Severity.WARNING,
            "split",
            rule.origin,
            f"spec.rules[{rule.index}].backendRefs",
            f"the weights add up to {total}, so the shares are {shares}",
            "let them add up to 100, if they are meant as percentages",
        )


def open_paths(served: Served) -> Iterator[Finding]:
    """Rules without authentication on a host where other rules ask for it."""
    found: dict[tuple[str, int], Finding] = {}
    for _, port in served.gateway_ports:
        for hosts in port.hosts.values():
            for host in hosts:
                for rule, guarded in _open_on(host):
                    place = (rule.origin, rule.index)
                    policy = guarded.policies.one(AuthenticationPolicy)
                    assert policy is not None
                    found.setdefault(
                        place,
                        Finding(
                            Severity.WARNING,
                            "open",
                            rule.origin,
                            f"spec.rules[{rule.index}]",
                            f"asks nobody who they are, while {policy.key} guards {guarded.origin} on the same host, "
                            f"{host.hostname}",
                            "attach the policy to the Gateway, or one with anonymous: true to this rule, to say that "
                            "it is meant",
                        ),
                    )
    yield from list(found.values())[:_OPEN_SHOWN]


def _open_on(host: RoutedHost) -> Sequence[tuple[RoutedRule, RoutedRule]]:
    """The rules of a host that ask nobody, each with one that does."""
    guarded = next((rule for rule in host.rules if _asks(rule)), None)
    if guarded is None:
        return ()
    return [
        (rule, guarded)
        for rule in host.rules
        if rule.policies.one(AuthenticationPolicy) is None and any(ref.weight for ref in rule.rule.backend_refs)
    ]


def _asks(rule: RoutedRule) -> bool:
    policy = rule.policies.one(AuthenticationPolicy)
    return policy is not None and not policy.spec.anonymous
