/** A published hole in a part that the datacenter runs. */
export interface Advisory {
  /** Number in the list of CVEs. */
  readonly id: string;
  /** The part that has it, by its image. */
  readonly part: Part;
  /** Day on which it was published. */
  readonly published: string;
  /** As its record rates it; unrated where no rating was to be found. */
  readonly severity: "medium" | "high" | "unrated";
  /** First version that has it. @default every version before `mendedIn` */
  readonly from?: string;
  /** First version of the community edition without it. */
  readonly mendedIn: string;
  /** What it means in this datacenter, or why it means nothing here. */
  readonly here: string;
  /** Whether what it attacks is there in this datacenter. */
  readonly matters: boolean;
  /** What all of the above is taken from, but for what it means here. */
  readonly source: string;
}

/** A part with advisories of its own. */
export type Part = "hashicorp/consul" | "hashicorp/consul-esm";

/** Day on which the sources were last gone through. */
export const GONE_THROUGH = "2026-11-28";

const record = (id: string) => `https://www.cve.org/CVERecord?id=${id}`;
const bulletin = (path: string) => `https://discuss.hashicorp.com/t/${path}`;
const OF_AUGUST = bulletin("hcsec-2026-25-multiple-vulnerabilities-impacting-hashicorp-consul/77629");
const NO_MESH = "nothing: the datacenter has no service mesh";
const NO_VAULT = "nothing: no Vault signs the mesh's certificates";
const MONITORS_CHANGES = "https://github.com/hashicorp/consul-esm/blob/main/CHANGELOG.md";

/**
 * What was published of Consul from 1.20 on and of consul-esm, newest first. Holes of what they are built with are not
 * here but for those that their notes name.
 */
export const ADVISORIES: readonly Advisory[] = [
  {
    id: "CVE-2026-115804",
    part: "hashicorp/consul",
    published: "2026-10-26",
    severity: "unrated",
    from: "0.7.2",
    mendedIn: "2.1.0",
    here: "whoever has a service's token may change the checks of another service",
    matters: true,
    source: record("CVE-2026-115804"),
  },
  {
    id: "CVE-2026-105765",
    part: "hashicorp/consul",
    published: "2026-10-26",
    severity: "unrated",
    from: "1.17.0",
    mendedIn: "2.1.0",
    here: `${NO_MESH}, so no agent holds a service's certificate`,
    matters: false,
    source: record("CVE-2026-105765"),
  },
  {
    id: "CVE-2026-105626",
    part: "hashicorp/consul",
    published: "2026-10-26",
    severity: "unrated",
    from: "0.6.0",
    mendedIn: "2.1.0",
    here: "whoever reaches the HTTP API, without a token, can use up an agent's memory, up to its limit",
    matters: true,
    source: record("CVE-2026-105626"),
  },
  {
    id: "CVE-2026-105608",
    part: "hashicorp/consul",
    published: "2026-10-26",
    severity: "unrated",
    from: "2.0.4",
    mendedIn: "2.1.0",
    here: "a bypass of authorization that came with 2.0.4; its record says more",
    matters: true,
    source: record("CVE-2026-105608"),
  },
  {
    id: "CVE-2026-87106",
    part: "hashicorp/consul",
    published: "2026-09-10",
    severity: "medium",
    mendedIn: "2.0.4",
    here: "whoever has an agent's certificate can use up a server's memory, without a token",
    matters: true,
    source: bulletin(
      "hcsec-2026-35-consul-vulnerable-to-a-denial-of-service-in-the-native-rpc-listener/77737",
    ),
  },
  {
    id: "CVE-2026-87090",
    part: "hashicorp/consul",
    published: "2026-09-10",
    severity: "high",
    mendedIn: "2.0.4",
    here: "whoever has an agent's or a monitor's token can take over the entry of another node",
    matters: true,
    source: bulletin(
      "hcsec-2026-34-consul-vulnerable-to-an-authorization-bypass-in-the-catalog-node-write-path/77736",
    ),
  },
  {
    id: "CVE-2026-19113",
    part: "hashicorp/consul",
    published: "2026-08-07",
    severity: "medium",
    from: "1.3.0",
    mendedIn: "2.0.3",
    here: "whoever reaches the HTTP API, without a token, can use up an agent's memory, up to its limit",
    matters: true,
    source: OF_AUGUST,
  },
  {
    id: "CVE-2026-19017",
    part: "hashicorp/consul",
    published: "2026-08-07",
    severity: "medium",
    from: "1.18.21",
    mendedIn: "2.0.3",
    here: NO_VAULT,
    matters: false,
    source: OF_AUGUST,
  },
  {
    id: "CVE-2026-19016",
    part: "hashicorp/consul",
    published: "2026-08-07",
    severity: "medium",
    from: "1.19.1",
    mendedIn: "2.0.3",
    here: "whoever has any token can end the monitors' sessions, and with them their lock",
    matters: true,
    source: OF_AUGUST,
  },
  {
    id: "CVE-2026-19014",
    part: "hashicorp/consul",
    published: "2026-08-07",
    severity: "medium",
    from: "1.17.0",
    mendedIn: "2.0.3",
    here: "whoever has a service's token can fill an agent's memory, up to its limit",
    matters: true,
    source: OF_AUGUST,
  },
  {
    id: "CVE-2026-19012",
    part: "hashicorp/consul",
    published: "2026-08-07",
    severity: "medium",
    from: "1.18.0",
    mendedIn: "2.0.3",
    here: "whoever has a service's token can make a server exit, by a router of that service",
    matters: true,
    source: OF_AUGUST,
  },
  {
    id: "CVE-2026-15972",
    part: "hashicorp/consul",
    published: "2026-08-07",
    severity: "high",
    from: "1.13.0",
    mendedIn: "2.0.3",
    here: "nothing: no agent listens for gRPC from outside",
    matters: false,
    source: OF_AUGUST,
  },
  {
    id: "CVE-2026-15970",
    part: "hashicorp/consul",
    published: "2026-08-07",
    severity: "medium",
    from: "1.20.1",
    mendedIn: "2.0.3",
    here: NO_MESH,
    matters: false,
    source: OF_AUGUST,
  },
  {
    id: "CVE-2026-2808",
    part: "hashicorp/consul",
    published: "2026-03-11",
    severity: "medium",
    mendedIn: "1.22.5",
    here: NO_VAULT,
    matters: false,
    source: bulletin(
      "hcsec-2026-02-consul-vulnerable-to-arbitrary-file-reads-through-the-vault-kubernetes-authentication-provider/77232",
    ),
  },
  {
    id: "CVE-2025-11375",
    part: "hashicorp/consul",
    published: "2025-10-28",
    severity: "medium",
    mendedIn: "1.22.0",
    here: "whoever may send events, which is the management token alone, can use up an agent's memory",
    matters: false,
    source: bulletin("hcsec-2025-28-consuls-event-endpoint-is-vulnerable-to-denial-of-service/76723"),
  },
  {
    id: "CVE-2025-11374",
    part: "hashicorp/consul",
    published: "2025-10-28",
    severity: "medium",
    mendedIn: "1.22.0",
    here: "whoever has a service's token can use up an agent's memory, by a key's value",
    matters: true,
    source: "https://github.com/advisories/GHSA-7g3r-8c6v-hfmr",
  },
  {
    id: "CVE-2025-11392",
    part: "hashicorp/consul",
    published: "2025-10-24",
    severity: "unrated",
    mendedIn: "1.22.0",
    here: "a key with .. in its name may lead out of what a service's token is for",
    matters: true,
    source: "https://github.com/hashicorp/consul/blob/v1.22.0/CHANGELOG.md",
  },
  {
    id: "CVE-2024-10006",
    part: "hashicorp/consul",
    published: "2024-10-31",
    severity: "unrated",
    from: "1.9.0",
    mendedIn: "1.20.1",
    here: NO_MESH,
    matters: false,
    source: "https://pkg.go.dev/vuln/GO-2024-3241",
  },
  {
    id: "CVE-2024-10005",
    part: "hashicorp/consul",
    published: "2024-10-31",
    severity: "unrated",
    from: "1.9.0",
    mendedIn: "1.20.1",
    here: NO_MESH,
    matters: false,
    source: "https://pkg.go.dev/vuln/GO-2024-3243",
  },
  {
    id: "CVE-2024-6104",
    part: "hashicorp/consul-esm",
    published: "2024-06-24",
    severity: "medium",
    mendedIn: "0.8.0",
    here: "nothing: no URL that a monitor calls holds a password that its log could show",
    matters: false,
    source: MONITORS_CHANGES,
  },
];

/** One version: its numbers, and whether it came before the release of these. */
interface Version {
  readonly numbers: readonly [major: number, minor: number, patch: number];
  readonly isEarly: boolean;
}

/**
 * The advisories that concern a version of a part; undefined where the tag says no single version of the community
 * edition, which is the one that the table is about.
 */
export function concerning(part: Part, tag: string): Advisory[] | undefined {
  const version = parse(tag);
  if (version === undefined) return undefined;
  return ADVISORIES.filter(
    (advisory) =>
      advisory.part === part &&
      !isBefore(version, parse(advisory.from ?? "0.0.0")) &&
      isBefore(version, parse(advisory.mendedIn)),
  );
}

/** Of an image's reference, the part and the tag; undefined where it is none with advisories. */
export function partOf(reference: string): { readonly part: Part; readonly tag: string } | undefined {
  const [, part, tag] = /^(?:docker\.io\/)?(hashicorp\/consul(?:-esm)?):([^@]+)/.exec(reference) ?? [];
  return part === undefined || tag === undefined ? undefined : { part: part as Part, tag };
}

/** The version from which on none of these is there any more. */
export function lastMended(advisories: readonly Advisory[]): string | undefined {
  return advisories
    .map(({ mendedIn }) => mendedIn)
    .toSorted(compared)
    .at(-1);
}

/** Versions, the older first. */
export function compared(a: string, b: string): number {
  return isBefore(parse(a), parse(b)) ? -1 : isBefore(parse(b), parse(a)) ? 1 : 0;
}

/** Undefined for what may be anything, as 1.22 or nightly, and for the enterprise edition, which is mended in other versions. */
function parse(tag: string): Version | undefined {
  const [, major, minor, patch, early] = /^v?(\d+)\.(\d+)\.(\d+)(-(?:alpha|beta|rc)\d*)?$/.exec(tag) ?? [];
  return major === undefined
    ? undefined
    : { numbers: [Number(major), Number(minor), Number(patch)], isEarly: early !== undefined };
}

function isBefore(a: Version | undefined, b: Version | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const difference = a.numbers
    .map((number, index) => number - (b.numbers[index] ?? 0))
    .find((one) => one !== 0);
  return difference === undefined ? a.isEarly && !b.isEarly : difference < 0;
}
