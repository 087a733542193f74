import type { z } from "zod";
import { parseSubnet } from "../components/addresses";
import { check, name, port, service, shape } from "./schema";

/** The namespace of every setting in a stack file. */
export const NAMESPACE = "consul-docker";

// What Consul's own containers are called, each with a number.
const RESERVED = /^(server|client|monitor|consul|consul-esm)$/;

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
  return [`${key} must be ${issue.message}, got ${value === undefined ? "nothing" : JSON.stringify(value)}`];
}

function shapeAt(path: readonly PropertyKey[]): object {
  if (path.length === 0) return shape;
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
  const services = (Array.isArray(raw["services"]) ? raw["services"] : []).map(table);
  return [
    ...portConflicts(raw, services),
    ...services.flatMap((entry, index) => serviceConflicts(entry, index, services, hasFolder)),
    ...subnetConflicts(raw),
  ];
}

function portConflicts(
  raw: Readonly<Record<string, unknown>>,
  services: readonly Record<string, unknown>[],
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
        ? Array.from({ length: instances as number }, (_, instance) => ({
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
  const paths = (Array.isArray(entry["checks"]) ? entry["checks"] : []).map((one) => table(one)["path"]);
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
  return subnet !== undefined && clients !== undefined && clients > subnet.maxClients
    ? [
        `${keyOf("clients")} must be at most ${subnet.maxClients} in the subnet ${subnet.cidr}, got ${clients}`,
      ]
    : [];
}

function table(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
