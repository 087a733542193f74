import * as docker from "@pulumi/docker";
import { labelList, physicalName, UNPRIVILEGED } from "./container";
import { goDuration } from "./duration";
import { through, type Host } from "./host";
import type { InstanceSpec, Platform } from "./platform";

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
 * gives; Swarm places the instances of services, and moves those of a lost host elsewhere.
 */
export function swarm(nodes: readonly SwarmHost[]): Platform {
  const engine = (name: string, { endpoint, certPath }: SwarmHost) =>
    new docker.Provider(name, { host: endpoint, ...(certPath === undefined ? {} : { certPath }) });
  // Of its own, not the manager's: when another host becomes the manager, nothing is replaced.
  const provider = nodes.filter(({ manager }) => manager).map((node) => engine("swarm", node))[0];
  const hosts = nodes.map((node): Seat => ({
    drain: node.drain,
    host: { name: node.name, address: node.address, provider: engine(node.name, node) },
  }));
  const drained = nodes.filter(({ drain }) => drain).map(({ name }) => name);
  return {
    // A drained one, too: what Swarm has run there holds on to its credentials for a time.
    hosts: hosts.map(({ host }) => host),
    networkDriver: "overlay",
    provider,
    prebuilt: true,
    place: (count) => spread(count, hosts),
    plan: ({ instances, hostPort }) =>
      hostPort === undefined
        ? Array.from({ length: instances }, (_, index) => ({ number: index + 1 }))
        : nodes.flatMap(({ name, address, drain }, index) =>
            drain ? [] : [{ number: index + 1, host: name, publish: { external: hostPort, address } }],
          ),
    run: (name, spec, options) =>
      new docker.Service(name, serviceArgs(spec, drained), { ...options, ...through({ provider }) }),
  };
}

/** A host, and whether it is to have nothing. */
interface Seat {
  readonly drain: boolean;
  readonly host: Host;
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

function serviceArgs(spec: InstanceSpec, drained: readonly string[]): docker.ServiceArgs {
  const { owner, role, attachment, publish, host } = spec;
  return {
    name: physicalName(owner, attachment.alias),
    labels: labelList(owner, role),
    mode: { replicated: { replicas: 1 } },
    taskSpec: {
      containerSpec: {
        image: spec.imageId,
        hostname: attachment.alias,
        user: spec.user,
        readOnly: true,
        capDrops: [...UNPRIVILEGED.capabilities.drops],
        env: Object.fromEntries(spec.envs.map(variable)),
        dnsConfig: { nameservers: [...spec.dns] },
        labels: labelList(owner, role),
        healthcheck: {
          tests: ["CMD", ...spec.healthTest],
          interval: duration(spec.healthIntervalSeconds),
          timeout: "5s",
          retries: 3,
          // Swarm replaces what is not healthy; what starts may have to wait for others.
          startPeriod: duration(spec.readyTimeoutSeconds),
        },
        mounts: [
          { type: "tmpfs", target: "/tmp", tmpfsOptions: { sizeBytes: 16 * 1024 * 1024 } },
          ...Object.entries(spec.volumes ?? {}).map(([target, { volumeName, readOnly }]) => ({
            type: "volume",
            target,
            source: volumeName,
            readOnly,
          })),
        ],
        // As long the provider waits until a deleted service's container is gone, then fails: which takes longer than its stop.
        stopGracePeriod: duration(2 * spec.stopTimeoutSeconds),
      },
      logDriver: { name: UNPRIVILEGED.logDriver, options: UNPRIVILEGED.logOpts },
      networksAdvanceds: [{ id: attachment.networkId, aliases: [attachment.alias] }],
      placement: {
        constraints:
          host === undefined ? drained.map((name) => `node.hostname!=${name}`) : [`node.hostname==${host}`],
      },
      resources: { limits: { memoryBytes: spec.memoryMb * 1024 * 1024 } },
      // Without a window of its own, the provider's default differs for ever.
      restartPolicy: { condition: "any", delay: "1s", window: "0s" },
    },
    endpointSpec: {
      // By the container's own address: neither virtual addresses nor the routing mesh stand between.
      mode: "dnsrr",
      ports:
        publish === undefined
          ? []
          : [
              {
                targetPort: publish.internal,
                publishedPort: publish.external,
                publishMode: "host",
                protocol: "tcp",
              },
            ],
    },
    convergeConfig: { delay: "1s", timeout: goDuration(spec.readyTimeoutSeconds) },
  };
}

/** As the provider reads durations of services back: without minutes and seconds that are none. */
function duration(seconds: number): string {
  return goDuration(seconds).replace(/m0s$/, "m").replace(/h0m$/, "h");
}

function variable(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
