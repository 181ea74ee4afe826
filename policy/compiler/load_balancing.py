"""Load balancing: BackendPolicy on a cluster's load balancer, and the hashes that requests to it get."""

from __future__ import annotations

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterCommonLbConfig,
    LoadBalancingPolicy,
    LoadBalancingPolicyPolicy,
)
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.route.v3 import (
    RouteActionHashPolicy,
    RouteActionHashPolicyConnectionProperties,
    RouteActionHashPolicyCookie,
    RouteActionHashPolicyHeader,
)
from envoy_data_plane.envoy.extensions.load_balancing_policies.common.v3 import (
    LocalityLbConfig,
    LocalityLbConfigLocalityWeightedLbConfig,
    LocalityLbConfigZoneAwareLbConfig,
    LocalityLbConfigZoneAwareLbConfigForceLocalZone,
    SlowStartConfig,
)
from envoy_data_plane.envoy.extensions.load_balancing_policies.least_request.v3 import LeastRequest
from envoy_data_plane.envoy.extensions.load_balancing_policies.maglev.v3 import Maglev
from envoy_data_plane.envoy.extensions.load_balancing_policies.random.v3 import Random
from envoy_data_plane.envoy.extensions.load_balancing_policies.ring_hash.v3 import RingHash
from envoy_data_plane.envoy.extensions.load_balancing_policies.round_robin.v3 import RoundRobin
from envoy_data_plane.envoy.type.v3 import Percent

from policy.backend_policy import BackendPolicy, HashOn, LoadBalancing, LocalityBalancing, LocalityWeight, SlowStart
from policy.compiler.inputs import ReachedBackend
from policy.effective import Effective
from xds.encoder import pack


def on_cluster(cluster: Cluster, reached: ReachedBackend) -> None:
    """The balancer of the effective BackendPolicy."""
    balancing = _balancing(reached.policies)
    if balancing is None:
        return
    name, config = _balancer(balancing)
    extension = TypedExtensionConfig(name=f"envoy.load_balancing_policies.{name}", typed_config=pack(config))
    cluster.load_balancing_policy = LoadBalancingPolicy(
        policies=[LoadBalancingPolicyPolicy(typed_extension_config=extension)]
    )
    if balancing.panic_threshold is not None:
        cluster.common_lb_config = ClusterCommonLbConfig(
            healthy_panic_threshold=Percent(value=float(balancing.panic_threshold))
        )


def hash_policies(policies: Effective) -> list[RouteActionHashPolicy]:
    """What requests to the cluster are hashed by. The first that a request has is all that counts: without
    `terminal`, Envoy would mix them."""
    balancing = _balancing(policies)
    return [_hash_policy(item) for item in balancing.hash_on] if balancing is not None else []


def locality_weights(policies: Effective) -> tuple[LocalityWeight, ...]:
    """The weights that localities are given; none where localities are not told apart by weight."""
    balancing = _balancing(policies)
    return balancing.locality.weights if balancing is not None and balancing.locality is not None else ()


def _balancing(policies: Effective) -> LoadBalancing | None:
    policy = policies.one(BackendPolicy)
    return policy.spec.load_balancing if policy is not None else None


def _balancer(balancing: LoadBalancing) -> tuple[str, Message]:
    locality = _locality(balancing.locality)
    weighted = locality.locality_weighted_lb_config if locality is not None else None
    match balancing.algorithm:
        case "RoundRobin":
            slow_start = _slow_start(balancing.slow_start)
            return "round_robin", RoundRobin(slow_start_config=slow_start, locality_lb_config=locality)
        case "LeastRequest":
            return "least_request", LeastRequest(
                choice_count=balancing.choices,
                slow_start_config=_slow_start(balancing.slow_start),
                locality_lb_config=locality,
            )
        case "Random":
            return "random", Random(locality_lb_config=locality)
        case "RingHash":
            return "ring_hash", RingHash(locality_weighted_lb_config=weighted)
        case "Maglev":
            return "maglev", Maglev(locality_weighted_lb_config=weighted)


def _slow_start(slow_start: SlowStart | None) -> SlowStartConfig | None:
    if slow_start is None:
        return None
    return SlowStartConfig(
        slow_start_window=slow_start.window, min_weight_percent=Percent(value=float(slow_start.minimum_percent))
    )


def _locality(locality: LocalityBalancing | None) -> LocalityLbConfig | None:
    match locality:
        case None:
            return None
        case LocalityBalancing(mode="Weighted"):
            return LocalityLbConfig(locality_weighted_lb_config=LocalityLbConfigLocalityWeightedLbConfig())
        case LocalityBalancing(minimum_endpoints=minimum):
            # Envoy would balance zones against the proxies of each zone, of which a proxy knows only itself
            # (docs/decisions/0050), and would not begin before a service has 6 endpoints.
            own_zone = LocalityLbConfigZoneAwareLbConfigForceLocalZone(min_size=minimum or 1)
            return LocalityLbConfig(
                zone_aware_lb_config=LocalityLbConfigZoneAwareLbConfig(min_cluster_size=1, force_local_zone=own_zone)
            )


def _hash_policy(item: HashOn) -> RouteActionHashPolicy:
    match item.type:
        case "Header":
            assert item.name is not None
            return RouteActionHashPolicy(header=RouteActionHashPolicyHeader(header_name=item.name), terminal=True)
        case "Cookie":
            assert item.name is not None
            cookie = RouteActionHashPolicyCookie(name=item.name, ttl=item.ttl, path=item.path or "")
            return RouteActionHashPolicy(cookie=cookie, terminal=True)
        case "SourceAddress":
            source = RouteActionHashPolicyConnectionProperties(source_ip=True)
            return RouteActionHashPolicy(connection_properties=source, terminal=True)
