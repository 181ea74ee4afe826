"""CEL in matchers: the two messages for it that envoy-data-plane lacks, known to its pool like its own.

Source: xds/type/matcher/v3/cel.proto and http_inputs.proto of github.com/cncf/xds.
"""

from __future__ import annotations

import betterproto2
from envoy_data_plane.cel.expr import Constant, Expr, ExprCall, ExprIdent, ExprSelect, ParsedExpr
from envoy_data_plane.message_pool import default_message_pool
from envoy_data_plane.xds.type.v3 import CelExpression
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

_PACKAGE = "xds.type.matcher.v3"
_CHECKS: ConfigDict = {"extra": "forbid", "defer_build": True}  # as the others': made with the first message


@dataclass(eq=False, repr=False, config=_CHECKS)
class CelMatcher(betterproto2.Message):
    """Matches where `expr_match`, over the request's attributes, is true."""

    expr_match: CelExpression | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)
    description: str = betterproto2.field(2, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False, config=_CHECKS)
class HttpAttributesCelMatchInput(betterproto2.Message):
    """The attributes of a request, as a matcher's input."""


default_message_pool.register_message(_PACKAGE, "CelMatcher", CelMatcher)
default_message_pool.register_message(_PACKAGE, "HttpAttributesCelMatchInput", HttpAttributesCelMatchInput)


def attribute(of: str, name: str) -> Expr:
    """`of.name`, such as request.time."""
    return Expr(select_expr=ExprSelect(operand=Expr(ident_expr=ExprIdent(name=of)), field=name))


def text(value: str) -> Expr:
    """A text."""
    return Expr(const_expr=Constant(string_value=value))


def call(function: str, *arguments: Expr) -> Expr:
    """A function or, as "_<_", an operator."""
    return Expr(call_expr=ExprCall(function=function, args=list(arguments)))


def matches(expression: Expr) -> CelMatcher:
    """A matcher of the requests for which `expression` is true. Envoy wants each part numbered."""
    _number(expression, 1)
    return CelMatcher(expr_match=CelExpression(cel_expr_parsed=ParsedExpr(expr=expression)))


def _number(expression: Expr, first: int) -> int:
    """Numbers `expression` and its parts from `first` on; the next number."""
    expression.id = first
    parts = list(expression.call_expr.args) if expression.call_expr is not None else []
    if expression.select_expr is not None and expression.select_expr.operand is not None:
        parts.append(expression.select_expr.operand)
    following = first + 1
    for part in parts:
        following = _number(part, following)
    return following
