"""BackendTLSPolicy (Gateway API v1): TLS to a service, and what its certificate must prove."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.identities import Identity
from policy.shapes import LIST, Hostname, ObjectName, PreciseHostname, Shape, matching


class CACertificateRef(Shape):
    """Authorities to believe: an identity's trust bundle (policy/identities.py)."""

    group: Literal[""] = ""
    kind: Literal["ConfigMap", "Secret"] = "ConfigMap"
    name: ObjectName


class SubjectAltName(Shape):
    """A name in a certificate: the field that its type names."""

    type: Literal["Hostname", "URI"]
    hostname: Hostname | None = None
    uri: (
        Annotated[
            str,
            StringConstraints(max_length=253),
            matching(r"[a-z][a-z0-9+.-]*://\S+", 'a URI, such as "spiffe://mesh/ns/default/svc/payment"'),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _has_what_its_type_names(self) -> SubjectAltName:
        if (self.hostname is not None, self.uri is not None) != (self.type == "Hostname", self.type == "URI"):
            raise ValueError(f"just the field {self.type.lower()} beside its type")
        return self


class BackendTLSValidation(Shape):
    """`hostname` is sent as SNI, and must be in the certificate, unless `subjectAltNames` says what else must be."""

    hostname: PreciseHostname
    ca_certificate_refs: Annotated[tuple[CACertificateRef, ...], LIST, Field(max_length=1)] = ()
    well_known_ca_certificates: Annotated[Literal["System"] | None, Field(alias="wellKnownCACertificates")] = None
    subject_alt_names: Annotated[tuple[SubjectAltName, ...], LIST, Field(max_length=5)] = ()

    @model_validator(mode="after")
    def _one_trust(self) -> BackendTLSValidation:
        if (not self.ca_certificate_refs) == (self.well_known_ca_certificates is None):
            raise ValueError("caCertificateRefs or wellKnownCACertificates: one of them")
        return self


class BackendTLSPolicySpec(AttachedSpec):
    validation: BackendTLSValidation


class BackendTLSPolicy(AttachedPolicy):
    """TLS from proxies to a service, or to one version of it."""

    KIND: ClassVar[str] = "BackendTLSPolicy"
    API_VERSION: ClassVar[str] = "gateway.networking.k8s.io/v1"
    OLDER_VERSIONS: ClassVar[tuple[str, ...]] = ("gateway.networking.k8s.io/v1alpha3",)
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Service",)

    api_version: Literal["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha3"] = (
        "gateway.networking.k8s.io/v1"
    )
    kind: Literal["BackendTLSPolicy"] = "BackendTLSPolicy"
    spec: BackendTLSPolicySpec

    def authorities(self) -> Iterator[tuple[str, Identity]]:
        for index, ref in enumerate(self.spec.validation.ca_certificate_refs):
            yield f"spec.validation.caCertificateRefs[{index}]", Identity(self.key.namespace, ref.name)
