import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { containerArgs, type MountedVolume, type Owner } from "./container";
import type { Host } from "./host";

/** What a Consul agent of either kind needs from the rest of the stack. */
export interface AgentArgs {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** Consul datacenter. */
  readonly datacenter: string;
  /** Where it runs. */
  readonly host: Host;
  /** Fixed address in the network. */
  readonly address: string;
  /** ID of the network. */
  readonly networkId: pulumi.Input<string>;
  /** ID of the Consul image. */
  readonly imageId: pulumi.Input<string>;
  /** Memory limit in MiB. */
  readonly memoryMb: number;
  /** trace, debug, info, warn or error. */
  readonly logLevel: string;
  /** Volume with the agent's files: what servers there are, its keys and tokens. */
  readonly secretsVolume: pulumi.Input<string>;
  /** Whether there are keys and tokens: encryption, certificates, access control. */
  readonly secure: boolean;
  /** Seconds that the agent may take to become healthy. @default 120 */
  readonly readyTimeoutSeconds?: number;
}

/** What servers and clients differ in. */
export interface AgentSpec {
  readonly role: "server" | "client";
  /** Configuration beside what all agents share. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Name of the script in this folder that says whether the agent is healthy, and its arguments. */
  readonly health: readonly [script: string, ...args: string[]];
  /** Name of the script in this folder that the agent's command is handed to, and its arguments. */
  readonly run: readonly [script: string, ...args: string[]];
  /** Seconds between SIGTERM and SIGKILL. */
  readonly stopTimeoutSeconds: number;
  /** Whether it serves the API by HTTPS. @default false */
  readonly https?: boolean;
  /** Volumes beside the one with secrets. */
  readonly volumes?: Readonly<Record<string, MountedVolume>>;
}

/** User and group of the image hashicorp/consul. */
export const CONSUL_USER = "100:1000";

/** Where an agent finds its files. */
export const SECRETS_FOLDER = "/consul/secrets";

// The image's entry point writes CONSUL_LOCAL_CONFIG there: in memory, since everything else is read-only.
const CONFIG_FOLDER = "/consul/config";

/** Arguments of an agent's container. */
export function agentContainer(name: string, args: AgentArgs, spec: AgentSpec): docker.ContainerArgs {
  const [runScript, ...runArgs] = spec.run;
  return {
    ...containerArgs({
      owner: args.owner,
      role: spec.role,
      imageId: args.imageId,
      host: args.host.name,
      attachment: { networkId: args.networkId, alias: name, address: args.address },
      memoryMb: args.memoryMb,
      user: CONSUL_USER,
      healthTest: healthTest(...spec.health),
      readyTimeoutSeconds: args.readyTimeoutSeconds ?? 120,
      stopTimeoutSeconds: spec.stopTimeoutSeconds,
      scratch: { [CONFIG_FOLDER]: "size=1m,uid=100,gid=1000,mode=0700" },
      volumes: {
        ...spec.volumes,
        [SECRETS_FOLDER]: { volumeName: args.secretsVolume, readOnly: true },
      },
    }),
    entrypoints: shell(["agent-api.sh", "agent-secrets.sh", runScript], ...runArgs),
    command: ["agent", `-config-dir=${SECRETS_FOLDER}`],
    envs: [
      // The entry point must not try to change owners: it has no right to, and no need.
      "CONSUL_DISABLE_PERM_MGMT=true",
      `CONSUL_LOCAL_CONFIG=${JSON.stringify({
        ...sharedConfig(name, args),
        ...spec.config,
        ...(args.secure ? securityConfig(spec) : {}),
      })}`,
    ],
  };
}

/**
 * The files that tell an agent what servers there are. It reads them whenever it starts, so that no agent is replaced
 * when their number changes.
 */
export function memberFiles(nodeName: string, role: AgentSpec["role"], servers: readonly string[]) {
  const peers = servers.filter((server) => server !== nodeName);
  return {
    "members.json": JSON.stringify({
      retry_join: peers,
      ...(role === "server" ? { bootstrap_expect: servers.length } : {}),
    }),
    // For the health check, which reads one line; no file may be empty.
    ...(role === "server" ? { peers: `${peers.join(" ")}\n` } : {}),
  };
}

function sharedConfig(nodeName: string, args: AgentArgs): Record<string, unknown> {
  return {
    datacenter: args.datacenter,
    node_name: nodeName,
    bind_addr: args.address,
    // A server that starts before its peers asks for them again soon, and never gives up.
    retry_interval: "1s",
    log_level: args.logLevel,
    disable_update_check: true,
  };
}

/** The gossip key and the tokens are in files of their own, which Consul reads together with this. */
function securityConfig({ role, https }: AgentSpec): Record<string, unknown> {
  const pair = (name: string) => ({
    cert_file: `${SECRETS_FOLDER}/${name}.pem`,
    key_file: `${SECRETS_FOLDER}/${name}-key.pem`,
  });
  const isServer = role === "server";
  return {
    encrypt_verify_incoming: true,
    encrypt_verify_outgoing: true,
    acl: { enabled: true, default_policy: "deny", enable_token_persistence: true },
    tls: {
      defaults: { ca_file: `${SECRETS_FOLDER}/ca.pem`, verify_outgoing: true },
      internal_rpc: {
        verify_server_hostname: true,
        ...(isServer ? { verify_incoming: true, ...pair("server") } : {}),
      },
      ...(https === true ? { https: { verify_incoming: false, ...pair("api") } } : {}),
    },
    // A client asks the servers for its certificate, by its agent token, and for the next one before that expires.
    auto_encrypt: isServer ? { allow_tls: true } : { tls: true },
  };
}

/** The command that says whether an agent is healthy. */
export function healthTest(script: string, ...args: readonly string[]): string[] {
  return shell(["agent-api.sh", "agent-health.sh", script], ...args);
}

/** A command that runs scripts of this folder, one after the other in one shell, as the last of them. */
export function shell(scripts: readonly string[], ...args: readonly string[]): string[] {
  const texts = scripts.map((script) => readFileSync(join(__dirname, script), "utf8"));
  return ["sh", "-c", texts.join(""), scripts.at(-1) ?? "", ...args];
}
