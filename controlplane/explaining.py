"""Explanations for the admin API: requests read, explanations as messages."""

from __future__ import annotations

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
from registry.model import DEFAULT_NAMESPACE, DocumentKey

_EFFECTS = {
    Effect.PASSES: pb.EFFECT_PASSES,
    Effect.CHANGES: pb.EFFECT_CHANGES,
    Effect.ANSWERS: pb.EFFECT_ANSWERS,
    Effect.REFUSES: pb.EFFECT_REFUSES,
    Effect.MAY_REFUSE: pb.EFFECT_MAY_REFUSE,
}


def explained(mesh: Mesh, asked: pb.ExplainRequest, *, identities: Identities) -> pb.ExplainResponse:
    """The answer to `asked`. Raises PolicyError for what is no request, or no Gateway's or Sidecar's name."""
    gateway = _key("gateway", Gateway.KIND, asked.gateway) if asked.gateway else None
    sidecar = _key("sidecar", Sidecar.KIND, asked.sidecar) if asked.sidecar else None
    if gateway is not None and sidecar is not None:
        got = f'"{asked.sidecar[:200]}" beside a gateway'
        raise PolicyError.of(document="request", path="sidecar", got=got, want="one of them: where the request arrives")
    headers = [(header.name, header.value) for header in asked.headers]
    read = request(asked.method or "GET", asked.url, headers)
    if sidecar is not None:
        return _message(explain_call(mesh, read, sidecar=sidecar, identities=identities))
    return _message(explain(mesh, read, gateway=gateway, identities=identities))


def _key(field: str, kind: str, text: str) -> DocumentKey:
    namespace, slash, name = text.rpartition("/")
    if not name or "/" in namespace or (slash and not namespace):
        raise PolicyError.of(document="request", path=field, got=f'"{text[:200]}"', want="NAME or NAMESPACE/NAME")
    return DocumentKey(kind, namespace or DEFAULT_NAMESPACE, name)


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
        case Answered(status, reason, location):
            message.answered.CopyFrom(pb.Answered(status=status, reason=reason, location=location))
        case NotServed(reason):
            message.not_served = reason
    return message
