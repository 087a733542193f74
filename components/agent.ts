import type * as pulumi from "@pulumi/pulumi";
import type { Owner } from "./container";

/** What a Consul agent of either kind needs from the rest of the stack. */
export interface AgentArgs {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** Consul datacenter. */
  readonly datacenter: string;
  /** Names of all servers, in their order. */
  readonly serverNames: readonly string[];
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
  /** Seconds that the agent may take to become healthy. @default 120 */
  readonly readyTimeoutSeconds?: number;
}

/** User and group of the image hashicorp/consul. */
export const CONSUL_USER = "100:1000";

/** Where the image's entry point looks for configuration. */
export const AGENT_CONFIG_FILE = "/consul/config/agent.json";

/** The image's entry point must not try to change owners: it has no right to, and no need. */
export const AGENT_ENVS = ["CONSUL_DISABLE_PERM_MGMT=true"];

/** The part of an agent's configuration that servers and clients share. */
export function agentConfig(nodeName: string, args: AgentArgs): Record<string, unknown> {
  return {
    datacenter: args.datacenter,
    node_name: nodeName,
    bind_addr: args.address,
    client_addr: "0.0.0.0",
    retry_join: args.serverNames.filter((server) => server !== nodeName),
    // A server that starts before its peers asks for them again soon, and never gives up.
    retry_interval: "1s",
    log_level: args.logLevel,
    disable_update_check: true,
  };
}
