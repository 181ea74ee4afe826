package main

import (
	"fmt"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/wellknown"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The content is the one of benchmarks/content.py, field by field; the harness compares the bytes that a client receives.

const endpointsOfEach = 3

func clusterName(number int) string { return fmt.Sprintf("cluster-%05d", number) }

func fromUs() *core.ConfigSource {
	return &core.ConfigSource{
		ResourceApiVersion:    core.ApiVersion_V3,
		ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
	}
}

func makeCluster(number int) types.Resource {
	return &cluster.Cluster{
		Name:                 clusterName(number),
		ConnectTimeout:       durationpb.New(5 * time.Second),
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig:     &cluster.Cluster_EdsClusterConfig{EdsConfig: fromUs()},
		CircuitBreakers: &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{{
			MaxConnections:     wrapperspb.UInt32(1024),
			MaxPendingRequests: wrapperspb.UInt32(1024),
			MaxRequests:        wrapperspb.UInt32(1024),
		}}},
		OutlierDetection: &cluster.OutlierDetection{Consecutive_5Xx: wrapperspb.UInt32(5)},
	}
}

// makeEndpoints gives the first endpoint the host name "change-N", by which the client knows the change; none for 0.
func makeEndpoints(number, change int) types.Resource {
	endpoints := make([]*endpoint.LbEndpoint, endpointsOfEach)
	for i := range endpoints {
		hostname := ""
		if i == 0 && change > 0 {
			hostname = fmt.Sprintf("change-%08d", change)
		}
		endpoints[i] = &endpoint.LbEndpoint{
			HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{
				Address: address(fmt.Sprintf("10.%d.%d.%d", number>>8&255, number&255, i+1), 8080), Hostname: hostname,
			}},
			LoadBalancingWeight: wrapperspb.UInt32(100),
		}
	}
	return &endpoint.ClusterLoadAssignment{
		ClusterName: clusterName(number),
		Endpoints: []*endpoint.LocalityLbEndpoints{{
			Locality: &core.Locality{Region: "region-1", Zone: "zone-a"}, LbEndpoints: endpoints,
		}},
	}
}

func address(host string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address: host, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
	}}}
}

func makeListener() types.Resource {
	config := packed(&manager.HttpConnectionManager{
		StatPrefix: "ingress",
		RouteSpecifier: &manager.HttpConnectionManager_Rds{
			Rds: &manager.Rds{ConfigSource: fromUs(), RouteConfigName: "routes"},
		},
		HttpFilters: []*manager.HttpFilter{{
			Name: wellknown.Router, ConfigType: &manager.HttpFilter_TypedConfig{TypedConfig: packed(&router.Router{})},
		}},
	})
	return &listener.Listener{
		Name:    "ingress",
		Address: address("0.0.0.0", 10000),
		FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{{
			Name: wellknown.HTTPConnectionManager, ConfigType: &listener.Filter_TypedConfig{TypedConfig: config},
		}}}},
	}
}

func makeRoutes(numbers []int) types.Resource {
	routes := make([]*route.Route, len(numbers))
	for i, number := range numbers {
		name := clusterName(number)
		routes[i] = &route.Route{
			Match: &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/" + name + "/"}},
			Action: &route.Route_Route{Route: &route.RouteAction{
				ClusterSpecifier: &route.RouteAction_Cluster{Cluster: name}, Timeout: durationpb.New(15 * time.Second),
			}},
		}
	}
	return &route.RouteConfiguration{
		Name:         "routes",
		VirtualHosts: []*route.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: routes}},
	}
}

func packed(message proto.Message) *anypb.Any {
	made, err := anypb.New(message)
	if err != nil {
		panic(err) // a message of ours that cannot be marshalled is a mistake in this file
	}
	return made
}
