module toolchain/engine

go 1.26

require (
	github.com/containerd/containerd/v2 v2.3.7
	github.com/docker/cli v29.9.3+incompatible
	github.com/moby/moby/v2 v2.0.0-beta.24
	github.com/opencontainers/runc v1.5.3
)

// What the docker command needs beside, as its vendor.mod has it: it has no go.mod.
require (
	github.com/docker/cli-docs-tool v0.11.0
	github.com/docker/docker-credential-helpers v0.9.9
	github.com/fvbommel/sortorder v1.2.1
	github.com/mattn/go-runewidth v0.0.31
	github.com/pkg/browser v0.0.0-20240102092130-5ac0b6a4141c
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	github.com/tonistiigi/go-rosetta v0.0.0
)

replace github.com/tonistiigi/go-rosetta => ./rosetta
