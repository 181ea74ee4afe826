"""The CORS filter of routes (Gateway API, GEP-1767): which pages of other origins may read the answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from policy.shapes import LIST, Shape, matching

_WORD = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"

Origin = Annotated[
    str,
    Field(max_length=253),
    matching(
        r"\*|[a-z][a-z0-9+.-]*://(\*|(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?)(:[0-9]{1,5})?",
        'an origin, such as "https://shop.example", "https://*.shop.example", or "*"',
    ),
]
Token = Annotated[str, Field(max_length=256), matching(_WORD, 'a name, or "*"')]


class HTTPCORSFilter(Shape):
    """What browsers are told. An origin that is not allowed is told nothing, and its requests are served as any."""

    allow_origins: Annotated[tuple[Origin, ...], LIST, Field(min_length=1, max_length=64)]
    allow_credentials: bool = False
    allow_methods: Annotated[tuple[Token, ...], LIST, Field(max_length=9)] = ()
    allow_headers: Annotated[tuple[Token, ...], LIST, Field(max_length=64)] = ()
    expose_headers: Annotated[tuple[Token, ...], LIST, Field(max_length=64)] = ()
    max_age: Annotated[int, Field(ge=1, le=86_400)] = 5
    """Seconds for which a browser may remember a preflight's answer."""

    @model_validator(mode="after")
    def _no_wildcard_with_credentials(self) -> HTTPCORSFilter:
        """Fetch standard: with credentials, browsers take "*" for a method or header of that very name."""
        if self.allow_credentials:
            for name in ("allow_methods", "allow_headers", "expose_headers"):
                if "*" in getattr(self, name):
                    field = name.replace("_h", "H").replace("_m", "M")
                    raise ValueError(f'names in {field}: with allowCredentials, browsers do not take "*" for all')
        return self
