"""Where a request arrives: at which Gateway, on which of its listeners."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from policy.attachment import covers
from policy.authorization_policy import AuthorizationPolicy
from policy.compiler.inputs import StreamListener
from policy.documents import Documents
from policy.effective import Effective
from policy.explain.explanation import NotServed
from policy.explain.request import Address, Request
from policy.gateway import Gateway, Listener
from policy.problems import listed
from registry.model import DocumentKey

_PROTOCOLS = {"http": ("HTTP", "TCP"), "https": ("HTTPS", "TLS", "TCP")}


def arrival(
    documents: Documents, request: Request, wanted: DocumentKey | None
) -> tuple[Gateway, Sequence[Listener]] | NotServed:
    """The Gateway, and its listeners on the port where the request arrives."""
    known = [item for item in documents.all(Gateway) if wanted in (None, item.key)]
    if not known:
        return NotServed(f"there is no {wanted}" if wanted is not None else "there is no Gateway")
    served = [(gateway, listener) for gateway in known for listener in gateway.spec.listeners]
    fitting = [pair for pair in served if pair[1].protocol in _PROTOCOLS[request.scheme]]
    on_port = [pair for pair in fitting if pair[1].port == request.port]
    if not on_port and not request.port_given:
        # http://shop/pay is how people speak of a Gateway, whatever port a laptop lets it listen on.
        on_port = fitting
    places = {(gateway.key, listener.port): gateway for gateway, listener in on_port}
    if not places:
        ports = listed(
            sorted({f"{gateway.key} on {listener.port} ({listener.protocol})" for gateway, listener in served})
        )
        return NotServed(f"nothing listens on port {request.port} for {request.scheme}; what listens: {ports}")
    if len(places) > 1:
        names = listed([f"{key} on {port}" for key, port in places])
        return NotServed(f"it could arrive at {names}: name the port in the URL, or the Gateway")
    [((_, port), gateway)] = places.items()
    return gateway, [listener for listener in gateway.spec.listeners if listener.port == port]


def client_address(request: Request, policies: Effective) -> Address | None:
    """Whose request it is, where proxies that are trusted to tell stand before the Gateway (Envoy,
    `xff_num_trusted_hops`); None: nobody told."""
    trusted = [policy.spec.client_address for policy in policies.all(AuthorizationPolicy) if policy.spec.client_address]
    if not trusted:
        return request.address
    forwarded = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    hops = trusted[-1].trusted_proxies
    if len(forwarded) < hops:
        return request.address
    try:
        return ip_address(forwarded[-hops])
    except ValueError:
        return request.address


def by_server_name(listeners: Sequence[Listener], host: str) -> Listener | None:
    """The listener of a TLS port whose hostname fits best; None where none does."""
    fitting = [
        listener for listener in listeners if listener.hostname in (None, host) or covers(listener.hostname or "", host)
    ]
    return max(fitting, key=lambda item: (item.hostname == host, len(item.hostname or "")), default=None)


def for_server_name(chains: Sequence[StreamListener], host: str) -> StreamListener | None:
    """Envoy, FilterChainMatch.server_names: exact, then the longest wildcard, then those for any name."""

    def rank(chain: StreamListener) -> int:
        fitting = [name for name in chain.server_names if name == host or covers(name, host)]
        return max((len(name) + (name == host) for name in fitting), default=-1 if chain.server_names else 0)

    return max((chain for chain in chains if rank(chain) >= 0), key=rank, default=None)
