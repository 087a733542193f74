import { existsSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { imageReferences } from "./components/images";
import type { Engine } from "./engine";
import { fault } from "./fault";
import { conflicts, describeIssue, keyOf, NAMESPACE } from "./settings/faults";
import { schema, shape, type Settings } from "./settings/schema";

/** Reads the stack file; throws one RunError that names every fault. */
export function readSettings(): Settings {
  return parseSettings(configured(), (service) => existsSync(`services/${service}/main.ts`));
}

/**
 * Checks the settings in `raw` and fills in the defaults; `hasFolder` tells whether a service's folder is there.
 * Throws one RunError that names every fault.
 */
export function parseSettings(
  raw: Readonly<Record<string, unknown>>,
  hasFolder: (service: string) => boolean,
): Settings {
  const { data, error } = schema.safeParse(raw);
  const faults = [
    ...(error?.issues ?? []).flatMap((issue) => describeIssue(issue, raw)),
    ...conflicts(raw, hasFolder),
  ];
  if (data !== undefined && faults.length === 0) return data;
  const lines = [...new Set(faults)];
  throw fault(`the stack file has ${lines.length === 1 ? "a fault" : `${lines.length} faults`}:`, lines);
}

/** The engines that the settings name, each with what it is to be; without hosts, the one that the docker command talks to. */
export function enginesOf({ hosts, bindAddress }: Settings): Engine[] {
  return hosts.length === 0 ? [{ address: bindAddress }] : [...hosts];
}

/** The ports of each host that the settings ask for, each with the setting's key. */
export function claimedPorts({ httpPort, dnsPort, services, hosts }: Settings): Map<number, string> {
  return new Map([
    [httpPort, keyOf("httpPort")],
    [dnsPort, keyOf("dnsPort")],
    ...services.flatMap(({ hostPort, instances }, index) =>
      hostPort === undefined
        ? []
        : Array.from({ length: hosts.length === 0 ? instances : 1 }, (_, instance): [number, string] => [
            hostPort + instance,
            keyOf("services", index, "hostPort"),
          ]),
    ),
  ]);
}

/** The public images that the settings ask for, each with the setting's key. */
export function claimedImages(settings: Settings): Map<string, string> {
  const { consul, monitor, node } = imageReferences(settings);
  return new Map([
    [consul, keyOf("consulVersion")],
    [monitor, keyOf("monitorVersion")],
    [node, keyOf("nodeVersion")],
  ]);
}

/** The settings as the stack file has them. Pulumi hands over text; what is no valid text for its key is taken as JSON. */
function configured(): Record<string, unknown> {
  const prefix = `${NAMESPACE}:`;
  return Object.fromEntries(
    Object.entries(pulumi.runtime.allConfig())
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => {
        const setting = key.slice(prefix.length);
        return [setting, isText(setting, value) ? value : fromJson(value)];
      }),
  );
}

function isText(setting: string, value: string): boolean {
  return Object.hasOwn(shape, setting) && shape[setting as keyof typeof shape].safeParse(value).success;
}

function fromJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
