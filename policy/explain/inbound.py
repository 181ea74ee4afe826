"""What a request meets that comes in at the sidecars of a service."""

from __future__ import annotations

from datetime import datetime

from policy.authentication_policy import AuthenticationPolicy
from policy.compiler.inputs import HttpListener, StreamListener
from policy.compiler.names import sidecar_group
from policy.compiler.routing import Routing
from policy.compiler.sidecars import sidecar_ports
from policy.documents import Documents
from policy.explain.authentication import certificate
from policy.explain.changes import with_query
from policy.explain.explanation import Effect, Explanation, Forwarded, NotServed, Outcome, Share, Step
from policy.explain.filters import through_filters
from policy.explain.meeting import Place
from policy.explain.policies import at_listener
from policy.explain.request import Request
from policy.sidecar import Sidecar
from registry.model import ServiceKey


def inbound(
    routing: Routing, documents: Documents, service: ServiceKey, request: Request, now: datetime
) -> Explanation:
    """The explanation of a call to `service` that has arrived at one of its sidecars."""
    sidecar = documents.get(Sidecar, *service)
    if sidecar is None:
        return Explanation(request, "", "", "", None, (), NotServed(f"the service {service} has no Sidecar"))
    port = next((port for port in sidecar_ports(routing, documents, sidecar) if port.local is not None), None)
    policies = documents.attachments.on_inbound(service)
    arrived = Step(
        "listener",
        Effect.PASSES,
        f"arrives at the sidecar of {service}, {sidecar.spec.inbound.protocol} on port {sidecar.spec.inbound.port}",
        str(sidecar.key),
        "spec.inbound",
    )
    steps = [arrived, *at_listener(documents, sidecar_group(sidecar.key), policies.policies, request)]

    def ended(outcome: Outcome) -> Explanation:
        return Explanation(request, str(sidecar.key), "inbound", "", None, tuple(steps), outcome)

    if port is None:
        reason = "mutual TLS is asked for, and the service has no certificate"
        return ended(NotServed(f"the port stays closed: {reason}"))
    asked = policies.one(AuthenticationPolicy)
    if asked is not None:
        steps += certificate(asked, request).steps
        if steps[-1].effect is Effect.REFUSES:
            return ended(NotServed(f"the connection is closed: {asked.key} wants a certificate of the caller"))
    with_tls = [chain for chain in port.bound.chains if chain.clients is not None]
    plain = [chain for chain in port.bound.chains if chain.clients is None]
    chain = (with_tls if request.principal is not None and with_tls else plain or with_tls)[0]
    forwarded = Forwarded((Share("the application", 1.0, 1),), request.authority, with_query(request.path, request))
    match chain:
        case StreamListener():
            steps.append(Step("connection", Effect.PASSES, "its connection is carried as it is"))
        case HttpListener():
            [host] = port.hosts[chain.name]
            met = through_filters(Place(host.rules[0], now, asks=chain.clients), request)
            steps += met.steps
            if met.answer is not None:
                return ended(met.answer)
    return ended(forwarded)
