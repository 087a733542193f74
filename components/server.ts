import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { agentContainer, type AgentArgs } from "./agent";
import { containerOptions, labelList, physicalName } from "./container";

/** What one server needs from the rest of the stack; as many servers as it names are expected before the first election. */
export type ServerArgs = AgentArgs;

/** A Consul server that keeps its data, its address and so its place among its peers when it is replaced. */
export class Server extends pulumi.ComponentResource {
  /** The server's volume, which carries a copy of all that the datacenter stores. */
  public readonly volume: docker.Volume;

  /** `name` is also the name of the server's node and its host name. */
  constructor(name: string, args: ServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Server", name, {}, opts);
    const { owner, serverNames } = args;

    this.volume = new docker.Volume(
      name,
      { name: physicalName(owner, `${name}-data`), labels: labelList(owner, "server") },
      { parent: this, deleteBeforeReplace: true },
    );

    new docker.Container(
      name,
      agentContainer(name, args, {
        role: "server",
        config: serverConfig(args),
        health: ["server-health.sh", name, ...serverNames.filter((server) => server !== name)],
        stopTimeoutSeconds: 15,
        volumes: { "/consul/data": { volumeName: this.volume.name, readOnly: false } },
      }),
      containerOptions({ parent: this }),
    );

    this.registerOutputs({});
  }
}

function serverConfig({ serverNames }: ServerArgs): Record<string, unknown> {
  return {
    server: true,
    bootstrap_expect: serverNames.length,
    // The API is for the health check alone: everybody else asks a client agent.
    client_addr: "127.0.0.1",
    ports: { dns: -1, grpc_tls: -1, serf_wan: -1 },
    // A stopped server is to come back, not to leave: all leave at once when their host stops.
    leave_on_terminate: false,
    ui_config: { enabled: false },
  };
}
