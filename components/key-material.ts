import { createHash, randomBytes, randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { MAX_CLIENTS, reachableAt } from "./addresses";
import { keptSecret } from "./kept-secret";
import { createAuthority, expiryOf, isIssuedBy, issueCertificate, type KeyPair } from "./certificates";

/** Secrets of one's own, each in the place of one that is made. Once given, they stay. */
export interface GivenKeys {
  /** 32 bytes in base64. */
  readonly gossipKey?: string | undefined;
  /** A UUID. */
  readonly managementToken?: string | undefined;
  /** Certificate of an authority in PEM. */
  readonly caCertificate?: string | undefined;
  /** The authority's private key in PEM; without it, both certificates must be given. */
  readonly caKey?: string | undefined;
  /** The servers' certificate in PEM, and its key. */
  readonly serverCertificate?: string | undefined;
  readonly serverKey?: string | undefined;
  /** Certificate of the HTTPS API in PEM, and its key. */
  readonly apiCertificate?: string | undefined;
  readonly apiKey?: string | undefined;
}

/** What the key material is for. */
export interface KeyMaterialArgs extends GivenKeys {
  /** Consul datacenter. */
  readonly datacenter: string;
  /** Address of the host that the API listens on. */
  readonly bindAddress: string;
  /** Further names and addresses that the API is reached by. */
  readonly apiNames: readonly string[];
}

/**
 * The secrets that a datacenter is built on, made at the first `up` and kept in the state, encrypted. Nothing makes
 * them again but their loss: whatever the program passes afterwards is ignored, unless it is given as a setting.
 */
export class KeyMaterial extends pulumi.ComponentResource {
  /** Key of the gossip between agents. */
  public readonly gossipKey: pulumi.Output<string>;
  /** Token that may do everything. */
  public readonly managementToken: pulumi.Output<string>;
  /** Token that reads one agent's own view, also without a leader. */
  public readonly recoveryToken: pulumi.Output<string>;
  /** Certificate of the authority in PEM; no secret. */
  public readonly caCertificate: pulumi.Output<string>;
  /** Certificate and key of the servers. */
  public readonly server: pulumi.Output<KeyPair>;
  /** Certificate and key of the HTTPS API. */
  public readonly api: pulumi.Output<KeyPair>;
  /** When each certificate expires, by whose it is; no secret. */
  public readonly expiries: pulumi.Output<Record<"ca" | "server" | "api", string>>;

  constructor(name: string, args: KeyMaterialArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:KeyMaterial", name, {}, opts);
    const { datacenter } = args;

    this.gossipKey = this.#kept("gossip-key", args.gossipKey, () => randomBytes(32).toString("base64"));
    this.managementToken = this.#kept("management-token", args.managementToken, randomUUID);
    this.recoveryToken = this.#kept("recovery-token", undefined, randomUUID);

    // A preview needs no Consul and makes no certificate: it takes what the state holds.
    const unlessPreview = (make: () => pulumi.Input<KeyPair>): pulumi.Input<KeyPair> =>
      pulumi.runtime.isDryRun()
        ? (pulumi.output(pulumi.unknown) as unknown as pulumi.Output<KeyPair>)
        : make();
    const ca = this.#kept(`ca-${datacenter}`, pairOf(args.caCertificate, args.caKey ?? ""), () =>
      unlessPreview(() => createAuthority(`Consul CA ${datacenter}`)),
    );
    const certificate = (
      kind: string,
      given: KeyPair | undefined,
      client: boolean,
      names: readonly string[],
    ) =>
      // Other names are another certificate.
      this.#kept(`${kind}-certificate-${digest(names)}`, given, () =>
        unlessPreview(() => ca.apply((authority) => issueCertificate(authority, { names, client }))),
      );
    const server = certificate("server", pairOf(args.serverCertificate, args.serverKey), true, [
      `server.${datacenter}.consul`,
      "localhost",
      "127.0.0.1",
    ]);
    const api = certificate("api", pairOf(args.apiCertificate, args.apiKey), false, apiNames(args));

    const checked = pulumi.all([ca, server, api]).apply(([ca, server, api]) => {
      for (const [setting, { certificate }] of Object.entries({
        serverCertificate: server,
        apiCertificate: api,
      })) {
        if (!isIssuedBy(certificate, ca.certificate))
          throw new pulumi.ResourceError(
            `${setting} must be issued by the certificate authority`,
            this,
            true,
          );
      }
      return { ca, server, api };
    });
    this.server = checked.server;
    this.api = checked.api;
    this.caCertificate = pulumi.unsecret(checked.ca.certificate);
    this.expiries = pulumi.unsecret(
      checked.apply(({ ca, server, api }) => ({
        ca: expiryOf(ca.certificate),
        server: expiryOf(server.certificate),
        api: expiryOf(api.certificate),
      })),
    );
    this.registerOutputs({});
  }

  /** What the state holds under `name`; `given`, if there is one, else `made` is what a new state begins with. */
  #kept<T>(name: string, given: T | undefined, made: () => pulumi.Input<T>): pulumi.Output<T> {
    return keptSecret(name, { value: given ?? made(), follows: given !== undefined, parent: this });
  }
}

/** The names by which the agents' API is called: in the network, on the host, and where a proxy or DNS leads to it. */
function apiNames({ datacenter, bindAddress, apiNames }: KeyMaterialArgs): string[] {
  return [
    `client.${datacenter}.consul`,
    "localhost",
    ...new Set(["127.0.0.1", reachableAt(bindAddress), ...apiNames]),
    // As many as there may ever be: a new client then needs no new certificate.
    ...Array.from({ length: MAX_CLIENTS }, (_, index) => `client-${index + 1}`),
  ];
}

function pairOf(certificate: string | undefined, key: string | undefined): KeyPair | undefined {
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

function digest(names: readonly string[]): string {
  return createHash("sha256").update(names.join()).digest("hex").slice(0, 8);
}
