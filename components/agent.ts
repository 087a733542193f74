/** What a Consul agent of either kind needs to know. */
export interface AgentConfig {
  /** Consul datacenter. */
  readonly datacenter: string;
  /** Name of the agent's node. */
  readonly nodeName: string;
  /** Address that the agent has in the network. */
  readonly address: string;
  /** Names of the servers, its own included. */
  readonly serverNames: readonly string[];
  /** trace, debug, info, warn or error. */
  readonly logLevel: string;
}

/** User and group of the image hashicorp/consul. */
export const CONSUL_USER = "100:1000";

/** Where the image's entry point looks for configuration. */
export const AGENT_CONFIG_FILE = "/consul/config/agent.json";

/** The image's entry point must not try to change owners: it has no right to, and no need. */
export const AGENT_ENVS = ["CONSUL_DISABLE_PERM_MGMT=true"];

/** The part of an agent's configuration that servers and clients share. */
export function agentConfig(config: AgentConfig): Record<string, unknown> {
  return {
    datacenter: config.datacenter,
    node_name: config.nodeName,
    bind_addr: config.address,
    client_addr: "0.0.0.0",
    retry_join: config.serverNames.filter((server) => server !== config.nodeName),
    // A server that starts before its peers asks for them again soon, and never gives up.
    retry_interval: "1s",
    log_level: config.logLevel,
    disable_update_check: true,
  };
}
