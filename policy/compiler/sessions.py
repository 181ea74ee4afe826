"""HTTP filter `stateful_session`: a rule's session persistence."""

from __future__ import annotations

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.extensions.filters.http.stateful_session.v3 import StatefulSession, StatefulSessionPerRoute
from envoy_data_plane.envoy.extensions.http.stateful_session.cookie.v3 import CookieBasedSessionState
from envoy_data_plane.envoy.extensions.http.stateful_session.header.v3 import HeaderBasedSessionState
from envoy_data_plane.envoy.type.http.v3 import Cookie

from policy.compiler.inputs import RoutedRule
from policy.session import SessionPersistence
from xds.encoder import pack

_STATE = "envoy.http.stateful_session."


def asked(routed: RoutedRule) -> SessionPersistence | None:
    return routed.rule.session_persistence


def in_chain(_: tuple[SessionPersistence, ...]) -> StatefulSession:
    return StatefulSession()


def on_route(session: SessionPersistence) -> StatefulSessionPerRoute:
    return StatefulSessionPerRoute(stateful_session=StatefulSession(session_state=_state(session)))


def _state(session: SessionPersistence) -> TypedExtensionConfig:
    kept: Message
    if session.type == "Header":
        kept = HeaderBasedSessionState(name=session.session_name)
    else:
        # Without a time to live Envoy writes a cookie that the browser forgets when it is closed.
        kept = CookieBasedSessionState(cookie=Cookie(name=session.session_name, path="/", ttl=session.absolute_timeout))
    return TypedExtensionConfig(name=_STATE + session.type.lower(), typed_config=pack(kept))
