import * as docker from "@pulumi/docker";
import { through, type Host } from "./host";
import type { Platform } from "./platform";
import { registryHost } from "./pushed-image";
import { serviceArgs } from "./swarm-service";

/** One node of the Swarm. */
export interface SwarmHost {
  /** Name of the node. */
  readonly name: string;
  /** Where its engine listens. */
  readonly endpoint: string;
  /** Folder with the files for TLS. @default none */
  readonly certPath?: string | undefined;
  /** Address that published ports listen on. */
  readonly address: string;
  /** Whether networks and services are created through it. */
  readonly manager: boolean;
  /** Whether nothing may run there. */
  readonly drain: boolean;
}

/**
 * Several hosts in one Docker Swarm, one of them the manager. Agents stay containers, each on the host that its number
 * gives; Swarm places the instances of services, and moves those of a lost host elsewhere. What is pushed to `registry`
 * and pulled from there is so with the login that the docker command has. By its host's name, `standIns` has where to
 * go instead of an engine that a preview does without.
 */
export function swarm(
  nodes: readonly SwarmHost[],
  registry?: string,
  standIns: ReadonlyMap<string, string> = new Map(),
): Platform {
  const engine = (name: string, { endpoint, certPath, name: host }: SwarmHost) =>
    new docker.Provider(name, {
      host: standIns.get(host) ?? endpoint,
      ...(certPath === undefined || standIns.has(host) ? {} : { certPath }),
      ...(registry === undefined ? {} : { registryAuth: [login(registry)] }),
    });
  // Of its own, not the host's: when another one becomes the manager, nothing is replaced. No host has such a name.
  const provider = nodes.filter(({ manager }) => manager).map((node) => engine("swarm_manager", node))[0];
  const hosts = nodes.map((node): Seat => ({
    drain: node.drain,
    socket: socketPath(node),
    host: { name: node.name, address: node.address, provider: engine(node.name, node) },
  }));
  const drained = nodes.filter(({ drain }) => drain).map(({ name }) => name);
  const open = nodes.filter(({ drain }) => !drain).map(({ name }) => name);
  return {
    // A drained one, too: what Swarm has run there holds on to its credentials for a time.
    hosts: hosts.map(({ host }) => host),
    networkDriver: "overlay",
    provider,
    prebuilt: true,
    unreliable: hosts.flatMap(({ drain, host, socket }) => (drain ? [] : [{ host, path: socket }])),
    place: (count) => spread(count, hosts),
    plan: ({ instances, hostPort }) =>
      hostPort === undefined
        ? Array.from({ length: instances }, (_, index) => ({
            number: index + 1,
            avoid: [...drained, ...apart(index, instances, open)],
          }))
        : nodes.flatMap(({ name, address, drain }, index) =>
            drain ? [] : [{ number: index + 1, host: name, publish: { external: hostPort, address } }],
          ),
    run: (name, spec, options) =>
      new docker.Service(name, serviceArgs(spec), {
        ...options,
        // The engine adds those of an image that it finds in a registry.
        ignoreChanges: ["taskSpec.placement.platforms"],
        ...through({ provider }),
      }),
  };
}

/** Where it has only the address, the provider reads the rest where docker login has put it: the state never has it. */
function login(registry: string): docker.types.input.ProviderRegistryAuth {
  return { address: registryHost(registry) };
}

/** A host, whether it is to have nothing, and the socket that its engine listens on. */
interface Seat {
  readonly drain: boolean;
  readonly host: Host;
  readonly socket: string;
}

/** Whoever reaches an engine from elsewhere does not say on which socket it listens at home: by default. */
function socketPath({ endpoint }: SwarmHost): string {
  const [, path] = /^unix:\/\/(.*)/.exec(endpoint) ?? [];
  return path ?? "/var/run/docker.sock";
}

/** One after the other. What a drained host would have goes where there is least, so that all others stay where they are. */
function spread(count: number, seats: readonly Seat[]): Host[] {
  const turns = Array.from({ length: count }, (_, index) => seats[index % seats.length]);
  const placed = turns.map((seat) => (seat?.drain === false ? seat.host : undefined));
  const open = seats.flatMap(({ drain, host }) => (drain ? [] : [host]));
  const load = new Map(open.map((host) => [host, placed.filter((one) => one === host).length]));
  return placed.map((host) => {
    if (host !== undefined) return host;
    const [[least]] = [...load].sort(([, a], [, b]) => a - b) as [[Host, number]];
    load.set(least, (load.get(least) ?? 0) + 1);
    return least;
  });
}

/**
 * The hosts that an instance is kept from so that no single one may ever have all of a service: Swarm places each of its
 * services by itself, and these belong together. With as many instances as hosts, each may be on all hosts but one.
 */
function apart(index: number, instances: number, hosts: readonly string[]): string[] {
  return instances === 1 || hosts.length === 1
    ? []
    : hosts.filter((_, position) => position % instances === index);
}
