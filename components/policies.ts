import { MONITOR_SERVICE } from "./monitor-entry";

/** A service, and what it looks up in Consul. */
export interface Discovery {
  /** Name of the service; its instances, and their nodes, are called NAME-1, NAME-2, …. */
  readonly name: string;
  /** Names of the services that it looks up. */
  readonly discovers: readonly string[];
}

// What a rule says, and where: https://developer.hashicorp.com/consul/docs/reference/acl/rule
type Resource = "service" | "node_prefix" | "key" | "key_prefix" | "session_prefix" | "agent_prefix";
type Access = "read" | "write";

/** A service writes its own entry and its own configuration, and reads the services that it looks up. */
export function serviceRules({ name, discovers }: Discovery): string {
  return rules(
    ["service", name, "write"],
    ["key_prefix", `services/${name}/`, "write"],
    ...discovers
      .filter((other) => other !== name)
      .flatMap((other): Rule[] => [
        ["service", other, "read"],
        ["node_prefix", `${other}-`, "read"],
      ]),
    ["node_prefix", `${name}-`, "read"],
  );
}

/** DNS finds the services that the stack declares, and Consul itself; the name of a node is no secret. */
export function dnsRules(services: readonly Discovery[]): string {
  return rules(
    ["service", "consul", "read"],
    ...services.map(({ name }): Rule => ["service", name, "read"]),
    ["node_prefix", "", "read"],
  );
}

/**
 * The monitors write the checks of the services that the stack declares, and of their nodes. They agree among
 * themselves by a lock, for which they need a session and keys of their own.
 */
export function monitorRules(services: readonly Discovery[]): string {
  return rules(
    ["service", MONITOR_SERVICE, "write"],
    ["key_prefix", `${MONITOR_SERVICE}/`, "write"],
    ["session_prefix", "client-", "write"],
    ["agent_prefix", "client-", "read"],
    ["node_prefix", "client-", "read"],
    ...services.flatMap(({ name }): Rule[] => [
      ["service", name, "write"],
      ["node_prefix", `${name}-`, "write"],
    ]),
  );
}

/** The key that says which snapshot is the newest. */
export const SNAPSHOTS_KEY = "consul-docker/snapshots/newest";

/** A snapshot holds every token, so Consul lets those take one who may write tokens. */
export function snapshotRules(): string {
  return `acl = "write"\n${rules(["key", SNAPSHOTS_KEY, "write"])}`;
}

type Rule = readonly [Resource, string, Access];

function rules(...all: readonly Rule[]): string {
  return all
    .map(([resource, name, access]) => `${resource} ${JSON.stringify(name)} { policy = "${access}" }`)
    .join("\n");
}
