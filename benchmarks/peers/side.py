"""One of those that are compared: a control plane that runs, what it is told by, and how proxies reach it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.processes import Measured
from controlplane.bootstrap import BootstrapOptions, render

Node = Mapping[str, Any]  # id, cluster, metadata: as in Envoy's bootstrap


@dataclass(frozen=True, slots=True)
class Certificates:
    """Of the client and the server of mutual TLS, by one authority; PEM."""

    authority: Path
    client: Path
    client_key: Path
    server: Path
    server_key: Path


@dataclass(frozen=True, slots=True)
class Xds:
    """Where proxies connect on this machine, and as whom: `node(0)` is the real Envoy, others are simulated.
    certificates: None where xDS goes without TLS."""

    port: int
    node: Callable[[int], Node]
    certificates: Certificates | None = None


class Side(ABC):
    """A control plane with the content of `content`, one route strong until it is told to grow.

    name: as it is shown.
    port: where the Envoy that it steers listens.
    programs: what runs of it, by name. The first is the control plane itself; others are what it needs to be told
        anything.
    """

    name: str
    port: int
    xds: Xds
    programs: Mapping[str, Measured]

    @abstractmethod
    async def grow(self, first: int, routes: int) -> None:
        """Adds what makes `routes` routes of `first`; returns when all of it was accepted."""

    @abstractmethod
    async def change(self, version: int) -> None:
        """Gives the first route its `version`th version; returns when that was accepted.

        The changes of a benchmark are numbered upwards.
        """


def bootstrap(xds: Xds) -> str:
    """The real Envoy's: the same for all sides but for who it is and how it connects."""
    node = xds.node(0)
    options = BootstrapOptions(node_id=node["id"], group=node["cluster"], xds_host="127.0.0.1", xds_port=xds.port)
    made = yaml.safe_load(render(options))
    made["node"]["metadata"] = node.get("metadata", {})
    if xds.certificates is not None:
        made["static_resources"]["clusters"][0]["transport_socket"] = _transport_socket(xds.certificates)
    return json.dumps(made)


def _transport_socket(certificates: Certificates) -> Mapping[str, Any]:
    own = {
        "certificate_chain": {"filename": str(certificates.client)},
        "private_key": {"filename": str(certificates.client_key)},
    }
    context = {
        "alpn_protocols": ["h2"],
        "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},  # Envoy's own default for clients is 1.2
        "tls_certificates": [own],
        "validation_context": {"trusted_ca": {"filename": str(certificates.authority)}},
    }
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": kind, "common_tls_context": context}}
