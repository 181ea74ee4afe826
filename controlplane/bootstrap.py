"""An Envoy's bootstrap, rendered from the template `envoy/bootstrap.yaml`.

Where the Envoy binary is and how it is run: `controlplane.proxy`.
"""

from __future__ import annotations

import enum
import functools
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from controlplane.xds_tls import CERTIFICATE, TRUST, XdsTls
from registry.model import Labels

_TEMPLATE = "bootstrap.yaml"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class Variant(enum.Enum):
    """How a proxy speaks xDS; the values are Envoy's `ApiConfigSource.ApiType`."""

    DELTA = "DELTA_GRPC"
    SOTW = "GRPC"


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapOptions:
    """What differs from proxy to proxy.

    group: "NAMESPACE/GATEWAY" or "sidecar/NAMESPACE/SERVICE", Envoy's `node.cluster`.
    xds_host: the control plane's name or IP address.
    admin_port: on 127.0.0.1; 0 takes a free one.
    region, zone: where the proxy runs, as the labels of endpoints name it; "" for unknown. Without a zone, it
        prefers no endpoints.
    load_reports, metrics_sink: whether the control plane is asked to take load reports (LRS) and metrics (OTLP).
    tls: how the control plane is talked to; None for plain text. Whoever renders it has to `XdsTls.write` it, too.
    metrics_interval: between two exports of metrics; how often load is reported, the control plane says.
    """

    node_id: str
    group: str
    xds_host: str
    xds_port: int
    variant: Variant = Variant.DELTA
    admin_port: int = 0
    load_reports: bool = False
    metrics_sink: bool = False
    metrics_interval: timedelta = timedelta(seconds=10)
    metadata: Labels = ()
    region: str = ""
    zone: str = ""
    tls: XdsTls | None = None

    def __post_init__(self) -> None:
        for name in ("node_id", "group", "xds_host"):
            if not getattr(self, name):
                raise ValueError(f"bootstrap: {name}: got an empty text, want one")
        if not 1 <= self.xds_port <= 65535:
            raise ValueError(f"bootstrap: xds_port: got {self.xds_port}, want 1 to 65535")
        if not 0 <= self.admin_port <= 65535:
            raise ValueError(f"bootstrap: admin_port: got {self.admin_port}, want 0 to 65535")
        if self.metrics_interval < timedelta(milliseconds=1):
            seconds = self.metrics_interval.total_seconds()
            raise ValueError(f"bootstrap: metrics_interval: got {seconds:g} s, want a millisecond or more")


class _Quoting(yaml.SafeDumper):
    """Quotes every string. What needs quotes differs between YAML 1.1 (PyYAML) and 1.2 (Envoy): 1e3 is a text in one
    and a number in the other."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def render(options: BootstrapOptions) -> str:
    """The bootstrap as YAML, the same for the same options."""
    values: Mapping[str, object] = {
        "node_id": options.node_id,
        "group": options.group,
        "metadata": dict(options.metadata),
        "region": options.region,
        "zone": options.zone,
        "admin_port": options.admin_port,
        "api_type": options.variant.value,
        "xds_host": options.xds_host,
        "xds_port": options.xds_port,
        "metrics_interval": f"{options.metrics_interval.total_seconds():.3f}s",
        **(_tls_values(options.tls) if options.tls is not None else {}),
    }
    template = yaml.safe_load(_template())
    _keep_tls(template["static_resources"]["clusters"][0], options.tls)
    if not (options.region or options.zone):
        del template["node"]["locality"]
    if not options.load_reports:
        del template["cluster_manager"]["load_stats_config"]
    if not options.zone:
        del template["cluster_manager"]["local_cluster_name"]
        template["static_resources"]["clusters"] = template["static_resources"]["clusters"][:1]
    if not template["cluster_manager"]:
        del template["cluster_manager"]
    if not options.metrics_sink:
        del template["stats_sinks"], template["stats_flush_interval"]
    bootstrap = _filled(template, values)
    return yaml.dump(bootstrap, Dumper=_Quoting, sort_keys=False, width=sys.maxsize)


def _tls_values(tls: XdsTls) -> Mapping[str, object]:
    return {
        "xds_sni": tls.sni,
        "xds_san_type": tls.san_type,
        "xds_server_name": tls.server_name,
        "xds_certificate_path": str(tls.path(CERTIFICATE)),
        "xds_trust_path": str(tls.path(TRUST)),
    }


def _keep_tls(cluster: dict[str, Any], tls: XdsTls | None) -> None:
    """Takes out of the template's cluster `xds` what there is no use for."""
    if tls is None:
        del cluster["transport_socket"]
        return
    socket = cluster["transport_socket"]["typed_config"]
    if not tls.sni:
        del socket["sni"]
    if tls.certificate is None:
        del socket["common_tls_context"]["tls_certificate_sds_secret_configs"]


def _filled(node: object, values: Mapping[str, object]) -> object:
    """`node`, a parsed template, with its placeholders replaced. Values are not looked into again."""
    match node:
        case dict():
            return {key: _filled(value, values) for key, value in node.items()}
        case list():
            return [_filled(value, values) for value in node]
        case str() if placeholder := _PLACEHOLDER.fullmatch(node):
            return values[placeholder[1]]
        case _:
            return node


@functools.cache
def _template() -> str:
    beside_the_package = Path(__file__).parent.parent / "envoy" / _TEMPLATE
    installed_by_a_wheel = Path(sys.prefix) / "share" / "apg-mesh" / "envoy" / _TEMPLATE
    for path in (beside_the_package, installed_by_a_wheel):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(
        f"no bootstrap template at {beside_the_package} or {installed_by_a_wheel}: want apg-mesh installed whole"
    )
