import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { AGENT_CONFIG_FILE, AGENT_ENVS, agentConfig, CONSUL_USER, type AgentArgs } from "./agent";
import { containerArgs, containerOptions, labelList, physicalName } from "./container";

/** What one server needs from the rest of the stack; as many servers as it names are expected before the first election. */
export type ServerArgs = AgentArgs;

const HEALTH_SCRIPT = "/consul/config/server-health.sh";

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
      {
        ...containerArgs({
          owner,
          role: "server",
          imageId: args.imageId,
          attachment: { networkId: args.networkId, alias: name, address: args.address },
          memoryMb: args.memoryMb,
          user: CONSUL_USER,
          healthTest: ["sh", HEALTH_SCRIPT, name, ...serverNames.filter((server) => server !== name)],
          healthIntervalSeconds: 2,
          readyTimeoutSeconds: args.readyTimeoutSeconds ?? 120,
          stopTimeoutSeconds: 15,
        }),
        command: ["agent"],
        envs: AGENT_ENVS,
        volumes: [{ volumeName: this.volume.name, containerPath: "/consul/data" }],
        uploads: [
          { file: AGENT_CONFIG_FILE, content: serverConfig(name, args), permissions: "0444" },
          {
            file: HEALTH_SCRIPT,
            content: readFileSync(join(__dirname, "server-health.sh"), "utf8"),
            permissions: "0444",
          },
        ],
      },
      containerOptions({ parent: this }),
    );

    this.registerOutputs({});
  }
}

function serverConfig(name: string, args: ServerArgs): string {
  return JSON.stringify({
    ...agentConfig(name, args),
    server: true,
    bootstrap_expect: args.serverNames.length,
    // A stopped server is to come back, not to leave: all leave at once when their host stops.
    leave_on_terminate: false,
    ui_config: { enabled: false },
  });
}
