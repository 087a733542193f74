import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { AGENT_CONFIG_FILE, AGENT_ENVS, agentConfig, CONSUL_USER, type AgentArgs } from "./agent";
import { containerArgs, containerOptions } from "./container";

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
  /** Ports on the host. @default none: the agent is reached from inside the network only */
  readonly publish?: PublishedPorts;
}

/** Port of the HTTP API in the network. */
export const HTTP_PORT = 8500;
const DNS_PORT = 53;

/** A Consul client agent: HTTP API, UI and DNS for the network and, where it publishes them, for the host. */
export class Client extends pulumi.ComponentResource {
  /** The agent's container, for what must wait for it. */
  public readonly container: docker.Container;

  /** `name` is also the name of the agent's node and its host name. */
  constructor(name: string, args: ClientArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Client", name, {}, opts);

    this.container = new docker.Container(
      name,
      {
        ...containerArgs({
          owner: args.owner,
          role: "client",
          imageId: args.imageId,
          attachment: { networkId: args.networkId, alias: name, address: args.address },
          memoryMb: args.memoryMb,
          user: CONSUL_USER,
          healthTest: ["sh", "-c", `wget -q -O - http://127.0.0.1:${HTTP_PORT}/v1/status/leader | grep -q :`],
          healthIntervalSeconds: 2,
          readyTimeoutSeconds: args.readyTimeoutSeconds ?? 120,
          stopTimeoutSeconds: 10,
        }),
        command: ["agent"],
        envs: AGENT_ENVS,
        ports: args.publish === undefined ? [] : dockerPorts(args.publish),
        uploads: [{ file: AGENT_CONFIG_FILE, content: clientConfig(name, args), permissions: "0444" }],
      },
      containerOptions({ parent: this }),
    );

    this.registerOutputs({});
  }
}

/** In the order in which Docker returns them: another order shows as a replacement every time. */
function dockerPorts({ bindAddress, http, dns }: PublishedPorts): docker.types.input.ContainerPort[] {
  return [
    { internal: DNS_PORT, external: dns, ip: bindAddress, protocol: "tcp" },
    { internal: DNS_PORT, external: dns, ip: bindAddress, protocol: "udp" },
    { internal: HTTP_PORT, external: http, ip: bindAddress, protocol: "tcp" },
  ];
}

function clientConfig(name: string, args: ClientArgs): string {
  return JSON.stringify({
    ...agentConfig(name, args),
    server: false,
    // A client holds nothing: it leaves when it stops, so that no failed member stays behind.
    leave_on_terminate: true,
    ports: { dns: DNS_PORT },
    // Docker's resolver: it knows the containers that registrations name, and the world outside.
    recursors: ["127.0.0.11"],
    ui_config: { enabled: true },
  });
}
