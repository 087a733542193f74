import * as pulumi from "@pulumi/pulumi";
import { CONSUL_USER } from "./agent";
import { JOIN_FILE, TOKENS_FILE, tokenConfig, type AgentSecrets, type Datacenter } from "./cluster";
import type { MountedVolume, Owner, Role } from "./container";
import { onHost, through, type Host } from "./host";
import { Identity } from "./identity";
import type { Platform } from "./platform";
import { dnsRules, monitorRules, serviceRules, snapshotRules, type Discovery } from "./policies";
import { SecretFiles, secretsVolume, type SecretFolder } from "./secret-files";

/** What access control needs from the rest of the stack. */
export interface AccessControlArgs {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** The hosts, each of which holds the credentials of whatever may run there. */
  readonly platform: Platform;
  /** ID of an image that the engine of a host has. */
  readonly imageIdOn: (host: Host) => pulumi.Input<string>;
  /** The datacenter that it guards. */
  readonly datacenter: Datacenter;
  /** Its agents, and where their tokens go. */
  readonly agentSecrets: AgentSecrets;
  /** The services, with what each of them looks up. */
  readonly services: readonly Discovery[];
  /** How snapshots are taken. @default none are, and nobody may */
  readonly snapshots?: object | undefined;
}

/** What a container shows to Consul, as files in a volume. */
export interface Credentials {
  /** Name of the volume, the same on each host, with the files `token`, `token.json` and, where the agents serve HTTPS, `ca.pem`. */
  readonly volumeName: pulumi.Output<string>;
  /** Public half of the token: changes when the token does. */
  readonly accessorId: pulumi.Output<string>;
  /** What carries the files, for what must find them there: one on each host. */
  readonly files: readonly SecretFiles[];
}

/** Where a container finds its credentials. */
export const CREDENTIALS_FOLDER = "/run/consul";

/** The volumes of a container that shows these; without access control, none. */
export function credentialVolumes(credentials: Credentials | undefined): Record<string, MountedVolume> {
  return credentials === undefined
    ? {}
    : { [CREDENTIALS_FOLDER]: { volumeName: credentials.volumeName, readOnly: true } };
}

/** What such a container depends on. */
export function credentialFiles(credentials: Credentials | undefined): SecretFiles[] {
  return [...(credentials?.files ?? [])];
}

/** User and group of a service: no one else's on the host, so that the limit of its processes is its own. */
export const SERVICE_USER = "10001:10001";

/** Tokens and policies: each agent, each service, the monitors and DNS may do what they have to, and nothing else. */
export class AccessControl extends pulumi.ComponentResource {
  /** Credentials of the health monitors. */
  public readonly monitor: Credentials;
  /** Credentials of each service, by its name. */
  public readonly services: ReadonlyMap<string, Credentials>;
  /** Credentials of what takes snapshots; undefined where nothing does. */
  public readonly snapshots: Credentials | undefined;

  constructor(name: string, args: AccessControlArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:AccessControl", name, {}, opts);
    const { owner, platform, datacenter, services, agentSecrets } = args;

    const identity = (identityName: string, grants: { rules: string } | { node: string }) =>
      new Identity(identityName, { datacenter, ...grants }, { parent: this });
    const dns = identity("dns", { rules: dnsRules(services) });
    const monitor = identity("monitor", { rules: monitorRules(services) });

    const agentFolders = agentSecrets.agents.map(({ name: member, role, volume, host }) => {
      const agent = identity(`agent-${member}`, { node: member });
      const tokens =
        role === "server" ? { agent: agent.secretId } : { agent: agent.secretId, dns: dns.secretId };
      const folder: SecretFolder = {
        volumeName: volume.name,
        reader: CONSUL_USER,
        files: {
          [TOKENS_FILE]: tokenConfig(tokens),
          // What a client joined with is over.
          ...(role === "server" ? {} : { [JOIN_FILE]: "{}" }),
        },
      };
      return { member, host, folder };
    });

    const holder = (holderName: string, role: Role, reader: string, identity: Identity) => ({
      name: holderName,
      reader,
      identity,
      volumes: new Map(
        platform.hosts.map((host) => [host, secretsVolume(this, owner, holderName, role, host).name]),
      ),
    });
    const monitors = holder("monitor", "monitor", CONSUL_USER, monitor);
    const holders = services.map((service) =>
      holder(
        service.name,
        "service",
        SERVICE_USER,
        identity(`service-${service.name}`, { rules: serviceRules(service) }),
      ),
    );

    const snapshots =
      args.snapshots === undefined
        ? undefined
        : holder("snapshots", "snapshots", CONSUL_USER, identity("snapshots", { rules: snapshotRules() }));

    const { caCertificate } = datacenter;
    const everyone = [monitors, ...holders, ...(snapshots === undefined ? [] : [snapshots])];
    const files = platform.hosts.map(
      (host) =>
        new SecretFiles(
          onHost("tokens", host),
          {
            owner,
            imageId: args.imageIdOn(host),
            folders: Object.fromEntries([
              ...agentFolders
                .filter((one) => one.host === host)
                .map(({ member, folder }): [string, SecretFolder] => [member, folder]),
              ...everyone.map(({ name, reader, identity: { secretId }, volumes }): [string, SecretFolder] => [
                name,
                {
                  volumeName: volumes.get(host) ?? "",
                  reader,
                  files: {
                    token: secretId,
                    "token.json": pulumi.jsonStringify({ token: secretId }),
                    ...(caCertificate === undefined ? {} : { "ca.pem": caCertificate }),
                  },
                },
              ]),
            ]),
            // The keys bring back what a client joined with.
            after: agentSecrets.filesOn(host).carrier.id,
          },
          { parent: this, ...through(host) },
        ),
    );

    const credentials = ({ identity, volumes }: typeof monitors): Credentials => ({
      volumeName: pulumi.output([...volumes.values()][0] ?? ""),
      accessorId: identity.accessorId,
      files,
    });
    this.monitor = credentials(monitors);
    this.services = new Map(holders.map((one) => [one.name, credentials(one)]));
    this.snapshots = snapshots === undefined ? undefined : credentials(snapshots);
    this.registerOutputs({});
  }
}
