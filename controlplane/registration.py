"""Services and endpoints at the edge: from the admin API's messages to the registry's values, checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping

from policy.errors import PolicyError, Problem
from protos.apg.admin.v1 import admin_pb2
from registry.model import DEFAULT_NAMESPACE, Endpoint, Protocol, Service, is_ip_address, labels

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123 label, as Kubernetes names services
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9][-a-z0-9.]{0,251}[a-z0-9]/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_MAX_LABELS = 64
_MAX_WEIGHT = 128  # Envoy, LbEndpoint.load_balancing_weight is at least 1; 128 keeps a ring hash's tables small

_PROTOCOLS = {
    admin_pb2.PROTOCOL_UNSPECIFIED: Protocol.HTTP,
    admin_pb2.PROTOCOL_HTTP: Protocol.HTTP,
    admin_pb2.PROTOCOL_HTTP2: Protocol.HTTP2,
}


def service(message: admin_pb2.Service) -> Service:
    """The service that `message` describes, with defaults filled in. Raises PolicyError with all that is wrong."""
    namespace = message.namespace or DEFAULT_NAMESPACE
    check = _Check(f"Service {namespace}/{message.name}")
    check.name("namespace", namespace)
    check.name("name", message.name)
    check.number("port", message.port or 80, 1, 65535)
    check.labels(message.labels)
    protocol = _PROTOCOLS.get(message.protocol)
    if protocol is None:
        check.refuse("protocol", str(message.protocol), "HTTP or HTTP2")
    check.done()
    assert protocol is not None
    return Service(
        namespace=namespace,
        name=message.name,
        port=message.port or 80,
        protocol=protocol,
        labels=labels(message.labels),
    )


def endpoint(message: admin_pb2.Endpoint) -> Endpoint:
    """The endpoint that `message` describes, with defaults filled in. Raises PolicyError with all that is wrong."""
    namespace = message.namespace or DEFAULT_NAMESPACE
    check = _Check(f"Endpoint {namespace}/{message.service} {message.address}:{message.port}")
    check.name("namespace", namespace)
    check.name("service", message.service)
    if not is_ip_address(message.address):
        check.refuse("address", f'"{message.address[:80]}"', "an IPv4 or IPv6 address, such as 10.0.0.7")
    check.number("port", message.port, 1, 65535)
    check.number("weight", message.weight or 1, 1, _MAX_WEIGHT)
    check.labels(message.labels)
    check.done()
    return Endpoint(
        namespace=namespace,
        service=message.service,
        address=message.address,
        port=message.port,
        labels=labels(message.labels),
        weight=message.weight or 1,
    )


class _Check:
    """Gathers what is wrong with one message."""

    def __init__(self, document: str) -> None:
        self._document = document
        self._problems: list[Problem] = []

    def refuse(self, path: str, got: str, want: str) -> None:
        self._problems.append(Problem(self._document, path, got, want))

    def name(self, path: str, value: str) -> None:
        if not _NAME.fullmatch(value):
            self.refuse(path, f'"{value[:80]}"', "1 to 63 of a-z, 0-9 and -, beginning and ending with one of a-z, 0-9")

    def number(self, path: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            self.refuse(path, str(value), f"{low} to {high}")

    def labels(self, mapping: Mapping[str, str]) -> None:
        if len(mapping) > _MAX_LABELS:
            self.refuse("labels", f"{len(mapping)} labels", f"at most {_MAX_LABELS}")
        for key, value in mapping.items():
            if not _LABEL_KEY.fullmatch(key):
                self.refuse("labels", f'the key "{key[:80]}"', "letters, digits, -, _ and .")
            if not _LABEL_VALUE.fullmatch(value):
                self.refuse(f"labels.{key}", f'"{value[:80]}"', "up to 63 letters, digits, -, _ and .")

    def done(self) -> None:
        if self._problems:
            raise PolicyError(self._problems)
