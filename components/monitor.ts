import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { CREDENTIALS_FOLDER, type Credentials, credentialFiles, credentialVolumes } from "./access-control";
import { CONSUL_USER, shell } from "./agent";
import { SOCKET, SOCKET_FOLDER } from "./client";
import type { Datacenter, LocalAgent } from "./cluster";
import { containerArgs, containerOptions, labelList, type Owner } from "./container";
import { hostLabel, type Host } from "./host";
import { MONITOR_SERVICE, monitorId } from "./monitor-entry";

/** How often a check has to come out otherwise before its status changes. */
export interface Thresholds {
  /** Runs in a row beside the first that have to pass before a check counts as passing. */
  readonly passingThreshold: number;
  /** Runs in a row beside the first that have to fail before a check counts as critical. */
  readonly criticalThreshold: number;
}

/** What one health monitor needs from the rest of the stack. */
export interface MonitorArgs extends Thresholds {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** ID of the consul-esm image. */
  readonly imageId: pulumi.Input<string>;
  /** Where it runs; a client agent must be there. */
  readonly host: Host;
  /** The datacenter whose checks it runs. */
  readonly datacenter: Datacenter;
  /** What it shows to Consul. @default nothing: there is no access control */
  readonly credentials?: Credentials | undefined;
  /** Number of the monitor, from 1: each works through another client agent, as far as there are enough. */
  readonly number: number;
  /** Memory limit in MiB. */
  readonly memoryMb: number;
  /** trace, debug, info, warn or error. */
  readonly logLevel: string;
}

/** A consul-esm: the monitors divide the catalog's external nodes among themselves, and run their checks. */
export class Monitor extends pulumi.ComponentResource {
  /** `name` is also the instance of the service consul-esm that the monitor registers itself as. */
  constructor(name: string, args: MonitorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Monitor", name, {}, opts);

    const { datacenter, credentials, host } = args;
    const agents = datacenter.localAgents.filter((agent) => agent.host === host);
    const agent = agents[(args.number - 1) % agents.length];
    if (agent === undefined) {
      throw new pulumi.ResourceError(
        `${name} must have a client agent on its host, there is none`,
        this,
        true,
      );
    }
    const container = containerArgs({
      owner: args.owner,
      role: "monitor",
      imageId: args.imageId,
      host: host.name,
      attachment: { networkId: datacenter.networkId, alias: name },
      memoryMb: args.memoryMb,
      user: CONSUL_USER,
      healthTest: shell(["agent-api.sh", "monitor-health.sh"], monitorId(name)),
      readyTimeoutSeconds: 60,
      stopTimeoutSeconds: 10,
      volumes: {
        ...credentialVolumes(credentials),
        [SOCKET_FOLDER]: { volumeName: agent.socketVolume, readOnly: true },
      },
    });
    new docker.Container(
      name,
      {
        ...container,
        command: shell(
          ["agent-api.sh", "monitor-run.sh"],
          monitorId(name),
          soleNode(agent, datacenter),
          ...(credentials === undefined ? [] : [`-config-file=${CREDENTIALS_FOLDER}/token.json`]),
        ),
        // It reads its token at its start only: another one is another container.
        labels: labelList(args.owner, "monitor", {
          ...hostLabel(host.name),
          ...(credentials === undefined ? {} : { "consul-docker.accessor": credentials.accessorId }),
        }),
        envs: [`CONFIG=${config(name, args)}`],
      },
      containerOptions({
        parent: this,
        dependsOn: [...datacenter.ready, ...credentialFiles(credentials)],
      }),
    );

    this.registerOutputs({});
  }
}

/** Name of the agent's node where the sessions on that are the monitor's alone: of two agents, each has one monitor. */
function soleNode({ name }: LocalAgent, { localAgents }: Datacenter): string {
  // The provider takes no empty argument.
  return localAgents.length > 1 ? name : "-";
}

function config(name: string, { logLevel, passingThreshold, criticalThreshold }: MonitorArgs): string {
  return JSON.stringify({
    log_level: logLevel.toUpperCase(),
    instance_id: name,
    consul_service: MONITOR_SERVICE,
    http_addr: `unix://${SOCKET}`,
    passing_threshold: passingThreshold,
    critical_threshold: criticalThreshold,
  });
}
