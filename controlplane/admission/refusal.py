"""What Envoy refuses, and how thoroughly it is to be asked."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from xds.resource import Resource


class Check(enum.Enum):
    """Who has to take a change before it is committed: we alone, or a real Envoy, too."""

    NONE = "none"
    ENVOY = "envoy"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Resources that Envoy refuses, and its words. `route` names the route or virtual host among them that is to
    blame, where one is."""

    resources: tuple[Resource, ...]
    words: str
    route: str | None = None
