import * as consul from "@pulumi/consul";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { parseSubnet, reachableAt, type Subnet } from "./addresses";
import { CONSUL_USER, memberFiles } from "./agent";
import { apiPort, Client } from "./client";
import type { InTurn, Owner } from "./container";
import { created } from "./created";
import { onHost, through, type Host } from "./host";
import type { KeyMaterial } from "./key-material";
import type { Platform } from "./platform";
import { SecretFiles, secretsVolume, type SecretFolder } from "./secret-files";
import { Network } from "./network";
import { Server } from "./server";

/** Files of an agent's configuration, of which Consul lets the later override the former. */
export const JOIN_FILE = "join.json";
export const TOKENS_FILE = "tokens.json";

/** The configuration that gives an agent its tokens. */
export function tokenConfig(tokens: Readonly<Record<string, pulumi.Input<string>>>): pulumi.Output<string> {
  return pulumi.jsonStringify({ acl: { tokens } });
}

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
  /** The hosts. */
  readonly platform: Platform;
  /** ID of the Consul image on a host. */
  readonly imageIdOn: (host: Host) => pulumi.Input<string>;
  /** Tag of the Consul image. */
  readonly consulVersion: string;
  /** Whom a container waits for before it is changed. */
  readonly inTurn: InTurn;
  /** Servers that exist, in the order in which a change is to replace them; those that do not come first. */
  readonly rollOrder: readonly string[];
  /** Resolves when the server may be replaced by one with this fingerprint; rejects where that would do harm. */
  readonly mayReplace: (server: string, fingerprint: string) => Promise<void>;
  /** What encryption, certificates and access control are built on. @default none of these */
  readonly keys?: KeyMaterial | undefined;
  /** Serves the API and the UI by HTTPS alone; needs `keys`. */
  readonly https: boolean;
  /** Port of the HTTP API and the UI on each host. */
  readonly httpPort: number;
  /** Port of DNS on each host, UDP and TCP. */
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

/** A client agent, as containers on its host reach it. */
export interface LocalAgent {
  /** Name of its node. */
  readonly name: string;
  /** Its host. */
  readonly host: Host;
  /** Name of the volume with the socket of its API. */
  readonly socketVolume: pulumi.Input<string>;
}

/** What monitors and services need of the datacenter that they belong to. */
export interface Datacenter {
  /** Its name. */
  readonly datacenter: string;
  /** Certificate of the authority that the agents' HTTPS is verified by, in PEM; undefined where they serve HTTP. */
  readonly caCertificate: pulumi.Output<string> | undefined;
  /** ID of the network. */
  readonly networkId: pulumi.Output<string>;
  /** Base URLs of the HTTP API in the network, one a client agent. */
  readonly agentUrls: readonly string[];
  /** The client agents, as containers on their hosts reach them. */
  readonly localAgents: readonly LocalAgent[];
  /** Addresses of Consul's DNS in the network, one a client agent. */
  readonly dnsServers: readonly string[];
  /** Talks to the datacenter. */
  readonly provider: consul.Provider;
  /** Carries the registrations: they end with it. */
  readonly store: pulumi.Resource;
  /** The client agents, to depend on by whatever needs the HTTP API or DNS. */
  readonly ready: pulumi.Resource[];
}

/** A member and its host. */
type PlacedMember = Member & { readonly host: Host };

/** An agent and the volume with its files. */
export type SecretHolder = PlacedMember & { readonly volume: docker.Volume };

/** The volumes with the agents' files, to which their tokens are added. */
export interface AgentSecrets {
  /** All agents, each with its volume. */
  readonly agents: readonly SecretHolder[];
  /** What carries the files on a host. */
  readonly filesOn: (host: Host) => SecretFiles;
}

/** A Consul datacenter: its network, servers and client agents. */
export class Cluster extends pulumi.ComponentResource implements Datacenter {
  /** All agents, servers first. */
  public readonly members: pulumi.Output<Member[]>;
  /** Base URL of the HTTP API on the host, the first of several. */
  public readonly httpApiUrl: pulumi.Output<string>;
  /** `ADDRESS:PORT` of DNS on the host, the first of several. */
  public readonly dnsAddress: pulumi.Output<string>;
  /** Where the tokens of the agents go, by the agents' names; undefined without access control. */
  public readonly agentSecrets: AgentSecrets | undefined;
  public readonly datacenter: string;
  public readonly caCertificate: pulumi.Output<string> | undefined;
  public readonly networkId: pulumi.Output<string>;
  public readonly agentUrls: readonly string[];
  public readonly localAgents: readonly LocalAgent[];
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

    const { keys, https, platform } = args;
    const network = new Network(
      name,
      { owner: args.owner, driver: platform.networkDriver, subnet },
      { parent: this, ...through(platform) },
    );
    const { agents, filesOn } = this.#agentSecrets(args, members);
    const agent = ({ address, host, volume }: SecretHolder) => ({
      ...args,
      host,
      imageId: args.imageIdOn(host),
      networkId: network.networkId,
      address,
      secretsVolume: volume.name,
      secure: keys !== undefined,
    });
    const holders = (role: Member["role"]) => agents.filter((one) => one.role === role);

    // One after the other, each healthy before the next: a change then never takes two servers at a time.
    // New ones start together, as nobody counts on them yet.
    const servers = new Map<string, Server>();
    for (const holder of inOrder(holders("server"), args.rollOrder)) {
      const { name: server } = holder;
      const before = args.inTurn(server, [...servers.values()]);
      servers.set(
        server,
        new Server(
          server,
          {
            ...agent(holder),
            memoryMb: args.serverMemoryMb,
            mayReplace: async (fingerprint) => {
              await Promise.all(before.map(({ container }) => created(container)));
              await args.mayReplace(server, fingerprint);
            },
          },
          { parent: this, dependsOn: [filesOn(holder.host), ...before], ...through(holder.host) },
        ),
      );
    }

    // After the servers the first client alone, then the others: a change never takes all of them at a time. New ones
    // wait for nobody, and are healthy when the servers have elected a leader.
    const clients: Client[] = [];
    const localAgents: LocalAgent[] = [];
    const published = new Set<Host>();
    for (const client of holders("client")) {
      const { host } = client;
      const agentOnHost = new Client(
        client.name,
        {
          ...agent(client),
          memoryMb: args.clientMemoryMb,
          ...(published.has(host)
            ? {}
            : { publish: { bindAddress: host.address, http: args.httpPort, dns: args.dnsPort } }),
        },
        {
          parent: this,
          dependsOn: [
            filesOn(host),
            ...args.inTurn<pulumi.Resource>(client.name, [...servers.values(), ...clients.slice(0, 1)]),
          ],
          ...through(host),
        },
      );
      clients.push(agentOnHost);
      localAgents.push({ name: client.name, host, socketVolume: agentOnHost.socketVolume });
      published.add(host);
    }
    this.localAgents = localAgents;

    const [first] = serverNames.map((server) => servers.get(server)) as [Server];
    const [firstClient] = planned("client") as [PlacedMember];
    const host = reachableAt(firstClient.host.address);
    this.ready = clients;
    this.store = first.volume;
    this.networkId = network.networkId;
    this.datacenter = args.datacenter;
    this.agentSecrets = keys === undefined ? undefined : { agents, filesOn };
    this.caCertificate = https ? keys?.caCertificate : undefined;
    const scheme = https ? "https" : "http";
    this.agentUrls = planned("client").map((client) => `${scheme}://${client.name}:${apiPort(https)}`);
    this.dnsServers = planned("client").map((client) => client.address);
    // Plain values, known at preview: an unknown address would make every registration unknown.
    this.provider = new consul.Provider(
      name,
      {
        address: `${host}:${args.httpPort}`,
        scheme,
        datacenter: args.datacenter,
        ...(keys === undefined ? {} : { token: keys.managementToken }),
        ...(this.caCertificate === undefined ? {} : { caPem: this.caCertificate }),
      },
      { parent: this },
    );
    // Read by a server that is told to stop. Pulumi removes containers at the end of an update, after this is written.
    new consul.Keys(
      "servers",
      { keys: [{ path: "consul-docker/servers", value: serverNames.join(" "), delete: true }] },
      { parent: this, provider: this.provider, dependsOn: clients, deletedWith: this.store },
    );
    this.members = pulumi.output(members.map(({ name, role, address }) => ({ name, role, address })));
    this.httpApiUrl = pulumi.output(`${scheme}://${host}:${args.httpPort}`);
    this.dnsAddress = pulumi.output(`${host}:${args.dnsPort}`);
    this.registerOutputs({ members: this.members, httpApiUrl: this.httpApiUrl, dnsAddress: this.dnsAddress });
  }

  #agentSecrets(args: ClusterArgs, members: readonly PlacedMember[]): AgentSecrets {
    const { owner, platform, keys } = args;
    const servers = members.filter(({ role }) => role === "server").map(({ name }) => name);
    const agents = members.map((member) => ({
      ...member,
      volume: secretsVolume(this, owner, member.name, member.role, member.host),
    }));
    const folder = ({ name, role, volume }: SecretHolder): [string, SecretFolder] => [
      name,
      {
        volumeName: volume.name,
        reader: CONSUL_USER,
        files: {
          ...memberFiles(name, role, servers),
          ...(keys === undefined ? {} : role === "server" ? serverKeys(keys) : clientKeys(keys, args.https)),
        },
      },
    ];
    const files = platform.hosts.map((host) => ({
      host,
      files: new SecretFiles(
        onHost("keys", host),
        {
          owner,
          imageId: args.imageIdOn(host),
          folders: Object.fromEntries(agents.filter((agent) => agent.host === host).map(folder)),
        },
        { parent: this, ...through(host) },
      ),
    }));
    const filesOn = (host: Host) => {
      const [found] = files.flatMap((one) => (one.host === host ? [one.files] : [])) as [SecretFiles];
      return found;
    };
    return { agents, filesOn };
  }
}

function serverKeys(keys: KeyMaterial): SecretFolder["files"] {
  return {
    ...commonKeys(keys),
    "server.pem": keys.server.certificate,
    "server-key.pem": keys.server.key,
    // For the health check, which must see the peers before there is a leader to ask about tokens,
    "recovery-token": keys.recoveryToken,
    "recovery.json": tokenConfig({ agent_recovery: keys.recoveryToken }),
    // and the state of autopilot afterwards.
    "management-token": keys.managementToken,
  };
}

/**
 * A client needs a token to be given a certificate, and no token can be made before there is a client to make it
 * through. So it joins with the management token, until its own is there: `tokens.json` overrides `join.json`.
 */
function clientKeys(keys: KeyMaterial, https: boolean): SecretFolder["files"] {
  return {
    ...commonKeys(keys),
    [JOIN_FILE]: tokenConfig({ agent: keys.managementToken }),
    ...(https ? { "api.pem": keys.api.certificate, "api-key.pem": keys.api.key } : {}),
  };
}

function commonKeys(keys: KeyMaterial): SecretFolder["files"] {
  return {
    "ca.pem": keys.caCertificate,
    "gossip.json": keys.gossipKey.apply((encrypt) => JSON.stringify({ encrypt })),
  };
}

/** Those that `order` does not name, which may be missed, then the others in its order. */
function inOrder(servers: readonly SecretHolder[], order: readonly string[]): SecretHolder[] {
  return [...servers].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function plan({ servers, clients, platform }: ClusterArgs, subnet: Subnet): PlacedMember[] {
  return [
    ...platform.place(servers).map((host, index): PlacedMember => ({
      name: `server-${index + 1}`,
      role: "server",
      address: subnet.serverAddress(index + 1),
      host,
    })),
    ...platform.place(clients).map((host, index): PlacedMember => ({
      name: `client-${index + 1}`,
      role: "client",
      address: subnet.clientAddress(index + 1),
      host,
    })),
  ];
}
