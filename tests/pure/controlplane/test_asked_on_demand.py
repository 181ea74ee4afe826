"""The books of what proxies asked for on demand: what is remembered, how much of it, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime

from controlplane.on_demand import IDLE_SECONDS, MAX_HOSTS, MAX_SERVICES, OnDemand
from registry.mesh import Mesh
from registry.model import Change, DocumentKey, Service, ServiceKey
from tests.pure.policy.test_undeclared_services import GROUP, KEY, OUTBOUND, SIDECAR, mesh
from xds.cache import SnapshotCache
from xds.fleet import Client, Disconnected
from xds.resource_types import CLUSTER, VIRTUAL_HOST

CART = ServiceKey("default", "cart")


class Books:
    """An OnDemand whose mesh, clock and clients a test sets."""

    def __init__(self) -> None:
        self.mesh: Mesh = mesh(SIDECAR)
        self.now = 0.0
        self.told = 0
        self.clients = [client()]
        self.on_demand = OnDemand(
            SnapshotCache(),
            mesh=lambda: self.mesh,
            changed=self._tell,
            clock=lambda: self.now,
            clients=lambda: self.clients,
        )

    def _tell(self) -> None:
        self.told += 1

    def ask(self, *hosts: str) -> None:
        self.on_demand.asked(self.clients[0], VIRTUAL_HOST, [f"{OUTBOUND}/{host}" for host in hosts])

    @property
    def services(self) -> frozenset[ServiceKey]:
        return self.on_demand.demand(self.mesh).get(KEY, frozenset())


def client(group: str = GROUP) -> Client:
    return Client("one", group, "delta", "", "", datetime.now(UTC))


def register(where: Mesh, *names: str) -> Mesh:
    return where.after([Change(None, Service("default", name)) for name in names])


def test_what_is_found_is_told_once() -> None:
    books = Books()
    books.ask("cart", "cart.default", "nonsense", "payment")  # payment is declared
    books.ask("cart")
    assert (books.services, books.told) == (frozenset({CART}), 1)


def test_what_comes_to_exist_later_is_found_then() -> None:
    books = Books()
    books.ask("late")
    assert (books.services, books.told) == (frozenset(), 0)
    books.mesh = register(books.mesh, "late")
    assert books.services == {ServiceKey("default", "late")}


def test_a_returning_proxy_keeps_the_clusters_that_it_may_have() -> None:
    books = Books()
    books.on_demand.asked(
        books.clients[0], CLUSTER, ["default/cart", "bank/vault", "default/checkout@application", "x"]
    )
    assert (books.services, books.told) == (frozenset({CART}), 1)


def test_other_groups_and_other_routes_ask_for_nothing() -> None:
    books = Books()
    for group in ("default/edge", "sidecar/default/none", "sidecar/default", "x/default/checkout", ""):
        books.on_demand.asked(client(group), VIRTUAL_HOST, [f"{OUTBOUND}/cart"])
    books.on_demand.asked(client(), VIRTUAL_HOST, ["cart", "else/cart"])
    assert (books.services, books.told) == (frozenset(), 0)


def test_services_and_hosts_are_bounded() -> None:
    books = Books()
    many = [f"many-{number:04}" for number in range(MAX_SERVICES + 10)]
    books.mesh = register(books.mesh, *many)
    books.ask(*many)
    assert len(books.services) == MAX_SERVICES
    assert (books.on_demand.services, books.on_demand.full) == (MAX_SERVICES, 1)

    books = Books()
    books.ask("first", "x" * 300)
    books.ask(*(f"unknown-{number}" for number in range(MAX_HOSTS)))
    books.mesh = register(books.mesh, "first", "unknown-7")
    assert books.services == {ServiceKey("default", "unknown-7")}


def test_it_is_kept_while_a_proxy_is_there_and_some_time_longer() -> None:
    books = Books()
    books.ask("cart")
    [gone], books.clients = books.clients, []
    books.on_demand.on_event(Disconnected(gone))
    books.now += IDLE_SECONDS - 1
    assert books.services == {CART}
    books.clients = [gone]
    assert books.services == {CART}
    books.now += 2
    books.clients = []
    assert books.services == {CART}  # for it came back meanwhile
    books.on_demand.on_event(Disconnected(gone))
    books.now += IDLE_SECONDS + 1
    assert books.services == frozenset()


def test_it_goes_with_its_document() -> None:
    books = Books()
    books.ask("cart")
    books.clients = []
    sidecar = books.mesh.documents[DocumentKey("Sidecar", "default", "checkout")]
    books.mesh = books.mesh.after([Change(sidecar, None)])
    assert books.services == frozenset()
