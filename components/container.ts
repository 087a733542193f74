import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as docker from "@pulumi/docker";
import { goDuration } from "./duration";
import { hostLabel } from "./host";
import type * as pulumi from "@pulumi/pulumi";

/** Whose containers these are: the prefix of their names and the labels on them. */
export interface Owner {
  /** Pulumi project. */
  readonly project: string;
  /** Pulumi stack. */
  readonly stack: string;
}

/**
 * Whom a container waits for of those `before` it: a change takes one at a time, but one that does not exist yet can be
 * missed, and starts at once.
 */
export type InTurn = <T>(container: string, before: readonly T[]) => T[];

/** What a container does for the datacenter. */
export type Role =
  "network" | "server" | "client" | "monitor" | "service" | "snapshots" | "secrets" | "starter";

/** A network that containers join. */
export interface Attachment {
  /** ID of the network. */
  readonly networkId: pulumi.Input<string>;
  /** Name that the container answers to in the network. */
  readonly alias: string;
  /** Fixed address in the network. @default the next free one */
  readonly address?: string;
}

/** The name of a container that is in no network, and so reaches nobody and is reached by nobody. */
export type Unattached = Pick<Attachment, "alias">;

/** What every container of this project has to say about itself. */
export interface ContainerSpec {
  /** Owner, for the container's name and labels. */
  readonly owner: Owner;
  /** What it does. */
  readonly role: Role;
  /** ID of the image, so that a rebuilt tag replaces the container. */
  readonly imageId: pulumi.Input<string>;
  /** Name of the host that it is on, and may not leave. @default any, or the only one */
  readonly host?: string | undefined;
  /** Its name, and the network that it joins. */
  readonly attachment: Attachment | Unattached;
  /** Memory limit in MiB, swap included. */
  readonly memoryMb: number;
  /** User and group that it runs as; root for none but the starter. */
  readonly user: string;
  /** Command whose success means healthy. */
  readonly healthTest: readonly string[];
  /** Seconds that a health check which succeeded is good for. @default 30 */
  readonly healthIntervalSeconds?: number;
  /** Seconds to the first health check, and from one that failed to the next. @default 2 */
  readonly startIntervalSeconds?: number;
  /** Seconds that it may take to become healthy at first. */
  readonly readyTimeoutSeconds: number;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly stopTimeoutSeconds: number;
  /** Folders in memory that it may write to, beside /tmp, each with its mount options. @default none */
  readonly scratch?: Readonly<Record<string, string>>;
  /** Volumes, by the folder that they appear as. @default none */
  readonly volumes?: Readonly<Record<string, MountedVolume>>;
}

/** A volume as a container sees it. */
export interface MountedVolume {
  /** Name of the volume. */
  readonly volumeName: pulumi.Input<string>;
  /** Whether the container may only read it. */
  readonly readOnly: boolean;
}

/** What takes every right from a container that it has no use for, and bounds its log. */
export const UNPRIVILEGED = {
  capabilities: { drops: ["ALL"] },
  securityOpts: ["no-new-privileges:true"],
  logDriver: "json-file",
  logOpts: { "max-file": "3", "max-size": "10m" },
};

/** Name of a container, volume or network on the engine: unique to the stack. */
export function physicalName(owner: Owner, name: string): string {
  return `${owner.project}-${owner.stack}-${name}`;
}

/** Labels that say whose a container, volume, network or image is. */
export function labels(owner: Owner, role: Role): Record<string, string> {
  return {
    "consul-docker.project": owner.project,
    "consul-docker.role": role,
    "consul-docker.stack": owner.stack,
  };
}

/** Whether these are the labels of something with this role. */
export function hasRole(labels: Readonly<Record<string, string>>, role: Role): boolean {
  return labels["consul-docker.role"] === role;
}

/** `labels`, and `more` of them, in the form that containers, volumes and networks take. */
export function labelList(
  owner: Owner,
  role: Role,
  more: Readonly<Record<string, pulumi.Input<string>>> = {},
): { label: string; value: pulumi.Input<string> }[] {
  return Object.entries({ ...more, ...labels(owner, role) }).map(([label, value]) => ({ label, value }));
}

/** The labels, as `NAME=VALUE`, by which the stack's own are found, those of one role where that is given. */
export function ownLabels({ project, stack }: Owner, role?: Role): string[] {
  const own = { project, stack, ...(role === undefined ? {} : { role }) };
  return Object.entries(own).map(([label, value]) => `consul-docker.${label}=${value}`);
}

/** Options of a Docker listing that leave the stack's own, of one role where that is given. */
export function labelFilters(owner: Owner, role?: Role): string[] {
  return ownLabels(owner, role).flatMap((label) => ["--filter", `label=${label}`]);
}

// Processes and threads of one user on the whole host: the provider has no argument for a limit by container.
const MAX_PROCESSES = 4096;

// A slow machine is no fault of the container: what fails must do so ten times in a row, each within half a minute.
const CHECK_SECONDS = 30;
const RETRIES = 10;
/** Seconds between the health checks of what is not healthy. */
export const START_INTERVAL_SECONDS = 2;

/** When the engine runs which health check, with durations as it reads them back. */
export function healthcheck(spec: ContainerSpec) {
  const { healthIntervalSeconds = 30, startIntervalSeconds = START_INTERVAL_SECONDS } = spec;
  const rest = readFileSync(join(__dirname, "rest.sh"), "utf8");
  return {
    tests: ["CMD", "sh", "-c", rest, "rest.sh", String(healthIntervalSeconds), ...spec.healthTest],
    interval: goDuration(startIntervalSeconds),
    timeout: goDuration(healthIntervalSeconds + CHECK_SECONDS),
    retries: RETRIES,
    startPeriod: "0s",
  };
}

/** Arguments of a container that is bounded, unprivileged, restarted, and waited for until it is healthy. */
export function containerArgs(spec: ContainerSpec): docker.ContainerArgs {
  const { attachment } = spec;
  return {
    ...UNPRIVILEGED,
    name: physicalName(spec.owner, attachment.alias),
    image: spec.imageId,
    hostname: attachment.alias,
    user: spec.user,
    // Not "unless-stopped": an engine that was killed stops all containers itself when it starts again.
    restart: "always",
    memory: spec.memoryMb,
    // Equal to memory: no swap. Left out, the engine's own default shows as a difference for ever.
    memorySwap: spec.memoryMb,
    ulimits: [{ name: "nproc", soft: MAX_PROCESSES, hard: MAX_PROCESSES }],
    readOnly: true,
    tmpfs: { "/tmp": "size=16m", ...spec.scratch },
    volumes: Object.entries(spec.volumes ?? {}).map(([containerPath, volume]) => ({
      containerPath,
      ...volume,
    })),
    labels: labelList(spec.owner, spec.role, hostLabel(spec.host)),
    ...joined(attachment),
    healthcheck: healthcheck(spec),
    wait: true,
    waitTimeout: spec.readyTimeoutSeconds,
    stopTimeout: spec.stopTimeoutSeconds,
    destroyGraceSeconds: spec.stopTimeoutSeconds,
  };
}

function joined(attachment: Attachment | Unattached): Partial<docker.ContainerArgs> {
  if (!("networkId" in attachment)) return { networkMode: "none" };
  const { networkId, alias, address } = attachment;
  return {
    networksAdvanced: [
      { name: networkId, aliases: [alias], ...(address === undefined ? {} : { ipv4Address: address }) },
    ],
  };
}

/** Options of such a container: the provider plans a changed health check as an update, but does not carry it out. */
export function containerOptions(options: pulumi.CustomResourceOptions): pulumi.CustomResourceOptions {
  return { replaceOnChanges: ["healthcheck"], deleteBeforeReplace: true, ...options };
}
