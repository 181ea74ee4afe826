package main

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/wellknown"
	"google.golang.org/protobuf/types/known/durationpb"
)

// gateway is the content of `python -m benchmarks peers` (benchmarks/peers/content.py), for a real Envoy: a route that
// changes, and hosts with ten routes each to a service of their own. It makes anew only what changed, and raises the
// version of no other type.
type gateway struct {
	cache     cache.SnapshotCache
	snapshot  *cache.Snapshot
	hosts     []*route.VirtualHost
	backend   uint32
	version   int
	serial    int
	clusters  map[string]types.ResourceWithTTL
	endpoints map[string]types.ResourceWithTTL
}

const routesOfAHost = 10

func newGateway(port, backend int) (cache.Cache, source) {
	made := &gateway{
		cache:     cache.NewSnapshotCache(true, byCluster{}, nil),
		backend:   uint32(backend),
		clusters:  map[string]types.ResourceWithTTL{},
		endpoints: map[string]types.ResourceWithTTL{},
	}
	snapshot, err := cache.NewSnapshot("0", map[resource.Type][]types.Resource{
		resource.ListenerType: {gatewayListener(uint32(port))},
		resource.RouteType:    {&route.RouteConfiguration{Name: "routes"}},
	})
	must(err)
	made.snapshot = snapshot
	must(made.Change(0))
	return made.cache, made
}

// Change redirects all that no host takes to "/version/N".
func (g *gateway) Change(number int) error {
	g.version = number
	return g.put(g.snapshot.Resources[types.Cluster], g.snapshot.Resources[types.Endpoint])
}

// Grow makes it so many routes, the one that changes included.
func (g *gateway) Grow(routes int) error {
	for number := len(g.hosts); number < routes/routesOfAHost; number++ {
		name := fmt.Sprintf("service-%d", number)
		g.hosts = append(g.hosts, virtualHost(number, name))
		g.clusters[name] = types.ResourceWithTTL{Resource: &cluster.Cluster{
			Name:                 name,
			ConnectTimeout:       durationpb.New(5 * time.Second),
			ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
			EdsClusterConfig:     &cluster.Cluster_EdsClusterConfig{EdsConfig: fromUs()},
		}}
		g.endpoints[name] = types.ResourceWithTTL{Resource: serviceEndpoints(name, g.backend)}
	}
	version := strconv.Itoa(routes)
	return g.put(
		cache.Resources{Version: version, Items: maps.Clone(g.clusters)},
		cache.Resources{Version: version, Items: maps.Clone(g.endpoints)},
	)
}

func (g *gateway) put(clusters, endpoints cache.Resources) error {
	all := &route.VirtualHost{Name: "all", Domains: []string{"*"}, Routes: []*route.Route{{
		Match: prefix("/"),
		Action: &route.Route_Redirect{Redirect: &route.RedirectAction{
			PathRewriteSpecifier: &route.RedirectAction_PathRedirect{PathRedirect: fmt.Sprintf("/version/%d", g.version)},
			ResponseCode:         route.RedirectAction_FOUND,
		}},
	}}}
	hosts := append([]*route.VirtualHost{all}, g.hosts...)
	routes := &route.RouteConfiguration{Name: "routes", VirtualHosts: hosts}
	g.serial++
	next := &cache.Snapshot{Resources: g.snapshot.Resources}
	next.Resources[types.Cluster], next.Resources[types.Endpoint] = clusters, endpoints
	next.Resources[types.Route] = cache.Resources{
		Version: strconv.Itoa(g.serial), Items: map[string]types.ResourceWithTTL{"routes": {Resource: routes}},
	}
	g.snapshot = next
	return g.cache.SetSnapshot(context.Background(), "bench", next)
}

func virtualHost(number int, service string) *route.VirtualHost {
	var routes []*route.Route
	for path := max(number*routesOfAHost, 1); path < (number+1)*routesOfAHost; path++ {
		routes = append(routes, &route.Route{
			Match: prefix(fmt.Sprintf("/path-%d", path)),
			Action: &route.Route_Route{Route: &route.RouteAction{
				ClusterSpecifier: &route.RouteAction_Cluster{Cluster: service},
			}},
		})
	}
	name := fmt.Sprintf("host-%d", number)
	return &route.VirtualHost{Name: name, Domains: []string{name + ".example.com"}, Routes: routes}
}

func prefix(path string) *route.RouteMatch {
	return &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: path}}
}

func serviceEndpoints(service string, port uint32) types.Resource {
	made := &endpoint.LocalityLbEndpoints{Locality: &core.Locality{}}
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		made.LbEndpoints = append(made.LbEndpoints, &endpoint.LbEndpoint{
			HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: address(host, port)}},
		})
	}
	return &endpoint.ClusterLoadAssignment{ClusterName: service, Endpoints: []*endpoint.LocalityLbEndpoints{made}}
}

func gatewayListener(port uint32) types.Resource {
	config := packed(&manager.HttpConnectionManager{
		StatPrefix: "gateway",
		RouteSpecifier: &manager.HttpConnectionManager_Rds{
			Rds: &manager.Rds{ConfigSource: fromUs(), RouteConfigName: "routes"},
		},
		HttpFilters: []*manager.HttpFilter{{
			Name: wellknown.Router, ConfigType: &manager.HttpFilter_TypedConfig{TypedConfig: packed(&router.Router{})},
		}},
	})
	return &listener.Listener{
		Name:    "gateway",
		Address: address("127.0.0.1", port),
		FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{{
			Name: wellknown.HTTPConnectionManager, ConfigType: &listener.Filter_TypedConfig{TypedConfig: config},
		}}}},
	}
}
