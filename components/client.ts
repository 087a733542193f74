import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { agentContainer, type AgentArgs } from "./agent";
import { containerOptions, labelList, physicalName } from "./container";

/** The ports of a client agent that the host publishes. */
export interface PublishedPorts {
  /** Address of the host that they listen on. */
  readonly bindAddress: string;
  /** Port of the HTTP API and the UI. */
  readonly http: number;
  /** Port of DNS, UDP and TCP. */
  readonly dns: number;
}

/** What one client agent needs from the rest of the stack. */
export interface ClientArgs extends AgentArgs {
  /** Serves the API by HTTPS alone. */
  readonly https: boolean;
  /** Ports on the host. @default none: the agent is reached from inside the network only */
  readonly publish?: PublishedPorts;
}

/** Port of the API in the network. */
export function apiPort(https: boolean): number {
  return https ? 8501 : 8500;
}

/** Where a container on the agent's host finds the socket of its API, which speaks plain HTTP. */
export const SOCKET_FOLDER = "/run/agent";
export const SOCKET = `${SOCKET_FOLDER}/http.sock`;

const DNS_PORT = 53;

/** A Consul client agent: HTTP API, UI and DNS for the network and, where it publishes them, for the host. */
export class Client extends pulumi.ComponentResource {
  /** The agent's container, for what must wait for it. */
  public readonly container: docker.Container;
  /** Name of the volume with the socket of its API, for containers on the same host. */
  public readonly socketVolume: pulumi.Output<string>;

  /** `name` is also the name of the agent's node and its host name. */
  constructor(name: string, args: ClientArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Client", name, {}, opts);

    const socket = `${name}-socket`;
    const volume = new docker.Volume(
      socket,
      {
        name: physicalName(args.owner, socket),
        labels: labelList(args.owner, "client"),
        driver: "local",
        // In memory, and open to whatever user the engine makes of the containers': nobody else mounts it.
        driverOpts: { type: "tmpfs", device: "tmpfs", o: "size=1m,mode=1777" },
      },
      { parent: this, deleteBeforeReplace: true },
    );
    this.socketVolume = volume.name;
    this.container = new docker.Container(
      name,
      {
        ...agentContainer(name, args, {
          role: "client",
          config: clientConfig(args),
          health: ["client-health.sh"],
          run: ["client-run.sh"],
          stopTimeoutSeconds: 10,
          https: args.https,
          volumes: { [SOCKET_FOLDER]: { volumeName: volume.name, readOnly: false } },
        }),
        ports: args.publish === undefined ? [] : dockerPorts(args.publish, args.https),
      },
      containerOptions({ parent: this }),
    );

    this.registerOutputs({});
  }
}

/** In the order in which Docker returns them: another order shows as a replacement every time. */
function dockerPorts(
  { bindAddress, http, dns }: PublishedPorts,
  https: boolean,
): docker.types.input.ContainerPort[] {
  return [
    { internal: DNS_PORT, external: dns, ip: bindAddress, protocol: "tcp" },
    { internal: DNS_PORT, external: dns, ip: bindAddress, protocol: "udp" },
    { internal: apiPort(https), external: http, ip: bindAddress, protocol: "tcp" },
  ];
}

function clientConfig({ https }: ClientArgs): Record<string, unknown> {
  return {
    server: false,
    client_addr: "0.0.0.0",
    // Where there is HTTPS, plain HTTP stays for what runs in the container.
    addresses: { http: `${https ? "127.0.0.1" : "0.0.0.0"} unix://${SOCKET}` },
    // A client holds nothing: it leaves when it stops, so that no failed member stays behind.
    leave_on_terminate: true,
    ports: { dns: DNS_PORT, ...(https ? { https: apiPort(https) } : {}) },
    // Docker's resolver: it knows the containers that registrations name, and the world outside.
    recursors: ["127.0.0.11"],
    ui_config: { enabled: true },
  };
}
