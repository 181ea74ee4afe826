"""Session persistence of a rule (Gateway API, GEP-1619): a client stays with the endpoint that served it first."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from policy.shapes import Duration, Shape, matching


def _not_kept(value: object) -> object:
    raise ValueError("no idleTimeout: it would take a memory of sessions, and proxies keep none")


class CookieConfig(Shape):
    """Session: the browser forgets the cookie when it is closed. Permanent: after `absoluteTimeout`."""

    lifetime_type: Literal["Session", "Permanent"] = "Session"


class SessionPersistence(Shape):
    """The address of the endpoint travels in a cookie or a header of the client's, so no proxy has to remember it."""

    session_name: Annotated[
        str, Field(max_length=128), matching(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", "a name for a cookie or header")
    ] = "apg-session"
    type: Literal["Cookie", "Header"] = "Cookie"
    absolute_timeout: Duration | None = None
    idle_timeout: Annotated[Duration | None, BeforeValidator(_not_kept)] = None
    cookie_config: CookieConfig | None = None

    @model_validator(mode="after")
    def _lifetime(self) -> SessionPersistence:
        permanent = self.cookie_config is not None and self.cookie_config.lifetime_type == "Permanent"
        if permanent and not self.absolute_timeout:
            raise ValueError("an absoluteTimeout for a Permanent cookie")
        if self.type == "Header" and (self.cookie_config is not None or self.absolute_timeout is not None):
            raise ValueError("cookieConfig and absoluteTimeout with the type Cookie only: a header has no lifetime")
        if self.absolute_timeout is not None and not permanent:
            raise ValueError("cookieConfig.lifetimeType: Permanent beside an absoluteTimeout")
        return self
