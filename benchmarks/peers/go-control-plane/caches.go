package main

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// made is the cache of a kind, filled, and what changes it.
func made(content, kind string, clusters, nodes int) (cache.Cache, source) {
	switch {
	case content == "shared" && kind == "snapshot":
		snapshots := newSnapshots(byCluster{})
		snapshots.put("bench", numbers(clusters))
		return snapshots.cache, snapshots
	case content == "distinct" && kind == "snapshot":
		snapshots := newSnapshots(cache.IDHash{})
		for node := range nodes {
			snapshots.put(nodeName(node), numbersOf(node, clusters))
		}
		return snapshots.cache, snapshots
	case content == "shared" && kind == "linear":
		return newLinear(clusters)
	}
	must(fmt.Errorf("-content %s -cache %s: want shared or distinct with snapshot, or shared with linear", content, kind))
	panic("unreachable")
}

// byCluster keeps one snapshot for all nodes of a cluster, as benchmarks/server.py does.
type byCluster struct{}

func (byCluster) ID(node *core.Node) string { return node.GetCluster() }

func nodeName(number int) string { return fmt.Sprintf("node-%05d", number) }

func numbers(clusters int) []int {
	all := make([]int, clusters)
	for i := range all {
		all[i] = i
	}
	return all
}

// numbersOf are the clusters of a node of distinct content: the first, which all have, and a window of the others.
func numbersOf(node, clusters int) []int {
	own := make([]int, clusters)
	for i := 1; i < clusters; i++ {
		own[i] = node + i
	}
	return own
}

// snapshots is the cache that go-control-plane's own examples use: one snapshot for each node or group of nodes.
// A resource is made once, and shared between all snapshots that hold it.
type snapshots struct {
	cache   cache.SnapshotCache
	current map[string]*cache.Snapshot
	made    map[int][2]types.Resource
	version int
}

func newSnapshots(hash cache.NodeHash) *snapshots {
	return &snapshots{
		cache:   cache.NewSnapshotCache(true, hash, nil),
		current: map[string]*cache.Snapshot{},
		made:    map[int][2]types.Resource{},
	}
}

func (s *snapshots) put(node string, numbers []int) {
	var clusters, endpoints []types.Resource
	for _, number := range numbers {
		pair, found := s.made[number]
		if !found {
			pair = [2]types.Resource{makeCluster(number), makeEndpoints(number, 0)}
			s.made[number] = pair
		}
		clusters, endpoints = append(clusters, pair[0]), append(endpoints, pair[1])
	}
	snapshot, err := cache.NewSnapshot("0", map[resource.Type][]types.Resource{
		resource.ClusterType:  clusters,
		resource.EndpointType: endpoints,
		resource.ListenerType: {makeListener()},
		resource.RouteType:    {makeRoutes(numbers)},
	})
	must(err)
	must(snapshot.Consistent())
	must(s.cache.SetSnapshot(context.Background(), node, snapshot))
	s.current[node] = snapshot
}

// Change gives only the endpoints a new version, so that no other type is sent again.
func (s *snapshots) Change(number int) error {
	s.version++
	changed := makeEndpoints(0, number)
	for node, old := range s.current {
		next := &cache.Snapshot{Resources: old.Resources}
		items := maps.Clone(old.Resources[types.Endpoint].Items)
		items[clusterName(0)] = types.ResourceWithTTL{Resource: changed}
		next.Resources[types.Endpoint] = cache.Resources{Version: strconv.Itoa(s.version), Items: items}
		s.current[node] = next
		if err := s.cache.SetSnapshot(context.Background(), node, next); err != nil {
			return err
		}
	}
	return nil
}

// linear is the other cache of go-control-plane: one collection for each type, the same for all nodes.
type linear struct{ endpoints *cache.LinearCache }

func newLinear(clusters int) (cache.Cache, source) {
	all := map[string]map[string]types.Resource{
		resource.ClusterType:  {},
		resource.EndpointType: {},
		resource.ListenerType: {"ingress": makeListener()},
		resource.RouteType:    {"routes": makeRoutes(numbers(clusters))},
	}
	for number := range clusters {
		all[resource.ClusterType][clusterName(number)] = makeCluster(number)
		all[resource.EndpointType][clusterName(number)] = makeEndpoints(number, 0)
	}
	caches := map[string]cache.Cache{}
	for url, resources := range all {
		caches[url] = cache.NewLinearCache(url, cache.WithInitialResources(resources))
	}
	mux := &cache.MuxCache{
		Classify:      func(request *cache.Request) string { return request.GetTypeUrl() },
		ClassifyDelta: func(request *cache.DeltaRequest) string { return request.GetTypeUrl() },
		Caches:        caches,
	}
	return mux, linear{caches[resource.EndpointType].(*cache.LinearCache)}
}

func (l linear) Change(number int) error {
	return l.endpoints.UpdateResource(clusterName(0), makeEndpoints(0, number))
}
