import { readFileSync } from "node:fs";
import * as consul from "@pulumi/consul";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { parseSubnet, type Subnet } from "../../components/addresses";
import type { Credentials } from "../../components/access-control";
import type { Datacenter } from "../../components/cluster";
import type { Host } from "../../components/host";
import type { InTurn } from "../../components/container";
import { singleEngine } from "../../components/platform";
import { SecretFiles } from "../../components/secret-files";

/** Whose resources the components under test create. */
export const owner = { project: "shop", stack: "test" };

/** The engine of this host, and the host. */
export const onePlatform = singleEngine("127.0.0.1");
export const [onlyHost] = onePlatform.place(1) as [Host];

/** Of whom only these containers exist already. */
export function existing(...names: readonly string[]): InTurn {
  return (name, before) => (names.includes(name) ? [...before] : []);
}

/** The labels of `owner` for a resource with this role, as the engine receives them. */
export const labelsOf = (role: string) => [
  { label: "consul-docker.project", value: "shop" },
  { label: "consul-docker.role", value: role },
  { label: "consul-docker.stack", value: "test" },
];

/** What each container says about itself, whatever its role. */
export const HARDENED = {
  restart: "always",
  capabilities: { drops: ["ALL"] },
  securityOpts: ["no-new-privileges:true"],
  logDriver: "json-file",
  logOpts: { "max-file": "3", "max-size": "10m" },
  readOnly: true,
  tmpfs: { "/tmp": "size=16m" },
  ulimits: [{ name: "nproc", soft: 4096, hard: 4096 }],
  volumes: [],
  wait: true,
};

/** What agents may write to, beside their data. */
export const AGENT_TMPFS = {
  "/tmp": "size=16m",
  "/consul/config": "size=1m,uid=100,gid=1000,mode=0700",
};

/** When this is a container's health check, as its engine is told. */
export function healthcheck(...test: readonly string[]) {
  return {
    tests: ["CMD", "sh", "-c", scripts("rest.sh"), "rest.sh", "30", ...test],
    interval: "2s",
    timeout: "1m0s",
    retries: 10,
    startPeriod: "0s",
  };
}

/** An agent's health check: what all agents have in common, then a script of its own. */
export function agentHealth(script: string, ...args: readonly string[]) {
  return healthcheck("sh", "-c", scripts("agent-api.sh", "agent-health.sh", script), script, ...args);
}

/** Scripts of the components, one after the other. */
export function scripts(...files: readonly string[]): string {
  return files.map((file) => readFileSync(`${__dirname}/../../components/${file}`, "utf8")).join("");
}

/** The configuration that an agent's container is given in its environment, and the rest of that environment. */
export function agentEnvironment(inputs: Readonly<Record<string, unknown>>): {
  config: Record<string, unknown>;
  rest: string[];
} {
  const prefix = "CONSUL_LOCAL_CONFIG=";
  const envs = inputs["envs"] as string[];
  const config = envs.find((one) => one.startsWith(prefix))?.slice(prefix.length) ?? "";
  return {
    config: JSON.parse(config) as Record<string, unknown>,
    rest: envs.filter((one) => !one.startsWith(prefix)),
  };
}

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
    datacenter: "dc7",
    caCertificate: undefined,
    networkId: pulumi.output("network-id"),
    agentUrls: ["http://client-1:8500", "http://client-2:8500"],
    localAgents: ["client-1", "client-2"].map((agent) => ({
      name: agent,
      host: onlyHost,
      socketVolume: `${agent}-socket`,
    })),
    dnsServers: ["10.9.0.21", "10.9.0.22"],
    provider: new consul.Provider(`${name}-provider`, { address: "127.0.0.1:8500" }),
    store: new docker.Volume(`${name}-store`),
    ready: [
      new docker.Container(`${name}-agent-1`, { image }),
      new docker.Container(`${name}-agent-2`, { image }),
    ],
  };
}

/** The same datacenter with an API by HTTPS. */
export function httpsDatacenter(name: string): Datacenter {
  return {
    ...datacenter(name),
    caCertificate: pulumi.output("CA CERTIFICATE"),
    agentUrls: ["https://client-1:8501", "https://client-2:8501"],
  };
}

/** Credentials in the volume `NAME-secrets`; their files are the component `NAME-files`. */
export function credentials(name: string): Credentials {
  return {
    volumeName: pulumi.output(`${name}-secrets`),
    accessorId: pulumi.output(`${name}-accessor`),
    files: [new SecretFiles(`${name}-files`, { owner, imageId: "sha256:consul", folders: {} })],
  };
}
