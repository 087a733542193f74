import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { CREDENTIALS_FOLDER, type Credentials, credentialFiles, credentialVolumes } from "./access-control";
import { CONSUL_USER } from "./agent";
import type { Datacenter } from "./cluster";
import { containerArgs, containerOptions, labelList, type Owner } from "./container";
import { hostLabel, type Host } from "./host";

/** What one health monitor needs from the rest of the stack. */
export interface MonitorArgs {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** ID of the consul-esm image. */
  readonly imageId: pulumi.Input<string>;
  /** Where it runs. */
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

// In memory; the rest of the container is read-only.
const CONFIG_FILE = "/tmp/consul-esm.json";
const SERVICE = "consul-esm";

/** A consul-esm: runs the checks of the catalog's external nodes. Of several, one works and the others stand by. */
export class Monitor extends pulumi.ComponentResource {
  /** `name` is also the instance of the service consul-esm that the monitor registers itself as. */
  constructor(name: string, args: MonitorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Monitor", name, {}, opts);

    const { datacenter, credentials } = args;
    const agents = datacenter.agentUrls;
    const agentUrl = new URL(agents[(args.number - 1) % agents.length] ?? "");
    const container = containerArgs({
      owner: args.owner,
      role: "monitor",
      imageId: args.imageId,
      host: args.host.name,
      attachment: { networkId: datacenter.networkId, alias: name },
      memoryMb: args.memoryMb,
      user: CONSUL_USER,
      healthTest: healthTest(name, agentUrl),
      healthIntervalSeconds: 2,
      readyTimeoutSeconds: 60,
      stopTimeoutSeconds: 10,
      volumes: credentialVolumes(credentials),
    });
    const configFiles = [
      CONFIG_FILE,
      ...(credentials === undefined ? [] : [`${CREDENTIALS_FOLDER}/token.json`]),
    ];
    new docker.Container(
      name,
      {
        ...container,
        command: [
          "sh",
          "-c",
          `printf %s "$CONFIG" >${CONFIG_FILE} && exec consul-esm ${configFiles.map((file) => `-config-file=${file}`).join(" ")}`,
        ],
        // It reads its token at its start only: another one is another container.
        labels: labelList(args.owner, "monitor", {
          ...hostLabel(args.host.name),
          ...(credentials === undefined ? {} : { "consul-docker.accessor": credentials.accessorId }),
        }),
        envs: [`CONFIG=${config(name, agentUrl, args)}`],
      },
      containerOptions({
        parent: this,
        dependsOn: [...datacenter.ready, ...credentialFiles(credentials)],
      }),
    );

    this.registerOutputs({});
  }
}

function config(name: string, agentUrl: URL, { logLevel, datacenter, credentials }: MonitorArgs): string {
  return JSON.stringify({
    log_level: logLevel.toUpperCase(),
    instance_id: name,
    consul_service: SERVICE,
    http_addr: agentUrl.origin,
    ...(credentials === undefined || datacenter.caCertificate === undefined
      ? {}
      : { ca_file: `${CREDENTIALS_FOLDER}/ca.pem` }),
  });
}

/**
 * The monitor's own entry in Consul passes as long as its heartbeat arrives. Its image has nothing that speaks TLS, so
 * where the agents do, the connection to the agent must do.
 */
function healthTest(name: string, { protocol, hostname, port }: URL): string[] {
  const alive = `GET /v1/agent/health/service/id/${SERVICE}:${name} HTTP/1.0\\r\\nX-Consul-Token: %s\\r\\n\\r\\n`;
  return [
    "sh",
    "-c",
    protocol === "https:"
      ? `netstat -tn | grep -q ':${port} *ESTABLISHED'`
      : // In an argument of wget, the token would be in the host's list of processes.
        `printf '${alive}' "$(cat ${CREDENTIALS_FOLDER}/token 2>/dev/null)" | nc ${hostname} ${port} | grep -q '^HTTP/1.[01] 200'`,
  ];
}
