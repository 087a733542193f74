import { createServer } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { overlap } from "./components/addresses";
import { hasRole, type Owner } from "./components/container";
import { VERSION_LABEL } from "./components/server";
import { inspectAll, isOwn, reason, type Container, type Engine } from "./engine";
import { provideImage } from "./image-copy";
import { removeLeftImages } from "./left-images";
import { provideDockerConfig, registryFaults } from "./registry";
import { swarmFaults } from "./swarm-faults";
import { fault } from "./fault";

/** What is about to be taken from each engine's host. */
export interface Claim {
  /** Whose containers and networks are no conflict. */
  readonly owner: Owner;
  /** Consul datacenter. */
  readonly datacenter: string;
  /** The network's addresses, as `10.87.0.0/24`. */
  readonly subnet: string;
  /** Whether the datacenter shall run without encryption, certificates and access control. */
  readonly insecure: boolean;
  /** Tag of the Consul image. */
  readonly consulVersion: string;
  /** Whether it may be older than what runs. */
  readonly allowDowngrade: boolean;
  /** The engines. */
  readonly engines: readonly Engine[];
  /** Ports of each host, each with the setting that asks for it. */
  readonly ports: ReadonlyMap<number, string>;
  /** References of the images to run, each with the setting that asks for it. */
  readonly images: ReadonlyMap<string, string>;
  /** Registry by which the services' images reach the hosts. @default none */
  readonly registry?: string | undefined;
}

interface Network {
  readonly Name: string;
  readonly Labels: Record<string, string> | null;
  readonly IPAM: { readonly Config: readonly { readonly Subnet?: string }[] | null };
}

/** What an engine has. */
interface Inventory {
  readonly engine: Engine;
  readonly networks: readonly Network[];
  readonly containers: readonly Container[];
}

/**
 * What Pulumi's consul plugin takes from the shell, whatever the program tells it. The launcher clears all that the shell
 * says of Consul; here are those whose own Pulumi CLI comes first.
 */
const FOREIGN_CONSUL = [
  ...["CONSUL_CACERT", "CONSUL_CAPATH", "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY", "CONSUL_TLS_SERVER_NAME"],
  ...["CONSUL_CA_FILE", "CONSUL_CERT_FILE", "CONSUL_KEY_FILE", "CONSUL_HTTP_SSL_VERIFY"],
  ...["CONSUL_HTTP_AUTH", "CONSUL_NAMESPACE", "CONSUL_PARTITION"],
];

/** What the docker plugin takes from the shell in the same way. Where there is one engine, that is how it is told of it. */
const FOREIGN_ENGINE = [
  ...["DOCKER_CONTEXT", "DOCKER_CERT_PATH"],
  ...["DOCKER_CA_MATERIAL", "DOCKER_CERT_MATERIAL", "DOCKER_KEY_MATERIAL"],
];

/**
 * Sees to it, before anything is created, that the engines have what the stack needs: provides missing images, and
 * removes those that earlier updates left. Throws one RunError that names every fault. A preview needs no engine, so it
 * does not ask.
 */
export async function preflight(claim: Claim): Promise<void> {
  refuseForeignShell(claim.engines);
  if (claim.registry !== undefined) await provideDockerConfig();
  if (pulumi.runtime.isDryRun()) return;
  const inventories = await Promise.all(claim.engines.map(inventoryOf));
  const containers = inventories.flatMap((one) => one.containers);
  const faults = [
    ...(await swarmFaults(claim.engines)),
    ...(await registryFaults(claim.registry, claim.engines)),
    ...inventories.flatMap((inventory) => subnetFaults(claim, inventory)),
    ...datacenterFaults(claim, containers),
    ...securityFaults(claim, containers),
    ...versionFaults(claim, containers),
    ...(await Promise.all(inventories.map((inventory) => portFaults(claim, inventory)))).flat(),
    ...(await imageFaults(claim)),
  ];
  if (faults.length === 0) return removeLeftImages(claim.owner, claim.engines);
  const where = claim.engines.length === 1 ? "this host" : "the hosts";
  throw fault(`${where} cannot take the stack:`, [...new Set(faults)]);
}

function refuseForeignShell(engines: readonly Engine[]): void {
  const set = (names: readonly string[]) => names.filter((name) => (process.env[name] ?? "") !== "");
  const consul = set(FOREIGN_CONSUL);
  if (consul.length > 0)
    throw fault(
      `this shell tells Pulumi's plugin of another Consul than the stack's: unset ${consul.join(" ")}, or use the npm commands, which do so`,
    );
  const engine = engines.some(({ name }) => name !== undefined) ? set(FOREIGN_ENGINE) : [];
  if (engine.length > 0)
    throw fault(
      `this shell tells Pulumi's plugin of another engine than those of consul-docker:hosts: unset ${engine.join(" ")}`,
    );
}

async function inventoryOf(engine: Engine): Promise<Inventory> {
  const [networks, containers] = await Promise.all([
    inspectAll<Network>(engine, "network", ["network", "ls", "-q"]),
    inspectAll<Container>(engine, "container", ["ps", "-a", "-q"]),
  ]);
  return { engine, networks, containers };
}

/** Behind which network, port or the like it says on which of several hosts that is. */
function of({ name }: Engine): string {
  return name === undefined ? "" : ` of ${name}`;
}

function subnetFaults({ owner, subnet }: Claim, { engine, networks }: Inventory): string[] {
  return networks
    .filter(({ Labels }) => !isOwn(owner, Labels ?? {}))
    .flatMap(({ Name, IPAM }) =>
      (IPAM.Config ?? [])
        .filter((config) => config.Subnet?.includes(".") && overlap(config.Subnet, subnet))
        .map(
          (config) =>
            `subnet ${subnet} overlaps ${config.Subnet ?? ""} of the Docker network ${Name}${of(engine)}; set consul-docker:subnet to a free one`,
        ),
    );
}

/** A server's data belong to the datacenter that it began in. */
function datacenterFaults(claim: Claim, containers: readonly Container[]): string[] {
  const names = serversOf(claim, containers).flatMap(
    ({ Config }) => /"datacenter":"([^"]*)"/.exec(Config.Env.join("\n"))?.[1] ?? [],
  );
  return [...new Set(names)]
    .filter((name) => name !== claim.datacenter)
    .map(
      (name) =>
        `consul-docker:datacenter cannot change while the datacenter runs; set it back to ${name}, or run npm run down first, which deletes its data`,
    );
}

/** Agents of one kind do not understand those of the other: servers replaced one by one would lose their quorum. */
function securityFaults(claim: Claim, containers: readonly Container[]): string[] {
  const differs = serversOf(claim, containers).some(
    ({ Config }) => Config.Env.some((variable) => variable.includes('"acl":')) === claim.insecure,
  );
  return differs
    ? [
        "consul-docker:insecure cannot change while the datacenter runs; set it back, or run npm run down first",
      ]
    : [];
}

/** Servers may not be able to read what those of a later version wrote. */
function versionFaults(claim: Claim, containers: readonly Container[]): string[] {
  if (claim.allowDowngrade) return [];
  return serversOf(claim, containers)
    .filter(({ Config }) => isDowngrade(Config.Labels[VERSION_LABEL] ?? "", claim.consulVersion))
    .map(
      ({ Config }) =>
        `consul-docker:consulVersion ${claim.consulVersion} is older than the ${Config.Labels[VERSION_LABEL] ?? ""} of ${Config.Hostname}, whose data it may not be able to read; set consul-docker:allowDowngrade to true to try all the same`,
    );
}

function serversOf({ owner }: Claim, containers: readonly Container[]): Container[] {
  return containers.filter(({ Config }) => isOwn(owner, Config.Labels) && hasRole(Config.Labels, "server"));
}

/** Whether a version's major and minor number are lower; of tags that are no versions, nothing is known. */
function isDowngrade(from: string, to: string): boolean {
  const [was, is] = [from, to].map((tag) => /^v?(\d+)\.(\d+)/.exec(tag)?.slice(1).map(Number));
  if (was === undefined || is === undefined) return false;
  const [wasMajor = 0, wasMinor = 0] = was;
  const [isMajor = 0, isMinor = 0] = is;
  return isMajor < wasMajor || (isMajor === wasMajor && isMinor < wasMinor);
}

async function portFaults({ owner, ports }: Claim, { engine, containers }: Inventory): Promise<string[]> {
  const { address } = engine;
  const published = containers
    .filter(({ State }) => State.Running)
    .flatMap(({ Name, Config, HostConfig }) =>
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
      if (holder !== undefined)
        return [inUse(port, address, `the container ${holder.by}${of(engine)}`, setting)];
      const obstacle = isElsewhere(engine) ? undefined : await listenError(port, address);
      if (obstacle === "EADDRNOTAVAIL")
        return [`${address} is no address of this host; set consul-docker:bindAddress to one`];
      return obstacle === "EADDRINUSE" ? [inUse(port, address, "another process", setting)] : [];
    }),
  );
  return [...new Set(results.flat())];
}

function inUse(port: number, address: string, by: string, setting: string): string {
  return `port ${port} of ${address} is in use by ${by}; set ${setting} to a free one`;
}

async function imageFaults({ engines, images }: Claim): Promise<string[]> {
  const results = await Promise.all(
    engines.flatMap((engine) =>
      [...images].map(([reference, setting]) =>
        provideImage(reference, engine, engines).then(
          () => [],
          (error: unknown) => [
            `the image ${reference} cannot be had${engine.name === undefined ? "" : ` on ${engine.name}`} (${reason(error)}); check ${setting} and the network`,
          ],
        ),
      ),
    ),
  );
  return results.flat();
}

/** Whether the engine may run on another host, whose ports cannot be tried from here. */
function isElsewhere({ endpoint = process.env["DOCKER_HOST"], name }: Engine): boolean {
  return name !== undefined || /^(tcp|ssh|https?):/.test(endpoint ?? "");
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
