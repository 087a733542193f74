import { UNKNOWN, SECRET, type Resource } from "../../policy/resource";
import type { ResourceRule, StackRule } from "../../policy/rule";
import { exposedSecrets } from "../../policy/rules/exposed-secrets";
import { healthAndLimits } from "../../policy/rules/health-and-limits";
import { imageVersions } from "../../policy/rules/image-versions";
import { knownHoles } from "../../policy/rules/known-holes";
import { ownerLabels } from "../../policy/rules/owner-labels";
import { plainSecrets } from "../../policy/rules/plain-secrets";
import { privileges } from "../../policy/rules/privileges";
import { publishedPorts } from "../../policy/rules/published-ports";
import { serverCount } from "../../policy/rules/server-count";
import { serviceChecks } from "../../policy/rules/service-checks";

type Props = Resource["props"];

function resource(type: string, props: Props, name = "web"): Resource {
  return { type, name, urn: `urn:pulumi:test::shop::${type}::${name}`, props };
}

function container(props: Props, name?: string): Resource {
  return resource("docker:index/container:Container", props, name);
}

function labels(role: string, more: Props = {}): Props {
  const all = {
    ...more,
    "consul-docker.project": "shop",
    "consul-docker.role": role,
    "consul-docker.stack": "test",
  };
  return { labels: Object.entries(all).map(([label, value]) => ({ label, value })) };
}

/** Of one container, what `rule` says. */
function of(rule: ResourceRule, props: Props): string[] {
  return rule.faults(container(props));
}

describe("image-versions", () => {
  const fault = (kind: string, reference: string) =>
    `${kind} web must name a version of its image, got "${reference}"; give it a tag other than latest, or a digest`;

  test.each(["nginx", "nginx:latest", "registry:5000/nginx", "nginx:"])("stops %s", (image) => {
    expect(of(imageVersions, { image })).toEqual([fault("container", image)]);
    for (const [type, kind] of [
      ["docker:index/remoteImage:RemoteImage", "remote image"],
      ["docker:index/registryImage:RegistryImage", "registry image"],
    ] as const)
      expect(imageVersions.faults(resource(type, { name: image }))).toEqual([fault(kind, image)]);
  });

  test.each([
    "nginx:1.29.1",
    "registry:5000/nginx:1",
    `nginx@sha256:${"a".repeat(64)}`,
    `registry:5000/team/nginx:1@sha256:${"a".repeat(64)}`,
    `sha256:${"a".repeat(64)}`,
    UNKNOWN,
  ])("lets %p pass", (image) => {
    expect(of(imageVersions, { image })).toEqual([]);
  });
});

describe("known-holes", () => {
  const image = (name: unknown, type = "docker:index/remoteImage:RemoteImage") =>
    knownHoles.faults(resource(type, { name }, "consul"));

  test("does nothing unless it is turned on", () => {
    expect(knownHoles.enforcementLevel).toBe("disabled");
  });

  test.each([
    [
      "hashicorp/consul:2.0.4",
      'without published holes, got "2.0.4", which has CVE-2026-115804, CVE-2026-105626, CVE-2026-105608; take 2.1.0 or newer',
    ],
    ["hashicorp/consul:nightly", 'of which the holes are known, got "nightly"; give it a tag as 2.1.0'],
  ])("stops %s", (name, fault) => {
    expect(image(name)).toEqual([`remote image consul must be of a version ${fault}`]);
  });

  test.each(["hashicorp/consul:2.1.0", "hashicorp/consul-esm:0.9.1", "node:24-slim", UNKNOWN])(
    "lets %p pass",
    (name) => {
      expect(image(name)).toEqual([]);
    },
  );

  test("looks at what is pulled alone", () => {
    expect(image("hashicorp/consul:1.22.7", "docker:index/registryImage:RegistryImage")).toEqual([]);
  });
});

describe("health-and-limits", () => {
  const complete = {
    healthcheck: { tests: ["CMD", "true"] },
    memory: 64,
    memorySwap: 64,
    ulimits: [{ name: "nproc", soft: 10, hard: 10 }],
  };
  const faults = [
    'container web must have a health check, got none; set healthcheck, or mustRun: false and restart: "no" where it is to end',
    "container web must have a memory limit, got none; set memory, in MiB",
    "container web must have a limit for memory and swap, got none; set memorySwap, to the value of memory",
    "container web must have a limit for processes, got none; set ulimits, with one named nproc",
  ];

  test.each([
    {},
    { healthcheck: { tests: ["NONE"] }, memory: 0, memorySwap: -1, ulimits: [{ name: "nofile" }] },
    { mustRun: false, restart: "always" },
  ])("stops %p", (props) => {
    expect(of(healthAndLimits, props)).toEqual(faults);
  });

  test.each([
    complete,
    { ...complete, mustRun: true },
    { healthcheck: UNKNOWN, memory: UNKNOWN, memorySwap: UNKNOWN, ulimits: UNKNOWN },
    { mustRun: false },
    { mustRun: false, restart: "no" },
  ])("lets %p pass", (props) => {
    expect(of(healthAndLimits, props)).toEqual([]);
  });
});

describe("privileges", () => {
  const user = "100:1000";

  test.each<[Props, string]>([
    [{}, 'must not run as root, got no user; set user, as in "1000:1000"'],
    [{ user: "root" }, 'must not run as root, got user "root"; set user, as in "1000:1000"'],
    [{ user: "0:1000" }, 'must not run as root, got user "0"; set user, as in "1000:1000"'],
    [
      { user: "", start: false, restart: "always" },
      'must not run as root, got no user; set user, as in "1000:1000"',
    ],
    [{ user, privileged: true }, "must not be privileged; take privileged out"],
    [
      { user, capabilities: { adds: ["CAP_NET_ADMIN"], drops: ["ALL"] } },
      "must add no capability, got CAP_NET_ADMIN; take capabilities.adds out",
    ],
    [
      { user, networkMode: "host" },
      'must not share a namespace of the host, got networkMode "host"; take networkMode out',
    ],
    [
      { user, pidMode: "host" },
      'must not share a namespace of the host, got pidMode "host"; take pidMode out',
    ],
    [
      { user, networksAdvanced: [{ name: "host" }] },
      'must not share a namespace of the host, got the network "host"; join the network of the datacenter',
    ],
    [
      { user, volumes: [{ hostPath: "/var/run/docker.sock" }] },
      'must not reach the engine\'s socket, got a mount of "/var/run/docker.sock"; who has it is root on the host: take it out',
    ],
    [
      { user, mounts: [{ type: "bind", source: "/" }] },
      'must not reach the engine\'s socket, got a mount of "/"; who has it is root on the host: take it out',
    ],
  ])("stops %p", (props, fault) => {
    expect(of(privileges, props)).toEqual([`container web ${fault}`]);
  });

  test.each([
    { user, privileged: false, capabilities: { drops: ["ALL"] }, networkMode: "bridge" },
    { user: UNKNOWN, networksAdvanced: [{ name: UNKNOWN }] },
    { user, volumes: [{ volumeName: "run" }, { hostPath: "/var/lib/web" }] },
    { start: false, mustRun: false, networkMode: "none" },
  ])("lets %p pass", (props) => {
    expect(of(privileges, props)).toEqual([]);
  });

  test("lets a starter be root with the engine's socket, as long as nobody reaches it", () => {
    const type = "docker:index/container:Container";
    const urn = (parent: string) => `urn:pulumi:test::shop::${parent}$${type}::starter-a`;
    const props = { user: "0:0", volumes: [{ hostPath: "/var/run/docker.sock" }] };
    const faults = (parent: string, more: Props) =>
      privileges.faults({ type, name: "starter-a", urn: urn(parent), props: { ...props, ...more } });

    expect(faults("consul-docker:index:Starter", { networkMode: "none" })).toEqual([]);
    expect(faults("consul-docker:index:Starter", { networkMode: "none", privileged: true })).toHaveLength(1);
    expect(faults("consul-docker:index:Starter", {})).toHaveLength(2);
    expect(faults("my:index:Starter", { networkMode: "none" })).toHaveLength(2);
  });
});

describe("exposed-secrets", () => {
  const UUID = "8f246b77-f3e1-ff88-5b48-8ec93abf3e05";
  const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dGhpc2lzbm90cmVhbA";
  const GOSSIP_KEY = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=";
  const KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----";
  const handOver = "hand it over as a file, as SecretFiles does";

  test.each([
    ["API_TOKEN=hunter2", "a secret, by its name"],
    ["DB_PASSWORD=hunter2", "a secret, by its name"],
    ["apiKey=hunter2", "a secret, by its name"],
    [`SESSION=${UUID}`, "a token"],
    [`SESSION=${JWT}`, "a signed token"],
    ["SESSION=ghp_0123456789abcdef0123", "an access token"],
    ["DATABASE=postgres://web:hunter2@db/web", "a URL with a password"],
    [`GOSSIP=${GOSSIP_KEY}`, "an encryption key"],
    [`CERTIFICATE=${KEY}`, "a private key"],
    [`CONSUL_LOCAL_CONFIG=${JSON.stringify({ acl: { tokens: { agent: UUID } } })}`, "a token"],
    [`CONSUL_LOCAL_CONFIG=${JSON.stringify({ encrypt: GOSSIP_KEY })}`, "an encryption key"],
  ])("stops the environment %s", (entry, kind) => {
    const [name] = entry.split("=");
    expect(of(exposedSecrets, { envs: [entry] })).toEqual([
      `container web must have no secret in the environment variable ${name ?? ""}, got ${kind}; ${handOver}`,
    ]);
  });

  test("stops secrets in labels and commands", () => {
    expect(
      of(exposedSecrets, {
        labels: [{ label: "token", value: "hunter2" }],
        command: ["web", KEY],
        entrypoints: [JWT],
      }),
    ).toEqual([
      `container web must have no secret in the label token, got a secret, by its name; ${handOver}`,
      `container web must have no secret in command, got a private key; ${handOver}`,
      `container web must have no secret in entrypoints, got a signed token; ${handOver}`,
    ]);
  });

  test.each([
    "CONSUL_HTTP_TOKEN_FILE=/consul/credentials/token",
    "TOKEN=/run/secrets/token",
    "PASSWORD=",
    "CONSUL_HTTP_ADDRS=http://client-1:8500,http://client-2:8500",
    `REQUEST_ID=${UUID}`,
    `IMAGE_HASH=${"0a".repeat(16)}`,
    "LOG_LEVEL=info",
    'CONSUL_LOCAL_CONFIG={"encrypt_verify_incoming":true,"tls":{"internal_rpc":{"key_file":"/consul/secrets/server-key.pem"}}}',
    "BROKEN={not json",
    UNKNOWN,
  ])("lets the environment %p pass", (entry) => {
    expect(of(exposedSecrets, { envs: [entry] })).toEqual([]);
  });

  test("lets labels and commands of the project pass", () => {
    const { labels: list } = labels("monitor", {
      "consul-docker.accessor": UUID,
      "consul-docker.fingerprint": "b1".repeat(32),
      "consul-docker.after": UNKNOWN,
    });
    expect(of(exposedSecrets, { labels: list, command: ["sh", "-c", "exec web"], envs: UNKNOWN })).toEqual(
      [],
    );
  });
});

describe("plain-secrets", () => {
  const fault = (property: string) =>
    `container web must have its secrets marked, got ${property} in plain; wrap the value in pulumi.secret()`;

  test("stops values that are secrets by their own name, the name beside them, or their look", () => {
    expect(
      of(plainSecrets, {
        token: "hunter2",
        headers: { authToken: "hunter2" },
        uploads: [
          { file: "/secrets/password", content: "hunter2" },
          { file: "/app/server.pem", content: "-----BEGIN EC PRIVATE KEY-----\nMIIB" },
        ],
        keys: [{ path: "services/web/api-key", value: "hunter2" }],
      }),
    ).toEqual(
      ["token", "headers.authToken", "uploads[0].content", "uploads[1].content", "keys[0].value"].map(fault),
    );
  });

  test("lets what is marked, unknown or no secret pass", () => {
    expect(
      of(plainSecrets, {
        token: SECRET,
        password: UNKNOWN,
        passphrase: "",
        caCertificate: "-----BEGIN CERTIFICATE-----\nMIIB",
        uploads: [
          { file: "/secrets/token", content: SECRET },
          { file: "/app/web.conf", content: "listen 80" },
        ],
        keys: [{ path: "services/web/currency", value: "EUR" }],
      }),
    ).toEqual([]);
  });
});

describe("owner-labels", () => {
  const set = "set labels: labelList(owner, role)";

  test.each(["container:Container", "volume:Volume", "network:Network"])(
    "stops a %s without them",
    (type) => {
      const [kind] = type.split(":");
      expect(ownerLabels.faults(resource(`docker:index/${type}`, {}))).toEqual([
        `${kind ?? ""} web must have the label consul-docker.project with "shop", got none; ${set}`,
        `${kind ?? ""} web must have the label consul-docker.stack with "test", got none; ${set}`,
        `${kind ?? ""} web must have the label consul-docker.role, got none; ${set}`,
      ]);
    },
  );

  test("stops labels of another stack", () => {
    const { labels: list } = labels("service");
    const others = (list as { label: string }[]).map((entry) =>
      entry.label === "consul-docker.stack" ? { ...entry, value: "dev" } : entry,
    );
    expect(of(ownerLabels, { labels: others })).toEqual([
      `container web must have the label consul-docker.stack with "test", got "dev"; ${set}`,
    ]);
  });

  test("lets labels of the stack pass, whatever the role", () => {
    expect(of(ownerLabels, labels("proxy"))).toEqual([]);
    expect(of(ownerLabels, { labels: UNKNOWN })).toEqual([]);
    expect(ownerLabels.faults(resource("consul:index/node:Node", {}))).toEqual([]);
  });
});

describe("service-checks", () => {
  const service = (props: Props) => serviceChecks.faults(resource("consul:index/service:Service", props));

  test.each([{}, { checks: [] }])("stops %p", (props) => {
    expect(service(props)).toEqual([
      "service web must have at least one check, got none; without one, callers are sent to it when it is gone",
    ]);
  });

  test.each([{ checks: [{ checkId: "web" }] }, { checks: UNKNOWN }])("lets %p pass", (props) => {
    expect(service(props)).toEqual([]);
  });
});

describe("server-count", () => {
  const of = (count: number, rule: StackRule = serverCount) =>
    rule.faults([
      ...Array.from({ length: count }, (_, index) => container(labels("server"), `server-${index + 1}`)),
      container(labels("client"), "client-1"),
    ]);

  test.each([2, 4, 6])("stops %d", (count) => {
    const names = Array.from({ length: count }, (_, index) => `server-${index + 1}`).join(", ");
    expect(of(count)).toEqual([
      [
        `the stack must have 1, 3 or 5 Consul servers, got ${count}: ${names}; set consul-docker:servers, and give no other container the role server`,
        `urn:pulumi:test::shop::docker:index/container:Container::server-${count}`,
      ],
    ]);
  });

  test.each([0, 1, 3, 5])("lets %d pass", (count) => {
    expect(of(count)).toEqual([]);
  });
});

describe("published-ports", () => {
  const ACL = { acl: { enabled: true, default_policy: "deny" } };
  const HTTPS = { ports: { https: 8501 }, addresses: { http: "127.0.0.1" } };
  const LOOPBACK = { ports: [{ internal: 8500, external: 8500, ip: "127.0.0.1" }] };
  const agent = (role: "server" | "client", config: object, more: Props = {}) =>
    container({ ...labels(role), envs: [`CONSUL_LOCAL_CONFIG=${JSON.stringify(config)}`], ...more }, role);
  const web = (ip?: string) =>
    container({ ports: [{ internal: 80, external: 8080, ...(ip === undefined ? {} : { ip }) }] });
  const fault = (port: number, why: string, got: string, name = "web") => [
    `container ${name} must publish port ${port} on loopback while ${why}, got ${got}; set its ip to 127.0.0.1, or consul-docker:https to true and consul-docker:insecure to false, and put a proxy with TLS before a service, whose own port is plain HTTP`,
    `urn:pulumi:test::shop::docker:index/container:Container::${name}`,
  ];
  const secure = [agent("server", ACL), agent("client", { ...ACL, ...HTTPS }, LOOPBACK)];

  test.each([
    ["0.0.0.0", "0.0.0.0"],
    ["192.0.2.1", "192.0.2.1"],
    [undefined, "no address, which is all of the host's"],
  ])("stops the address %s beside an API by plain HTTP", (ip, got) => {
    expect(publishedPorts.faults([agent("client", ACL, LOOPBACK), web(ip)])).toEqual([
      fault(8080, "its API is plain HTTP", got),
    ]);
  });

  test("stops it beside agents without ACLs", () => {
    const open = [agent("server", {}), agent("client", { ...HTTPS, acl: { enabled: true } }, LOOPBACK)];
    expect(publishedPorts.faults([...open, web("0.0.0.0")])).toEqual([
      fault(8080, "Consul has no ACLs", "0.0.0.0"),
    ]);
  });

  test("stops an agent whose API is plain HTTP as well", () => {
    const ports = [{ internal: 8500, external: 8500, ip: "0.0.0.0" }];
    expect(publishedPorts.faults([agent("client", { ports: { https: 8501 } }, { ports })])).toEqual([
      fault(8500, "Consul has no ACLs and its API is plain HTTP", "0.0.0.0", "client"),
    ]);
  });

  test("takes a socket beside loopback for no plain HTTP, and one beside all addresses for what it is", () => {
    const withSocket = (address: string) => {
      const addresses = { http: `${address} unix:///run/agent/http.sock` };
      return [
        agent("server", ACL),
        agent("client", { ...ACL, ...HTTPS, addresses }, LOOPBACK),
        web("0.0.0.0"),
      ];
    };
    expect(publishedPorts.faults(withSocket("127.0.0.1"))).toEqual([]);
    expect(publishedPorts.faults(withSocket("0.0.0.0"))).toEqual([
      fault(8080, "its API is plain HTTP", "0.0.0.0"),
    ]);
  });

  test("lets every address pass in a secure datacenter", () => {
    expect(publishedPorts.faults([...secure, web("0.0.0.0")])).toEqual([]);
  });

  test("lets loopback pass in any", () => {
    expect(publishedPorts.faults([agent("client", {}, LOOPBACK), web("127.0.0.1"), web("::1")])).toEqual([]);
  });

  test("does not guess what is unknown", () => {
    const later = container({ ...labels("client"), envs: [UNKNOWN], ...LOOPBACK });
    const port = container({ ports: [{ internal: 80, ip: UNKNOWN }] });
    expect(publishedPorts.faults([later, web("0.0.0.0")])).toEqual([]);
    expect(publishedPorts.faults([agent("client", {}, LOOPBACK), port])).toEqual([]);
  });
});
