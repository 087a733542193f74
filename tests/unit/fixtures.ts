import * as consul from "@pulumi/consul";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { parseSubnet, type Subnet } from "../../components/addresses";
import type { Datacenter } from "../../components/cluster";

/** Whose resources the components under test create. */
export const owner = { project: "shop", stack: "test" };

/** The labels of `owner` for a resource with this role, as the engine receives them. */
export const labelsOf = (role: string) => [
  { label: "consul-docker.project", value: "shop" },
  { label: "consul-docker.role", value: role },
  { label: "consul-docker.stack", value: "test" },
];

/** What each container says about itself, whatever its role. */
export const HARDENED = {
  restart: "unless-stopped",
  capabilities: { drops: ["ALL"] },
  securityOpts: ["no-new-privileges:true"],
  logDriver: "json-file",
  logOpts: { "max-file": "3", "max-size": "10m" },
  wait: true,
};

/** The plan of a network that is known to be a good one. */
export function subnetOf(cidr: string): Subnet {
  const subnet = parseSubnet(cidr);
  if (subnet === undefined) throw new Error(`${cidr} is no subnet`);
  return subnet;
}

/** A datacenter with two client agents, as monitors and services are handed one; `name` prefixes its resources. */
export function datacenter(name: string): Datacenter {
  const image = "sha256:consul";
  return {
    networkId: pulumi.output("network-id"),
    agentUrls: ["http://client-1:8500", "http://client-2:8500"],
    dnsServers: ["10.9.0.21", "10.9.0.22"],
    provider: new consul.Provider(`${name}-provider`, { address: "127.0.0.1:8500" }),
    store: new docker.Volume(`${name}-store`),
    ready: [
      new docker.Container(`${name}-agent-1`, { image }),
      new docker.Container(`${name}-agent-2`, { image }),
    ],
  };
}
