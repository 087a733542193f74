import { X509Certificate } from "node:crypto";
import type { Owner, Role } from "../../components/container";
import { NAMESPACE } from "../../settings/faults";
import type { StackOutputs } from "../stack";

/** A container as the state has it. */
export interface DeclaredContainer {
  readonly urn: string;
  /** Name in the network, as `server-1`. */
  readonly alias: string;
  /** Name on the engine. */
  readonly name: string;
  readonly role: Role;
  /** Name of its host, of several. */
  readonly host?: string;
  /** Fixed address in the network, where it has one. */
  readonly address?: string;
  readonly ports: readonly DeclaredPort[];
}

/** A port of the host that leads into a container. */
export interface DeclaredPort {
  readonly ip: string;
  readonly external: number;
  readonly internal: number;
  readonly protocol: string;
}

/** A node of Consul's catalog as the state has it. */
export interface DeclaredNode {
  readonly name: string;
  readonly address: string;
}

/** A service of Consul's catalog as the state has it. */
export interface DeclaredService {
  readonly name: string;
  readonly serviceId: string;
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly checks: readonly { readonly checkId: string; readonly http: string }[];
}

/** A certificate, by what it is for: ca, server or api. */
export interface Certificate {
  readonly name: string;
  readonly from: Date;
  readonly to: Date;
}

/** What the stack has created, as far as its state knows. */
export interface StackState {
  /** Project and stack. */
  readonly owner: Owner;
  /** How many resources it has. */
  readonly size: number;
  /** None unless the stack came up once. */
  readonly outputs: Partial<StackOutputs>;
  readonly networks: readonly { readonly urn: string; readonly name: string }[];
  readonly containers: readonly DeclaredContainer[];
  readonly nodes: readonly DeclaredNode[];
  readonly services: readonly DeclaredService[];
  readonly certificates: readonly Certificate[];
  /** References of the public images. */
  readonly images: readonly string[];
}

interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly outputs?: unknown;
}

/** Reads what `pulumi stack export --show-secrets` writes of `stack`. */
export function parseState(exported: string, stack: string): StackState {
  const { deployment } = JSON.parse(exported) as {
    readonly deployment: { readonly resources?: readonly Resource[] };
  };
  const resources = deployment.resources ?? [];
  const of = <T>(type: string) =>
    resources
      .filter((resource) => resource.type === type)
      .map(({ urn, outputs }) => ({ urn, alias: urn.split("::").at(-1) ?? "", ...(plain(outputs) as T) }));
  return {
    owner: { project: NAMESPACE, stack },
    size: resources.length,
    outputs: of<Partial<StackOutputs>>("pulumi:pulumi:Stack")[0] ?? {},
    networks: of<{ name: string }>("docker:index/network:Network"),
    containers: of<ContainerOutputs>("docker:index/container:Container").map(container),
    nodes: of<DeclaredNode>("consul:index/node:Node"),
    services: of<DeclaredService>("consul:index/service:Service"),
    certificates: of<{ output: unknown }>("pulumi:index:Stash").flatMap(certificate),
    images: of<{ name: string }>("docker:index/remoteImage:RemoteImage").map(({ name }) => name),
  };
}

interface ContainerOutputs {
  readonly name: string;
  readonly labels: readonly { readonly label: string; readonly value: string }[];
  readonly networksAdvanced?: readonly { readonly ipv4Address?: string }[];
  readonly ports?: readonly DeclaredPort[];
}

function container(
  outputs: ContainerOutputs & { readonly urn: string; readonly alias: string },
): DeclaredContainer {
  const { urn, alias, name, labels, networksAdvanced, ports } = outputs;
  const address = networksAdvanced?.[0]?.ipv4Address ?? "";
  const labelled = (wanted: string) => labels.find(({ label }) => label === wanted)?.value;
  const host = labelled("consul-docker.host");
  return {
    urn,
    alias,
    name,
    role: labelled("consul-docker.role") as Role,
    ...(host === undefined ? {} : { host }),
    ...(address === "" ? {} : { address }),
    // Pulumi's provider reads the protocols of a port in any order.
    ports: (ports ?? []).toSorted((a, b) => a.internal - b.internal || a.protocol.localeCompare(b.protocol)),
  };
}

/** Of all that the state keeps secret, the certificates, which are none. */
function certificate({ alias, output }: { readonly alias: string; readonly output: unknown }): Certificate[] {
  const pem = (output as { readonly certificate?: unknown } | null)?.certificate;
  if (typeof pem !== "string") return [];
  const { validFrom, validTo } = new X509Certificate(pem);
  return [{ name: alias.split("-")[0] ?? "", from: new Date(validFrom), to: new Date(validTo) }];
}

/** A value of the state without the wrapping of its secrets. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  // https://www.pulumi.com/docs/iac/concepts/secrets/: this key marks a secret.
  if ("4dabf18193072939515e22adb298388d" in value && "plaintext" in value)
    return JSON.parse(value.plaintext as string);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
