import { createPrivateKey, X509Certificate } from "node:crypto";
import type { z } from "zod";
import { isLoopback, parseSubnet } from "../components/addresses";
import { check, host, name, port, SECRETS, service, shape, snapshots } from "./schema";

/** The namespace of every setting in a stack file. */
export const NAMESPACE = "consul-docker";

// What Consul's own containers are called, some with a number.
const RESERVED = /^((server|client|monitor)(-\d+)?|consul|consul-esm|snapshots)$/;

/** A setting as the stack file writes it: `consul-docker:services[0].port`. */
export function keyOf(...path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (key, part) =>
      `${key}${typeof part === "number" ? `[${part}]` : `${key === "" ? `${NAMESPACE}:` : "."}${String(part)}`}`,
    "",
  );
}

/** Says what is wrong with one value: its key, what is allowed, what it is. */
export function describeIssue(issue: z.core.$ZodIssue, raw: unknown): string[] {
  const key = keyOf(...issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(shapeAt(issue.path)).join(", ");
    return issue.keys.map(
      (unknown) => `${keyOf(...issue.path, unknown)} is not a setting; there are ${known}`,
    );
  }
  if (issue.code === "invalid_key") return issue.issues.map(({ message }) => `${key} must be ${message}`);
  const value = issue.path.reduce<unknown>(
    (within, part) => (within as Record<PropertyKey, unknown> | undefined)?.[part],
    raw,
  );
  const got = SECRETS.includes(String(issue.path[0])) ? "something else" : abridged(JSON.stringify(value));
  return [`${key} must be ${issue.message}, got ${value === undefined ? "nothing" : got}`];
}

// What is longer, the user knows by its key.
const SHOWN_CHARACTERS = 1000;

function abridged(value: string | undefined): string {
  return value === undefined || value.length <= SHOWN_CHARACTERS
    ? String(value)
    : `${value.slice(0, SHOWN_CHARACTERS)}… (${value.length} characters)`;
}

function shapeAt(path: readonly PropertyKey[]): object {
  if (path.length === 0) return shape;
  if (path[0] === "hosts") return host.unwrap().shape;
  if (path[0] === "snapshots") return snapshots.unwrap().shape;
  return path.includes("checks") ? check.unwrap().shape : service.unwrap().shape;
}

/**
 * Faults that lie between settings. Looks at the raw values, so that they show beside the faults of single ones;
 * `hasFolder` tells whether a service's folder is there.
 */
export function conflicts(
  raw: Readonly<Record<string, unknown>>,
  hasFolder: (service: string) => boolean,
): string[] {
  const services = tables(raw["services"]);
  const hosts = tables(raw["hosts"]);
  return [
    ...hostConflicts(raw, hosts, services),
    ...registryConflicts(raw, hosts),
    ...portConflicts(raw, services, hosts.length > 0),
    ...services.flatMap((entry, index) => serviceConflicts(entry, index, services, hasFolder)),
    ...subnetConflicts(raw),
    ...securityConflicts(raw),
    ...keyConflicts(raw),
  ];
}

/** With several hosts, what is right for one is not always right for each. */
function hostConflicts(
  raw: Readonly<Record<string, unknown>>,
  hosts: readonly Record<string, unknown>[],
  services: readonly Record<string, unknown>[],
): string[] {
  if (hosts.length === 0) return [];
  const managers = hosts.filter(({ manager }) => manager === true).length;
  const twice = (field: "name" | "endpoint" | "address") =>
    hosts.flatMap((entry, index) =>
      entry[field] !== undefined && hosts.findIndex((other) => other[field] === entry[field]) < index
        ? [`${keyOf("hosts", index, field)} must be unique, got ${JSON.stringify(entry[field])} again`]
        : [],
    );
  return [
    ...twice("name"),
    ...twice("endpoint"),
    ...twice("address"),
    ...hosts.flatMap(({ endpoint, certPath }, index) =>
      typeof endpoint === "string" && endpoint.startsWith("tcp:") !== (certPath !== undefined)
        ? [`${keyOf("hosts", index, "certPath")} must be given with a tcp:// endpoint, and with no other`]
        : [],
    ),
    ...(managers === 1
      ? []
      : [
          `${keyOf("hosts")} must have one host with manager: true, got ${managers === 0 ? "none" : managers}`,
        ]),
    ...(hosts.every(({ drain }) => drain === true)
      ? [`${keyOf("hosts")} must have one host without drain: true, got none`]
      : []),
    ...(raw["bindAddress"] === undefined
      ? []
      : [`${keyOf("bindAddress")} must be left out where there are hosts, each of which has an address`]),
    ...(raw["insecure"] === true ? [`${keyOf("insecure")} must be false where there are hosts`] : []),
    ...(raw["https"] === false ? [`${keyOf("https")} must be true where there are hosts`] : []),
    ...services.flatMap(({ hostPort, instances }, index) =>
      hostPort === undefined || instances === undefined
        ? []
        : [
            `${keyOf("services", index, "instances")} must be left out where there are hosts and a hostPort: one runs on each host`,
          ],
    ),
  ];
}

/** One engine runs what it has built. */
function registryConflicts(
  raw: Readonly<Record<string, unknown>>,
  hosts: readonly Record<string, unknown>[],
): string[] {
  return raw["registry"] === undefined || hosts.length > 0
    ? []
    : [`${keyOf("registry")} must be left out where there are no hosts: one engine runs what it has built`];
}

function portConflicts(
  raw: Readonly<Record<string, unknown>>,
  services: readonly Record<string, unknown>[],
  samePortOnEachHost: boolean,
): string[] {
  const single = (setting: "httpPort" | "dnsPort") => {
    const { data } = shape[setting].safeParse(raw[setting]);
    return data === undefined ? [] : [{ key: keyOf(setting), port: data }];
  };
  const claims = [
    ...single("httpPort"),
    ...single("dnsPort"),
    ...services.flatMap(({ hostPort, instances = 1 }, index) =>
      port().safeParse(hostPort).success && service.unwrap().shape.instances.safeParse(instances).success
        ? Array.from({ length: samePortOnEachHost ? 1 : (instances as number) }, (_, instance) => ({
            key: keyOf("services", index, "hostPort"),
            port: (hostPort as number) + instance,
          }))
        : [],
    ),
  ];
  return claims.flatMap((claim, index) => {
    const { key, port: claimed } = claim;
    const other = claims.slice(0, index).find((one) => one.port === claimed);
    if (other !== undefined)
      return [`${key} must be a port that nothing else has, got ${claimed}, which ${other.key} has`];
    return claimed > 65535 ? [`${key} must leave room for each instance, got port ${claimed}`] : [];
  });
}

function serviceConflicts(
  entry: Record<string, unknown>,
  index: number,
  services: readonly Record<string, unknown>[],
  hasFolder: (service: string) => boolean,
): string[] {
  const key = keyOf("services", index, "name");
  const own = name().safeParse(entry["name"]).data;
  const paths = tables(entry["checks"]).map(({ path }) => path);
  return [
    ...(own !== undefined && services.findIndex((other) => other["name"] === own) < index
      ? [`${key} must be unique, got "${own}" again`]
      : []),
    ...(own !== undefined && RESERVED.test(own)
      ? [`${key} must not be the name of one of Consul's own containers, got "${own}"`]
      : []),
    ...(own !== undefined && !hasFolder(own)
      ? [`${key} must be a folder under services/ with a main.ts, got "${own}"`]
      : []),
    ...(new Set(paths).size < paths.length
      ? [`${keyOf("services", index, "checks")} must have a path each, got ${paths.join(", ")}`]
      : []),
  ];
}

function subnetConflicts(raw: Readonly<Record<string, unknown>>): string[] {
  const subnet = parseSubnet(shape.subnet.safeParse(raw["subnet"]).data ?? "");
  const clients = shape.clients.safeParse(raw["clients"]).data;
  const hosts = shape.hosts.safeParse(raw["hosts"]).data;
  if (subnet === undefined) return [];
  // Each host has a client agent.
  return Object.entries({ clients, hosts: hosts?.length }).flatMap(([setting, count = 0]) =>
    count > subnet.maxClients
      ? [`${keyOf(setting)} must be at most ${subnet.maxClients} in the subnet ${subnet.cidr}, got ${count}`]
      : [],
  );
}

function securityConflicts(raw: Readonly<Record<string, unknown>>): string[] {
  const bindAddress = shape.bindAddress.safeParse(raw["bindAddress"]).data;
  if (bindAddress === undefined) return [];
  const beyond = isLoopback(bindAddress) ? undefined : `${bindAddress} is not on loopback`;
  return [
    ...(raw["insecure"] === true && beyond !== undefined
      ? [`${keyOf("insecure")} must be false where bindAddress ${beyond}`]
      : []),
    ...(raw["https"] === false && beyond !== undefined
      ? [`${keyOf("https")} must be true where bindAddress ${beyond}`]
      : []),
    ...(raw["https"] === true && raw["insecure"] === true
      ? [`${keyOf("https")} must be false where insecure is true`]
      : []),
  ];
}

/** Certificates and keys come in pairs that belong together, and an authority without its key issues nothing. */
function keyConflicts(raw: Readonly<Record<string, unknown>>): string[] {
  const given = (setting: string) => (typeof raw[setting] === "string" ? raw[setting] : undefined);
  const pairs = (["ca", "server", "api"] as const).map((kind) => ({
    names: [`${kind}Certificate`, `${kind}Key`] as const,
    certificate: given(`${kind}Certificate`),
    key: given(`${kind}Key`),
  }));
  const [ca, ...issued] = pairs;
  const complete = issued.every(({ certificate, key }) => certificate !== undefined && key !== undefined);
  return pairs.flatMap((pair) => {
    const { names, certificate, key } = pair;
    if (certificate === undefined)
      return key === undefined ? [] : [`${keyOf(names[0])} must be given with ${names[1]}`];
    if (key !== undefined) {
      return belongTogether(certificate, key) ? [] : [`${keyOf(names[1])} must be the key of ${names[0]}`];
    }
    if (pair !== ca) return [`${keyOf(names[1])} must be given with ${names[0]}`];
    return complete
      ? []
      : [`${keyOf("caKey")} must be given with caCertificate, unless both certificates and their keys are`];
  });
}

/** True as well where one of them is no certificate or key at all, which has a message of its own. */
function belongTogether(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return true;
  }
}

function tables(value: unknown): Record<string, unknown>[] {
  return (Array.isArray(value) ? value : []).map(table);
}

function table(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
