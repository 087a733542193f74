import type { PlannedResource } from "./plan";

const NOUNS: Readonly<Record<string, string>> = {
  "docker:index/container:Container": "container",
  "docker:index/service:Service": "service",
  "docker:index/volume:Volume": "volume",
  "docker:index/network:Network": "network",
  "docker:index/remoteImage:RemoteImage": "image",
  "docker:index/registryImage:RegistryImage": "pushed image",
  "consul:index/node:Node": "node",
  "consul:index/service:Service": "registration",
  "consul:index/keys:Keys": "keys",
  "consul:index/aclPolicy:AclPolicy": "policy",
  "consul:index/aclToken:AclToken": "token",
  "pulumi:index:Stash": "secret",
};

/** What a resource is to a reader: `container`, `registration`; its type where nobody has a word for it. */
export function nounOf({ type }: PlannedResource): string {
  return NOUNS[type] ?? (type.startsWith("pulumi:providers:") ? "provider" : type);
}

/** Whether a resource only holds others together, and has nothing of its own to change. */
export function isComponent({ type }: PlannedResource): boolean {
  return type.startsWith("consul-docker:index:") || type === "pulumi:pulumi:Stack";
}

/** What a resource does for the datacenter, as its label says: `server`, `service`. */
export function roleOf({ before, after }: PlannedResource): string | undefined {
  const labels = (after ?? before)?.["labels"];
  return list<{ label?: string; value?: string }>(labels).find(({ label }) => label === "consul-docker.role")
    ?.value;
}

/** Whether a volume holds nothing but what the state holds, too. */
export function isSecrets({ name, before, after }: PlannedResource): boolean {
  // With several hosts, the resource's own name ends with that of the host.
  const { name: onEngine = name } = (after ?? before ?? {}) as { name?: string };
  return onEngine.endsWith("-secrets");
}

/** Whether all that the network carries stops with it. */
export function isReplacedNetwork(resource: PlannedResource): boolean {
  return nounOf(resource) === "network" && resource.operation === "replace";
}

/** An argument that is a list; an empty one where it is left out, or not known yet. */
// The caller says of what.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function list<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [];
}
