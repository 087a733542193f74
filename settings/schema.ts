import { createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";
import { isLoopback, MAX_CLIENTS, overlap, parseSubnet } from "../components/addresses";
import { versionOf } from "../versions";

// Each check's message finishes the sentence "KEY must be …".
const text = (pattern: RegExp, allowed: string) => z.string(allowed).regex(pattern, allowed);
const integer = (min: number, max: number) => {
  const allowed = `a whole number from ${min} to ${max}`;
  return z.int(allowed).min(min, allowed).max(max, allowed);
};
const SUBNET = "a private IPv4 network with 64 to 65536 addresses, as 10.87.0.0/24";
const NAME = "lower-case letters, digits and inner dashes, at most 40";
/** A name that Consul, Docker and DNS all take. */
export const name = () => text(/^(?!.{41})[a-z0-9]+(-[a-z0-9]+)*$/, NAME);
const version = () => text(/^(?!latest$)[\w][\w.-]{0,127}$/, "an image tag other than latest");
/** A TCP or UDP port. */
export const port = () => integer(1, 65535);
const memory = () => integer(64, 1_048_576);
const strings = (pattern: RegExp, allowed: string) => z.array(text(pattern, allowed), "a list of strings");
const table = <T extends z.ZodType>(value: T, allowed: string) =>
  z.record(
    text(/^[\w.-]{1,128}$/, `${allowed} under names of letters, digits, dot, dash and underscore`),
    value,
    allowed,
  );

// A name of dots would lead Consul to a key outside the service's own, and it takes no longer values.
const MAX_VALUE_KIB = 512;
const VALUE = `a JSON value of at most ${MAX_VALUE_KIB} KiB`;
const NAMED_VALUES =
  "values under names of letters, digits, dot, dash and underscore that are more than dots";
const configuration = () =>
  z.record(
    text(/^(?!\.+$)[\w.-]{1,128}$/, NAMED_VALUES),
    z.json(VALUE).refine((value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_VALUE_KIB * 1024, VALUE),
    NAMED_VALUES,
  );

const truth = () => z.boolean("true or false");
const HOST_NAME = "letters, digits and inner dots and dashes, at most 63";
const MAX_THRESHOLD = 10;
const HOSTS = `a list of at most ${MAX_CLIENTS} hosts`;
const ADDRESS = "an IPv4 address at which the other hosts reach it";
const HOST = "host names or IPv4 addresses";
// Docker takes a host without dot and port for a name on Docker Hub, whose own it leaves out of the names of images.
const REGISTRY =
  /^(?![^/]*\bdocker\.io(?:[:/]|$))(?=[^/]*[.:])[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$/;
const pem = (read: (text: string) => unknown, allowed: string) =>
  z.string(allowed).refine((text) => parses(() => read(text)), allowed);
const certificate = () => pem((text) => new X509Certificate(text), "an X.509 certificate in PEM");
const privateKey = () => pem(createPrivateKey, "a private key in PEM, not encrypted");

function parses(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

/** One HTTP check of a service's instances. */
export const check = z
  .strictObject(
    {
      /** Path that answers 2xx when the instance can serve. */
      path: text(/^\/[\w\-./~%?=&]*$/, "a path that starts with a slash"),
      /** Seconds between two runs. @default 2 */
      intervalSeconds: integer(1, 3600).default(2),
      /** Seconds until a run that got no answer counts as failed. @default 1 */
      timeoutSeconds: integer(1, 600).default(1),
    },
    "a table with path, intervalSeconds and timeoutSeconds",
  )
  .readonly();

/** One service. */
export const service = z
  .strictObject(
    {
      /** Name in Consul, and of the folder under services/. */
      name: name(),
      /** Containers, each with a registration of its own. With hosts, one that has a hostPort runs once on each. @default 1 */
      instances: integer(1, 100).default(1),
      /** Port that the service listens on inside its container. */
      port: port(),
      /** Port of the first instance on the host, the next one's is one higher; with hosts, that of each. Without it the service stays inside. */
      hostPort: port().optional(),
      /** Consul tags. @default none */
      tags: strings(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "lower-case letters, digits and inner dashes").default(
        [],
      ),
      /** Consul service metadata. @default none */
      meta: table(z.string("a string").max(512, "at most 512 characters"), "strings").default({}),
      /** HTTP checks that the health monitors run. @default one of /ready */
      checks: z
        .array(check, "a list of checks")
        .min(1, "at least one check")
        .default([{ path: "/ready", intervalSeconds: 2, timeoutSeconds: 1 }]),
      /** Names of the services that it looks up in Consul; its token can read no others. @default none */
      discovers: z.array(name(), "a list of services' names").default([]),
      /** Live configuration, kept in Consul's KV store under services/NAME/; each value has at most 512 KiB. @default none */
      config: configuration().default({}),
      /** Memory limit of one instance in MiB. @default 256 */
      memoryMb: memory().default(256),
    },
    "a table with name, port and more",
  )
  .readonly();

/** One host of several, each a node of the same Docker Swarm. */
export const host = z
  .strictObject(
    {
      /** Name of the Swarm node, as `docker node ls` shows it. */
      name: text(/^(?!.{64})[a-zA-Z0-9]+([.-]+[a-zA-Z0-9]+)*$/, HOST_NAME),
      /** Where its engine listens: `unix:///PATH`, `tcp://ADDRESS:PORT` or `ssh://USER@ADDRESS`. */
      endpoint: text(
        /^(unix:\/\/\/|tcp:\/\/|ssh:\/\/)[^\s/]\S*$/,
        "a Docker endpoint, as unix:///var/run/docker.sock, tcp://10.0.0.5:2376 or ssh://admin@10.0.0.5",
      ),
      /** Folder with ca.pem, cert.pem and key.pem for TLS with a tcp:// endpoint, which must have it. @default none */
      certPath: z.string("a path").min(1, "a path").optional(),
      /** Address of the host that published ports listen on, and at which it is reached. */
      address: z
        .ipv4(ADDRESS)
        .refine((address) => !isLoopback(address) && !overlap(address, "0.0.0.0/8"), ADDRESS),
      /** Whether networks and services are created through it; one host is to be the manager. @default false */
      manager: truth().default(false),
      /** Takes all that runs there to the other hosts. @default false */
      drain: truth().default(false),
    },
    "a table with name, endpoint, address and more",
  )
  .readonly();

/** Snapshots at an interval. */
export const snapshots = z
  .strictObject(
    {
      /** Minutes between two snapshots. @default 60 */
      intervalMinutes: integer(1, 10_080).default(60),
      /** As many are kept, the newest ones. @default 24 */
      keep: integer(1, 1000).default(24),
    },
    "a table with intervalMinutes and keep",
  )
  .readonly();

/** Every setting of the stack file. */
export const shape = {
  /** Name of the Consul datacenter. @default dc1 */
  datacenter: name().default("dc1"),
  /** Servers, all of them raft voters; 3 survive the loss of one, 5 of two. @default 3 */
  servers: z.literal([1, 3, 5], "1, 3 or 5").default(3),
  /** The hosts, all of one Docker Swarm. @default none: one engine, the one that the docker command talks to */
  hosts: z.array(host, HOSTS).max(MAX_CLIENTS, HOSTS).default([]),
  /** Registry that the services' images are pushed to and pulled from, as `HOST[:PORT][/PATH]`; with hosts only. @default none: they are built on every host */
  registry: text(
    REGISTRY,
    "a registry other than Docker Hub in lower case, as registry.example.com:5000/team",
  ).optional(),
  /** Client agents, with hosts at least one on each; the first one of a host publishes the HTTP API, the UI and DNS. @default 2 */
  clients: integer(1, MAX_CLIENTS).default(2),
  /** Tag of the image hashicorp/consul. @default the one in `versions.env` */
  consulVersion: version().default(versionOf("consul_version")),
  /** Lets consulVersion go back to an older minor version, which Consul does not support. @default false */
  allowDowngrade: truth().default(false),
  /** Tag of the image hashicorp/consul-esm. @default the one in `versions.env` */
  monitorVersion: version().default(versionOf("esm_version")),
  /** Tag of the image node, on which the services' images are built. @default the one in `versions.env` */
  nodeVersion: version().default(versionOf("node_image_tag")),
  /** Addresses of the datacenter's network. @default 10.87.0.0/24 */
  subnet: z
    .string(SUBNET)
    .refine((value) => parseSubnet(value) !== undefined, SUBNET)
    .default("10.87.0.0/24"),
  /** Address of the host that published ports listen on; with hosts, each has its own. @default 127.0.0.1 */
  bindAddress: z.ipv4("an IPv4 address").default("127.0.0.1"),
  /** Port of the HTTP API and the UI on the host. @default 8500 */
  httpPort: port().default(8500),
  /** Port of Consul's DNS on the host, UDP and TCP. @default 8600 */
  dnsPort: port().default(8600),
  /** Serves the HTTP API and the UI by HTTPS, and by that alone. @default true, unless bindAddress is on loopback and there are no hosts */
  https: truth().optional(),
  /** Further host names and addresses that the HTTPS certificate is for. @default none */
  apiNames: strings(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, HOST).default([]),
  /** Turns encryption, certificates and access control off, for experiments; on loopback only. @default false */
  insecure: truth().default(false),
  /** Gossip key of one's own; secret. @default made once, at the first up */
  gossipKey: text(/^[A-Za-z0-9+/]{43}=$/, "32 bytes in base64, as consul keygen prints them").optional(),
  /** Management token of one's own; secret. @default made once, at the first up */
  managementToken: z.uuid("a UUID").optional(),
  /** Certificate of a certificate authority of one's own, with caKey or with both certificates. @default made once */
  caCertificate: certificate().optional(),
  /** The authority's private key; secret. @default made once */
  caKey: privateKey().optional(),
  /** The servers' certificate, for server.DATACENTER.consul. @default issued once by the authority */
  serverCertificate: certificate().optional(),
  /** Private key of the servers' certificate; secret. @default made with the certificate */
  serverKey: privateKey().optional(),
  /** Certificate of the HTTPS API. @default issued once by the authority */
  apiCertificate: certificate().optional(),
  /** Private key of the HTTPS API's certificate; secret. @default made with the certificate */
  apiKey: privateKey().optional(),
  /** Memory limit of a server in MiB. @default 512 */
  serverMemoryMb: memory().default(512),
  /** Memory limit of a client agent in MiB. @default 256 */
  clientMemoryMb: memory().default(256),
  /** Memory limit of a health monitor in MiB. @default 128 */
  monitorMemoryMb: memory().default(128),
  /** Runs in a row, beside the first, that must pass until a check counts as passing. @default 0 */
  monitorPassingThreshold: integer(0, MAX_THRESHOLD).default(0),
  /** Runs in a row, beside the first, that must fail until a check counts as critical. @default 0 */
  monitorCriticalThreshold: integer(0, MAX_THRESHOLD).default(0),
  /** What agents, monitors and services log. @default info */
  logLevel: z
    .enum(["trace", "debug", "info", "warn", "error"], "trace, debug, info, warn or error")
    .default("info"),
  /** Base URL of an OpenTelemetry collector that takes the services' traces by OTLP over HTTP. @default none: no traces */
  traceEndpoint: z.url({ protocol: /^https?$/, error: "a URL, as http://collector:4318" }).optional(),
  /** Takes snapshots at an interval. @default none are taken */
  snapshots: snapshots.optional(),
  /** The services to run. @default none */
  services: z.array(service, "a list of services").default([]),
};

/** The settings whose values no message may show. */
export const SECRETS: readonly string[] = ["gossipKey", "managementToken", "caKey", "serverKey", "apiKey"];

/** The whole stack file. */
export const schema = z
  .strictObject(shape)
  .transform((settings) => ({
    ...settings,
    clients: Math.max(settings.clients, settings.hosts.length),
    apiNames: [...settings.apiNames, ...settings.hosts.map(({ address }) => address)],
    https: settings.https ?? (settings.hosts.length > 0 || !isLoopback(settings.bindAddress)),
  }))
  .readonly();

/** What a stack file may set, with its defaults filled in. */
export type Settings = z.infer<typeof schema>;
/** One host of the stack file. */
export type HostSettings = z.infer<typeof host>;
/** One service of the stack file. */
export type ServiceSettings = z.infer<typeof service>;
