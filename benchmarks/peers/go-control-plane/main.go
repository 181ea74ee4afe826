// The peer of `python -m benchmarks fanout` and `peers`: go-control-plane, serving the same content, told the same changes.
//
// It speaks with the harness as benchmarks/server.py does: a line of JSON when it listens, then one line of JSON for
// each command that it reads. Times are of CLOCK_MONOTONIC, which all processes of a machine share.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
)

// A source is a cache of go-control-plane with the benchmark's content in it.
type source interface {
	// Change gives the first cluster's first endpoint the host name "change-N".
	Change(number int) error
}

// A growing source takes more routes.
type growing interface {
	Grow(routes int) error
}

func main() {
	content := flag.String("content", "shared", "shared: one set for all nodes; distinct: one set for each node; gateway")
	kind := flag.String("cache", "snapshot", "snapshot, or linear: one linear cache for each type, for shared content")
	clusters := flag.Int("clusters", 100, "clusters that a node gets")
	nodes := flag.Int("nodes", 1000, "nodes, of distinct content")
	port := flag.Int("port", 0, "the port to listen on; 0 takes a free one")
	gatewayPort := flag.Int("gateway-port", 0, "the port of the Envoy's listener, of the content gateway")
	backendPort := flag.Int("backend-port", 0, "the port of all endpoints, of the content gateway")
	flag.Parse()

	var served cache.Cache
	var changes source
	if *content == "gateway" {
		served, changes = newGateway(*gatewayPort, *backendPort)
	} else {
		served, changes = made(*content, *kind, *clusters, *nodes)
	}
	listening, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	must(err)
	service := server.NewServer(context.Background(), served, nil, sotw.WithOrderedADS())
	grpcServer := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, service)
	go func() { must(grpcServer.Serve(listening)) }()

	say(map[string]any{"port": listening.Addr().(*net.TCPAddr).Port})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		start := now()
		for _, word := range words[1:] { // change NUMBER …, or grow ROUTES
			number, err := strconv.Atoi(word)
			must(err)
			if words[0] == "grow" {
				must(changes.(growing).Grow(number))
			} else {
				must(changes.Change(number))
			}
		}
		say(map[string]any{"start_ns": start, "end_ns": now()})
	}
}

func now() int64 {
	var time unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &time))
	return time.Nano()
}

func say(answer map[string]any) { must(json.NewEncoder(os.Stdout).Encode(answer)) }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
