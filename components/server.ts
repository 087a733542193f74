import { createHash } from "node:crypto";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { agentContainer, type AgentArgs } from "./agent";
import { containerOptions, labelList, physicalName } from "./container";
import { hostLabel, onHost } from "./host";

/** What one server needs from the rest of the stack. */
export interface ServerArgs extends AgentArgs {
  /** Tag of the Consul image. */
  readonly consulVersion: string;
  /**
   * Resolves when this server may be replaced by one with this fingerprint of all its arguments; rejects where that
   * would do harm.
   */
  readonly mayReplace: (fingerprint: string) => Promise<void>;
}

/** The label that says which version a server is of. */
export const VERSION_LABEL = "consul-docker.version";

/** The label that tells a server from one with other arguments. */
export const FINGERPRINT_LABEL = "consul-docker.fingerprint";

// Handing over takes up to 2 s, leaving for good up to 12 s.
const STOP_TIMEOUT_SECONDS = 30;

const SERVER_CONFIG = {
  server: true,
  // The API is for what runs in the container: everybody else asks a client agent.
  client_addr: "127.0.0.1",
  ports: { dns: -1, grpc_tls: -1, serf_wan: -1 },
  // A stopped server is to come back, not to leave: all leave at once when their host stops.
  leave_on_terminate: false,
  // A lost leader is missed after 2 to 4 s, not 5 to 10 as by default; a busy host would not bear 1.
  performance: { raft_multiplier: 2 },
  // A server that failed keeps its place until it is back, unless three others do without it.
  autopilot: { cleanup_dead_servers: true, min_quorum: 3 },
  ui_config: { enabled: false },
};

/** The script that says whether the server of this name is healthy, and its arguments. */
export function serverHealth(name: string): [script: string, ...args: string[]] {
  return ["server-health.sh", name];
}

/** A Consul server that keeps its data, its address and so its place among its peers when it is replaced. */
export class Server extends pulumi.ComponentResource {
  /** The server's volume, which carries a copy of all that the datacenter stores. */
  public readonly volume: docker.Volume;
  /** The server's container, for what must wait for it. */
  public readonly container: docker.Container;

  /** `name` is also the name of the server's node and its host name. */
  constructor(name: string, args: ServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Server", name, {}, opts);
    const { owner, address, host } = args;

    this.volume = new docker.Volume(
      // On another host it is another volume, so that the old one goes last, after its container.
      onHost(name, host),
      { name: physicalName(owner, `${name}-data`), labels: labelList(owner, "server") },
      { parent: this, deleteBeforeReplace: true },
    );

    const container = agentContainer(name, args, {
      role: "server",
      config: SERVER_CONFIG,
      health: serverHealth(name),
      run: ["server-run.sh", name, address],
      stopTimeoutSeconds: STOP_TIMEOUT_SECONDS,
      volumes: { "/consul/data": { volumeName: this.volume.name, readOnly: false } },
    });
    // The provider is told only when the change may begin. A hook of Pulumi's would come too late, since the old
    // container goes first, or make a bare `pulumi destroy` refuse (https://github.com/pulumi/pulumi/issues/19933).
    const fingerprint = pulumi.output(container).apply(async (inputs) => {
      const hash = createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
      if (!pulumi.runtime.isDryRun()) await args.mayReplace(hash);
      return hash;
    });
    this.container = new docker.Container(
      name,
      {
        ...container,
        labels: labelList(owner, "server", {
          ...hostLabel(host.name),
          [FINGERPRINT_LABEL]: fingerprint,
          [VERSION_LABEL]: args.consulVersion,
        }),
      },
      containerOptions({ parent: this }),
    );

    this.registerOutputs({});
  }
}
