import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import { parseSubnet, reachableAt, type Subnet } from "./addresses";
import { Client, HTTP_PORT } from "./client";
import type { Owner } from "./container";
import { Network } from "./network";
import { Server } from "./server";

/** What a datacenter needs from the rest of the stack. */
export interface ClusterArgs {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** Consul datacenter. */
  readonly datacenter: string;
  /** Raft voters: 1, 3 or 5; an even number costs a container and tolerates no more failures. */
  readonly servers: number;
  /** Client agents, at least one. */
  readonly clients: number;
  /** The network's own addresses, as `10.87.0.0/24`. */
  readonly subnet: string;
  /** ID of the Consul image. */
  readonly imageId: pulumi.Input<string>;
  /** Address of the host that published ports listen on. */
  readonly bindAddress: string;
  /** Port of the HTTP API and the UI on the host. */
  readonly httpPort: number;
  /** Port of DNS on the host, UDP and TCP. */
  readonly dnsPort: number;
  /** Memory limit of a server in MiB. */
  readonly serverMemoryMb: number;
  /** Memory limit of a client in MiB. */
  readonly clientMemoryMb: number;
  /** trace, debug, info, warn or error. */
  readonly logLevel: string;
}

/** A member of the datacenter. */
export interface Member {
  /** Name of its node, container alias and host name. */
  readonly name: string;
  /** What it is. */
  readonly role: "server" | "client";
  /** Its fixed address in the network. */
  readonly address: string;
}

/** What monitors and services need of the datacenter that they belong to. */
export interface Datacenter {
  /** ID of the network. */
  readonly networkId: pulumi.Output<string>;
  /** Base URLs of the HTTP API in the network, one a client agent. */
  readonly agentUrls: readonly string[];
  /** Addresses of Consul's DNS in the network, one a client agent. */
  readonly dnsServers: readonly string[];
  /** Talks to the datacenter. */
  readonly provider: consul.Provider;
  /** Carries the registrations: they end with it. */
  readonly store: pulumi.Resource;
  /** The client agents, to depend on by whatever needs the HTTP API or DNS. */
  readonly ready: pulumi.Resource[];
}

/** A Consul datacenter on one engine: its network, servers and client agents. */
export class Cluster extends pulumi.ComponentResource implements Datacenter {
  /** All agents, servers first. */
  public readonly members: pulumi.Output<Member[]>;
  /** Base URL of the HTTP API on the host. */
  public readonly httpApiUrl: pulumi.Output<string>;
  /** `ADDRESS:PORT` of DNS on the host. */
  public readonly dnsAddress: pulumi.Output<string>;
  public readonly networkId: pulumi.Output<string>;
  public readonly agentUrls: readonly string[];
  public readonly dnsServers: readonly string[];
  public readonly provider: consul.Provider;
  public readonly store: pulumi.Resource;
  public readonly ready: pulumi.Resource[];

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Cluster", name, {}, opts);
    if (![1, 3, 5].includes(args.servers)) {
      throw new pulumi.ResourceError(`servers must be 1, 3 or 5, got ${args.servers}`, this, true);
    }
    if (args.clients < 1) {
      throw new pulumi.ResourceError(`clients must be at least 1, got ${args.clients}`, this, true);
    }
    const subnet = parseSubnet(args.subnet);
    if (subnet === undefined) {
      throw new pulumi.ResourceError(
        `subnet must be a private IPv4 network of 64 to 65536 addresses, got ${args.subnet}`,
        this,
        true,
      );
    }
    const members = plan(args, subnet);
    const planned = (role: Member["role"]) => members.filter((member) => member.role === role);
    const serverNames = planned("server").map((member) => member.name);

    const network = new Network(name, { owner: args.owner, subnet }, { parent: this });
    const common = { ...args, serverNames, networkId: network.networkId };

    // One after the other, each healthy before the next: a change then never takes two servers at a time.
    const servers: Server[] = [];
    for (const { name: server, address } of planned("server")) {
      servers.push(
        new Server(
          server,
          { ...common, address, memoryMb: args.serverMemoryMb },
          { parent: this, dependsOn: servers.slice(-1) },
        ),
      );
    }

    // The first client alone, then the others: a change never takes all of them at a time.
    const clients: Client[] = [];
    for (const { name: client, address } of planned("client")) {
      clients.push(
        new Client(
          client,
          {
            ...common,
            address,
            memoryMb: args.clientMemoryMb,
            ...(clients.length === 0
              ? { publish: { bindAddress: args.bindAddress, http: args.httpPort, dns: args.dnsPort } }
              : {}),
          },
          { parent: this, dependsOn: clients.length === 0 ? servers.slice(-1) : clients.slice(0, 1) },
        ),
      );
    }

    const [first] = servers as [Server];
    const host = reachableAt(args.bindAddress);
    this.ready = clients;
    this.store = first.volume;
    this.networkId = network.networkId;
    this.agentUrls = planned("client").map((client) => `http://${client.name}:${HTTP_PORT}`);
    this.dnsServers = planned("client").map((client) => client.address);
    // Plain values, known at preview: an unknown address would make every registration unknown.
    this.provider = new consul.Provider(
      name,
      { address: `${host}:${args.httpPort}`, scheme: "http", datacenter: args.datacenter },
      { parent: this },
    );
    this.members = pulumi.output(members);
    this.httpApiUrl = pulumi.output(`http://${host}:${args.httpPort}`);
    this.dnsAddress = pulumi.output(`${host}:${args.dnsPort}`);
    this.registerOutputs({ members: this.members, httpApiUrl: this.httpApiUrl, dnsAddress: this.dnsAddress });
  }
}

function plan({ servers, clients }: ClusterArgs, subnet: Subnet): Member[] {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  return [
    ...numbers(servers).map((number): Member => ({
      name: `server-${number}`,
      role: "server",
      address: subnet.serverAddress(number),
    })),
    ...numbers(clients).map((number): Member => ({
      name: `client-${number}`,
      role: "client",
      address: subnet.clientAddress(number),
    })),
  ];
}
