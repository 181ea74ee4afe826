"""From intents to changed documents. Pure: whether they are valid, and whether they apply, others decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from intelligence.intents import intents as i
from intelligence.intents.errors import AmbiguousError, UnsupportedError
from intelligence.intents.intents import Intent
from intelligence.intents.understanding import Need, Understanding
from intelligence.intents.writing import mutual_tls, requests, running, security, taking_off, traffic
from intelligence.intents.writing.draft import Draft
from policy.address_lists import AddressLists
from policy.identities import Identities
from registry.mesh import Mesh
from registry.model import Change

_WRITERS: Mapping[type[Intent], Callable[[Any, Draft], None]] = {
    i.TrafficSplit: traffic.split,
    i.RouteTo: traffic.route_to,
    i.MatchRoute: traffic.match,
    i.Mirror: traffic.mirror,
    i.CreateRoute: traffic.create,
    i.Drain: traffic.drain,
    i.Retries: requests.retries,
    i.Timeout: requests.timeout,
    i.CircuitBreaker: requests.breaker,
    i.Ejection: requests.ejection,
    i.LoadBalancing: requests.load_balancing,
    i.Fault: requests.fault,
    i.RateLimit: requests.rate_limit,
    i.Compression: requests.compression,
    i.MutualTls: mutual_tls.mutual_tls,
    i.RequireLogin: security.login,
    i.AccessRule: security.access,
    i.BlockSuspicious: security.block_suspicious,
    i.ThreatFilter: security.threats,
    i.AuditLog: security.audit,
    i.ScaleTo: running.scale,
    i.Autoscale: running.autoscale,
    i.CreateService: running.create_service,
    i.Alert: running.alert,
    i.Rollout: running.rollout,
    i.MetricsInterval: running.metrics_interval,
    i.TrackKpi: running.track,
    i.Report: running.report,
    i.TakeOff: taking_off.take_off,
}
"""What writes each intent. Questions and the way back are not written: the control plane answers them."""


@dataclass(frozen=True, slots=True)
class Written:
    """The changes that the intents come to (none, if all is so already), and what is to be said about them.

    needs, unsupported: what is asked back, and what nothing can do: then the changes are those of the other intents.
    dangers: what makes the risk high, beyond what `risk` sees in the intents and the documents.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    needs: tuple[Need, ...] = ()
    unsupported: tuple[str, ...] = ()
    dangers: tuple[str, ...] = ()


def write(
    intents: Sequence[Intent],
    mesh: Mesh,
    *,
    now: datetime,
    identities: Identities | None = None,
    lists: AddressLists | None = None,
) -> Written:
    """What the intents, one after the other, make of the documents of `mesh`. identities: who has a certificate.
    lists: the lists of addresses that there are.

    Raises:
        IntentError: what is asked for cannot be.
    """
    draft = Draft(mesh, now=now, identities=identities, lists=lists)
    needs: list[Need] = []
    unsupported: list[str] = []
    for intent in intents:
        before = draft.mesh
        try:
            _write(intent, draft)
        except AmbiguousError as error:
            draft.mesh = before
            needs.append(Need(error.what, error.question, error.choices))
        except UnsupportedError as error:
            draft.mesh = before
            unsupported.append(str(error))
    return Written(draft.changes(), tuple(draft.notes), tuple(needs), tuple(unsupported), tuple(draft.dangers))


def _write(intent: Intent, draft: Draft) -> None:
    writer = _WRITERS.get(type(intent))
    if writer is None:
        raise UnsupportedError(f"understood ({intent}), but nothing in this build does it; nothing was changed")
    writer(intent, draft)


def operations(understanding: Understanding, mesh: Mesh) -> tuple[Change, ...]:
    """The documents that the intents would change, before and after; none if all is so already. Raises IntentError:
    something is missing, too."""
    draft = Draft(mesh, now=datetime.now(UTC))
    for intent in understanding.intents:
        _write(intent, draft)
    return draft.changes()
