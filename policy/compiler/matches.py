"""RouteMatch: an HTTPRoute's match in Envoy's words, and which of two matches goes first."""

from __future__ import annotations

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, QueryParameterMatcher, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from policy.http_route import HTTPHeaderMatch, HTTPPathMatch, HTTPQueryParamMatch, HTTPRouteMatch
from xds.messages import unchecked

_PATH_RANK = {"Exact": 0, "RegularExpression": 1, "PathPrefix": 2}

_HeaderMatcher = unchecked(HeaderMatcher)
_QueryParameterMatcher = unchecked(QueryParameterMatcher)
_RouteMatch = unchecked(RouteMatch)
_RegexMatcher = unchecked(RegexMatcher)
_StringMatcher = unchecked(StringMatcher)


def precedence(match: HTTPRouteMatch) -> tuple[int, int, bool, int, int]:
    """A sort key: the most specific match first.

    Gateway API, HTTPRouteRule.matches: an exact path, then the longest prefix, then a method match, then the most
    header matches, then the most query parameter matches. Where regular expressions stand is left to implementations:
    here between exact paths and prefixes. Remaining ties go to the alphabetically first route, then its first rule.
    """
    return (
        _PATH_RANK[match.path.type],
        -len(match.path.value),
        match.method is None,
        -len(match.headers),
        -len(match.query_params),
    )


def route_match(match: HTTPRouteMatch) -> RouteMatch:
    """The match as Envoy evaluates it: all conditions must hold."""
    headers = [header_matcher(header) for header in match.headers]
    if match.method is not None:
        headers.insert(0, _HeaderMatcher(name=":method", string_match=_StringMatcher(exact=match.method)))
    result = _path(match.path)
    result.headers = headers
    result.query_parameters = [_query_parameter(parameter) for parameter in match.query_params]
    return result


def _path(path: HTTPPathMatch) -> RouteMatch:
    match path.type:
        case "Exact":
            return _RouteMatch(path=path.value)
        case "RegularExpression":
            return _RouteMatch(safe_regex=_RegexMatcher(regex=path.value))
        case "PathPrefix":
            # "/pay" means /pay and all below it, but not /payments: Envoy's separated prefix, which takes no final
            # slash. The prefix "/" has nothing to be separated from.
            prefix = path.value.rstrip("/")
            return _RouteMatch(path_separated_prefix=prefix) if prefix else _RouteMatch(prefix="/")


def header_matcher(header: HTTPHeaderMatch) -> HeaderMatcher:
    """A header's match as Envoy evaluates it."""
    return _HeaderMatcher(name=header.name, string_match=_string(header.type, header.value))


def _query_parameter(parameter: HTTPQueryParamMatch) -> QueryParameterMatcher:
    return _QueryParameterMatcher(name=parameter.name, string_match=_string(parameter.type, parameter.value))


def _string(type: str, value: str) -> StringMatcher:
    if type == "RegularExpression":
        return _StringMatcher(safe_regex=_RegexMatcher(regex=value))
    return _StringMatcher(exact=value)
