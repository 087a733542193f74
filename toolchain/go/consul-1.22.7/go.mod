module toolchain/consul

go 1.26

// Consul's own go.mod takes the client from its tree; the release of it that has what this version calls is 1.34.1.
require (
	github.com/hashicorp/consul v1.22.7
	github.com/hashicorp/consul/api v1.34.1
)
