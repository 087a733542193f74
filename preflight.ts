import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { overlap } from "./components/addresses";
import { SECRETS_FOLDER } from "./components/agent";
import type { Owner } from "./components/container";
import { fault } from "./fault";

/** What is about to be taken from the engine's host. */
export interface Claim {
  /** Whose containers and networks are no conflict. */
  readonly owner: Owner;
  /** The network's addresses, as `10.87.0.0/24`. */
  readonly subnet: string;
  /** Whether the datacenter shall run without encryption, certificates and access control. */
  readonly insecure: boolean;
  /** Address of the host that ports listen on. */
  readonly bindAddress: string;
  /** Ports of the host, each with the setting that asks for it. */
  readonly ports: ReadonlyMap<number, string>;
  /** References of the images to run, each with the setting that asks for it. */
  readonly images: ReadonlyMap<string, string>;
}

interface Network {
  readonly Name: string;
  readonly Labels: Record<string, string> | null;
  readonly IPAM: { readonly Config: readonly { readonly Subnet?: string }[] | null };
}

interface Container {
  readonly Name: string;
  readonly Config: { readonly Labels: Record<string, string> };
  readonly Mounts: readonly { readonly Destination: string }[];
  readonly HostConfig: {
    readonly PortBindings: Record<string, readonly { HostIp: string; HostPort: string }[] | null> | null;
  };
}

/**
 * Sees to it, before anything is created, that the engine has what the stack needs; pulls missing images. Throws one RunError that names
 * every fault. A preview needs no engine, so it does not ask.
 */
export async function preflight(claim: Claim): Promise<void> {
  if (pulumi.runtime.isDryRun()) return;
  const [networks, containers] = await Promise.all([
    inspectAll<Network>("network", ["network", "ls", "-q"]),
    inspectAll<Container>("container", ["ps", "-q"]),
  ]);
  const faults = [
    ...subnetFaults(claim, networks),
    ...securityFaults(claim, containers),
    ...(await portFaults(claim, containers)),
    ...(await imageFaults(claim)),
  ];
  if (faults.length > 0) throw fault("this host cannot take the stack:", faults);
}

function subnetFaults({ owner, subnet }: Claim, networks: readonly Network[]): string[] {
  return networks
    .filter(({ Labels }) => !isOwn(owner, Labels ?? {}))
    .flatMap(({ Name, IPAM }) =>
      (IPAM.Config ?? [])
        .filter((config) => config.Subnet?.includes(".") && overlap(config.Subnet, subnet))
        .map(
          (config) =>
            `subnet ${subnet} overlaps ${config.Subnet ?? ""} of the Docker network ${Name}; set consul-docker:subnet to a free one`,
        ),
    );
}

/** Agents of one kind do not understand those of the other: servers replaced one by one would lose their quorum. */
function securityFaults({ owner, insecure }: Claim, containers: readonly Container[]): string[] {
  const differs = containers.some(
    ({ Config, Mounts }) =>
      isOwn(owner, Config.Labels) &&
      Config.Labels["consul-docker.role"] === "server" &&
      Mounts.some(({ Destination }) => Destination === SECRETS_FOLDER) === insecure,
  );
  return differs
    ? [
        "consul-docker:insecure cannot change while the datacenter runs; set it back, or run npm run down first",
      ]
    : [];
}

async function portFaults(
  { owner, bindAddress, ports }: Claim,
  containers: readonly Container[],
): Promise<string[]> {
  const published = containers.flatMap(({ Name, Config, HostConfig }) =>
    Object.values(HostConfig.PortBindings ?? {}).flatMap((bindings) =>
      (bindings ?? []).map(({ HostPort }) => ({
        port: Number(HostPort),
        by: Name.slice(1),
        own: isOwn(owner, Config.Labels),
      })),
    ),
  );
  const results = await Promise.all(
    [...ports].map(async ([port, setting]) => {
      const holder = published.find((one) => one.port === port);
      if (holder?.own === true) return [];
      if (holder !== undefined) return [inUse(port, bindAddress, `the container ${holder.by}`, setting)];
      const obstacle = isRemote() ? undefined : await listenError(port, bindAddress);
      if (obstacle === "EADDRNOTAVAIL")
        return [`${bindAddress} is no address of this host; set consul-docker:bindAddress to one`];
      return obstacle === "EADDRINUSE" ? [inUse(port, bindAddress, "another process", setting)] : [];
    }),
  );
  return [...new Set(results.flat())];
}

function inUse(port: number, address: string, by: string, setting: string): string {
  return `port ${port} of ${address} is in use by ${by}; set ${setting} to a free one`;
}

async function imageFaults({ images }: Claim): Promise<string[]> {
  const results = await Promise.all(
    [...images].map(async ([reference, setting]) => {
      if (await succeeds(docker(["image", "inspect", "-f", "ok", reference]))) return [];
      void pulumi.log.info(`pulling ${reference}`);
      return docker(["pull", "-q", reference]).then(
        () => [],
        (error: unknown) => [
          `the image ${reference} cannot be had (${reason(error)}); check ${setting} and the network`,
        ],
      );
    }),
  );
  return results.flat();
}

function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

function isOwn({ project, stack }: Owner, labels: Record<string, string>): boolean {
  return labels["consul-docker.project"] === project && labels["consul-docker.stack"] === stack;
}

/** Whether the engine runs on another host, whose ports cannot be tried from here. */
function isRemote(): boolean {
  return /^(tcp|ssh|https?):/.test(process.env["DOCKER_HOST"] ?? "");
}

/** Why `port` cannot be listened on; undefined when it can. The engine may take low ports that this process may not. */
function listenError(port: number, address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", (error: NodeJS.ErrnoException) => {
        resolve(error.code);
      })
      .listen({ port, host: address, exclusive: true }, () =>
        server.close(() => {
          resolve(undefined);
        }),
      );
  });
}

async function inspectAll<T>(kind: string, list: readonly string[]): Promise<T[]> {
  try {
    const ids = (await docker(list)).split("\n").filter(Boolean);
    return ids.length === 0 ? [] : (JSON.parse(await docker([kind, "inspect", ...ids])) as T[]);
  } catch (error) {
    throw fault(
      `the Docker Engine does not answer (${reason(error)}); start it, or set DOCKER_HOST to one that runs`,
    );
  }
}

async function docker(args: readonly string[]): Promise<string> {
  return (await promisify(execFile)("docker", args, { maxBuffer: 64 * 1024 * 1024 })).stdout;
}

function reason(error: unknown): string {
  const { code, stderr = "" } = error as { code?: unknown; stderr?: string };
  if (code === "ENOENT") return "the docker command is not installed";
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return last === "" ? "it gave no reason" : last;
}
