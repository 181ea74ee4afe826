// The Kubernetes API server, built without the rest of Kubernetes: what istiod is driven by in `python -m benchmarks
// peers`. Its go.mod is generated (benchmarks/peers/builds.py): Kubernetes replaces its own parts by folders, which
// only its own repository has.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
