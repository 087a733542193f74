import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Datacenter } from "./cluster";
import { containerArgs, containerOptions, type Owner } from "./container";

/** What one health monitor needs from the rest of the stack. */
export interface MonitorArgs {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** ID of the consul-esm image. */
  readonly imageId: pulumi.Input<string>;
  /** The datacenter whose checks it runs. */
  readonly datacenter: Datacenter;
  /** Number of the monitor, from 1: each works through another client agent, as far as there are enough. */
  readonly number: number;
  /** Memory limit in MiB. */
  readonly memoryMb: number;
  /** trace, debug, info, warn or error. */
  readonly logLevel: string;
}

const CONFIG_FILE = "/etc/consul-esm.json";
const SERVICE = "consul-esm";

/** A consul-esm: runs the checks of the catalog's external nodes. Of several, one works and the others stand by. */
export class Monitor extends pulumi.ComponentResource {
  /** `name` is also the instance of the service consul-esm that the monitor registers itself as. */
  constructor(name: string, args: MonitorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Monitor", name, {}, opts);

    // The monitor's own entry in Consul passes as long as its heartbeat arrives.
    const agents = args.datacenter.agentUrls;
    const agentUrl = agents[(args.number - 1) % agents.length] ?? "";
    const alive = `${agentUrl}/v1/agent/health/service/id/${SERVICE}:${name}`;
    new docker.Container(
      name,
      {
        ...containerArgs({
          owner: args.owner,
          role: "monitor",
          imageId: args.imageId,
          attachment: { networkId: args.datacenter.networkId, alias: name },
          memoryMb: args.memoryMb,
          user: "100:1000",
          healthTest: ["wget", "-q", "-O", "/dev/null", alive],
          healthIntervalSeconds: 2,
          readyTimeoutSeconds: 60,
          stopTimeoutSeconds: 10,
        }),
        command: [`-config-file=${CONFIG_FILE}`],
        uploads: [{ file: CONFIG_FILE, content: config(name, agentUrl, args.logLevel), permissions: "0444" }],
      },
      containerOptions({ parent: this, dependsOn: args.datacenter.ready }),
    );

    this.registerOutputs({});
  }
}

function config(name: string, agentUrl: string, logLevel: string): string {
  return JSON.stringify({
    log_level: logLevel.toUpperCase(),
    instance_id: name,
    consul_service: SERVICE,
    http_addr: agentUrl,
    // How often a node's own address is probed; the checks of its services have intervals of their own.
    node_probe_interval: "10s",
  });
}
