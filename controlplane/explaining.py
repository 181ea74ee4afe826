"""Explanations for the admin API: requests read, explanations as messages."""

from __future__ import annotations

from datetime import datetime

from policy.errors import PolicyError
from policy.explain.calls import explain_call
from policy.explain.explain import explain
from policy.explain.explanation import Answered, Effect, Explanation, Forwarded, NotServed
from policy.explain.request import request
from policy.gateway import Gateway
from policy.identities import Identities
from policy.sidecar import Sidecar
from protos.apg.admin.v1 import admin_pb2 as pb
from registry.mesh import Mesh
from registry.model import DEFAULT_NAMESPACE, DocumentKey, ServiceKey

_EFFECTS = {
    Effect.PASSES: pb.EFFECT_PASSES,
    Effect.CHANGES: pb.EFFECT_CHANGES,
    Effect.ANSWERS: pb.EFFECT_ANSWERS,
    Effect.REFUSES: pb.EFFECT_REFUSES,
    Effect.MAY_REFUSE: pb.EFFECT_MAY_REFUSE,
}


def explained(mesh: Mesh, asked: pb.ExplainRequest, *, identities: Identities, now: datetime) -> pb.ExplainResponse:
    """The answer to `asked`. Raises PolicyError for what is no request, and for what is no name of a place."""
    places = [name for name in ("gateway", "sidecar", "service") if getattr(asked, name)]
    if len(places) > 1:
        got = f'"{getattr(asked, places[1])[:200]}" beside a {places[0]}'
        raise PolicyError.of(document="request", path=places[1], got=got, want="one of them: where the request arrives")
    read = request(
        asked.method or "GET",
        asked.url,
        [(header.name, header.value) for header in asked.headers],
        body=asked.body if asked.HasField("body") else None,
        address=asked.source,
        country=asked.country,
        principal=asked.principal,
    )
    if asked.sidecar:
        sidecar = DocumentKey(Sidecar.KIND, *_name("sidecar", asked.sidecar))
        return _message(explain_call(mesh, read, sidecar=sidecar, now=now, identities=identities))
    gateway = DocumentKey(Gateway.KIND, *_name("gateway", asked.gateway)) if asked.gateway else None
    service = ServiceKey(*_name("service", asked.service)) if asked.service else None
    return _message(explain(mesh, read, now=now, gateway=gateway, service=service, identities=identities))


def _name(path: str, text: str) -> tuple[str, str]:
    namespace, slash, name = text.rpartition("/")
    if not name or "/" in namespace or (slash and not namespace):
        raise PolicyError.of(document="request", path=path, got=f'"{text[:200]}"', want="NAME or NAMESPACE/NAME")
    return namespace or DEFAULT_NAMESPACE, name


def _message(item: Explanation) -> pb.ExplainResponse:
    message = pb.ExplainResponse(
        gateway=item.gateway,
        listener=item.listener,
        hostname=item.hostname,
        steps=[
            pb.ExplainedStep(
                stage=step.stage,
                effect=_EFFECTS[step.effect],
                words=step.words,
                document=step.document,
                path=step.path,
            )
            for step in item.steps
        ],
        passed_over=item.passed_over,
    )
    if (matched := item.matched) is not None:
        message.rule.CopyFrom(
            pb.MatchedRule(
                document=matched.document, rule=matched.rule, rule_name=matched.rule_name, match=matched.match
            )
        )
    match item.outcome:
        case Forwarded(backends, host, path):
            shares = [
                pb.BackendShare(backend=share.backend, share=share.share, endpoints=share.endpoints)
                for share in backends
            ]
            message.forwarded.CopyFrom(pb.Forwarded(backends=shares, host=host, path=path))
        case Answered(status, reason, location, grpc_status):
            answered = pb.Answered(status=status, reason=reason, location=location, grpc_status=grpc_status)
            message.answered.CopyFrom(answered)
        case NotServed(reason):
            message.not_served = reason
    return message
