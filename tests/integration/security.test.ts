import { readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { connect } from "node:net";
import { Resolver } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuthority, issueCertificate } from "../../components/certificates";
import { ConsulApi } from "../../scripts/consul-api";
import { isHealthy, readDatacenter } from "../../scripts/datacenter";
import { docker, dockerLines, expectSuccess, run } from "./command";
import { checks } from "./consul";
import { eventually } from "./eventually";
import { Caller, products } from "./gateway";
import { handshake, logOf, plainRpc, reachable, removeAgent, startAgent } from "./intruder";
import { servicesAt, TEST_STACK, TestStack, type Outputs } from "./test-stack";
import { Writer } from "./writer";

// Attacks on one stack, which serves its API by HTTPS; then its secrets are rotated under load.
jest.setTimeout(180_000);

const NETWORK = "consul-docker-sec-network";
const CONTAINER = (name: string) => `consul-docker-sec-${name}`;
const VOLUME = (name: string) => `consul-docker-sec-${name}-secrets:/stolen:ro`;
// A transaction says so for each of its parts.
const FORBIDDEN = /Consul answers 403 |"What":"Permission denied/;

let stack: TestStack;
let outputs: Outputs;
let consul: ConsulApi;

beforeAll(async () => {
  stack = await TestStack.create("sec");
  await stack.configure({
    ...TEST_STACK,
    datacenter: "sec",
    subnet: "10.90.0.0/24",
    httpPort: 19500,
    dnsPort: 19600,
    https: true,
    services: servicesAt(19080),
  });
  expectSuccess(await stack.up());
  outputs = await stack.outputs();
  consul = new ConsulApi(outputs);
  await eventually(async () => {
    expect((await checks(consul)).filter(({ Status }) => Status !== "passing")).toEqual([]);
    await products(outputs.gatewayUrl);
  });
});

afterAll(async () => {
  for (const name of ["intruder-1", "intruder-2", "intruder-3", "intruder-4"]) await removeAgent(name);
  await stack.remove();
});

/** The API as somebody reaches it who has this token. */
function as(token: string | undefined): ConsulApi {
  const { httpApiUrl, caCertificate } = outputs;
  return new ConsulApi({ httpApiUrl, caCertificate, managementToken: token });
}

/** The token of a service, as the service itself reads it. */
async function tokenOf(service: string): Promise<string> {
  return docker("exec", CONTAINER(`${service}-1`), "cat", "/run/consul/token");
}

/** The gossip key, as an agent reads it. */
async function gossipKey(): Promise<string> {
  const file = await docker("exec", CONTAINER("server-1"), "cat", "/consul/secrets/gossip.json");
  return (JSON.parse(file) as { encrypt: string }).encrypt;
}

describe("a second run", () => {
  it("changes nothing, and finds nothing to change after a refresh", async () => {
    expectSuccess(await stack.up("--expect-no-changes"));
    expectSuccess(await stack.refresh());
    expectSuccess(await stack.previewExpectingNoChanges());
  });
});

describe("HTTPS", () => {
  it("is what the API's address and the agents' addresses say", () => {
    expect(outputs.httpApiUrl).toBe("https://127.0.0.1:19500");
    expect(outputs.uiUrl).toBe("https://127.0.0.1:19500/ui");
  });

  it("is verified by the stack's own authority, and by no other", async () => {
    expect(await consul.get("status/leader")).toMatch(/:8300$/);
    await expect(new ConsulApi({ httpApiUrl: outputs.httpApiUrl }).get("status/leader")).rejects.toThrow(
      "Consul does not answer at https://127.0.0.1:19500/v1/status/leader",
    );
  });

  it("leaves no plain HTTP beside it, on the host or in the network", async () => {
    const plain = outputs.httpApiUrl.replace("https:", "http:");
    await expect(new ConsulApi({ httpApiUrl: plain }).get("status/leader")).rejects.toThrow(/answers 400/);
    const agents = ["server-1", "server-2", "server-3", "client-1", "client-2"];
    expect(
      await reachable(
        NETWORK,
        agents.map((agent) => `${agent}:8500`),
      ),
    ).toEqual([]);
    expect(await reachable(NETWORK, ["client-1:8501", "client-2:8501"])).toHaveLength(2);
  });
});

// Everything that changes Consul, or shows more of it than a health check needs.
const GUARDED: readonly (readonly ["GET" | "PUT" | "POST" | "DELETE", string, unknown?])[] = [
  ["PUT", "kv/attack", "x"],
  ["DELETE", "kv/services/pricing/currency"],
  ["PUT", "txn", [{ KV: { Verb: "set", Key: "attack", Value: "eA==" } }]],
  ["PUT", "agent/service/register", { Name: "attack" }],
  ["PUT", "agent/check/register", { Name: "attack", TTL: "10s" }],
  ["PUT", "agent/service/deregister/consul-esm:monitor-1"],
  ["PUT", "agent/check/fail/consul-esm:monitor-1:agent-ttl"],
  ["PUT", "catalog/register", { Node: "attack", Address: "127.0.0.1" }],
  ["PUT", "catalog/register", { Node: "server-1", Address: "127.0.0.1" }],
  ["PUT", "catalog/deregister", { Node: "pricing-1" }],
  ["GET", "agent/self"],
  ["GET", "agent/metrics"],
  ["GET", "agent/host"],
  ["PUT", "agent/reload"],
  ["PUT", "agent/leave"],
  ["PUT", "agent/force-leave/server-1"],
  ["PUT", "agent/join/10.90.0.12"],
  ["PUT", "agent/maintenance?enable=true"],
  ["PUT", "agent/token/agent", { Token: "attack" }],
  ["GET", "operator/keyring"],
  ["POST", "operator/keyring", { Key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }],
  ["GET", "operator/raft/configuration"],
  ["DELETE", "operator/raft/peer?address=10.90.0.11:8300"],
  ["POST", "operator/raft/transfer-leader"],
  ["GET", "operator/autopilot/configuration"],
  ["GET", "snapshot"],
  ["PUT", "snapshot", "x"],
  ["PUT", "acl/bootstrap"],
  ["GET", "acl/tokens"],
  ["PUT", "acl/token", { Policies: [{ Name: "global-management" }] }],
  ["GET", "acl/policies"],
  ["PUT", "acl/policy", { Name: "attack", Rules: 'key_prefix "" { policy = "write" }' }],
  ["GET", "acl/roles"],
  ["GET", "acl/auth-methods"],
  ["PUT", "event/fire/attack"],
  ["PUT", "session/create", { Node: "client-1" }],
  ["PUT", "config", { Kind: "service-defaults", Name: "pricing" }],
  ["PUT", "connect/ca/configuration", {}],
  ["POST", "query", { Name: "attack", Service: { Service: "pricing" } }],
];

describe.each(["nobody", "gateway"])("the API, asked by %s", (who) => {
  let intruder: ConsulApi;

  beforeAll(async () => {
    intruder = as(who === "nobody" ? undefined : await tokenOf(who));
  });

  it.each(GUARDED.map(([method, path, body]) => ({ method, path, body })))(
    "refuses $method $path",
    async ({ method, path, body }) => {
      // A refused snapshot can be cut off while it is sent: then it is sent again.
      await eventually(() => expect(intruder.send(method, path, body)).rejects.toThrow(FORBIDDEN));
    },
  );

  it("shows only what it may see", async () => {
    const services = Object.keys(await intruder.get<object>("catalog/services"));
    expect(services.sort()).toEqual(who === "nobody" ? [] : ["catalog", "gateway"]);
    const nodes = (await intruder.get<{ Node: string }[]>("catalog/nodes")).map(({ Node }) => Node);
    expect(nodes.sort()).toEqual(who === "nobody" ? [] : ["catalog-1", "catalog-2", "gateway-1"]);
    expect(await intruder.get("agent/members")).toEqual([]);
    expect(await intruder.get("health/service/pricing")).toEqual([]);
  });
});

it("lets the management token do what the others may not", async () => {
  expect(await consul.send("PUT", "kv/allowed", "x")).toBe(true);
  expect(await consul.send("DELETE", "kv/allowed")).toBe(true);
  expect(await consul.get("operator/keyring")).toHaveLength(1);
});

describe("a service's token", () => {
  const register = (node: string, service: string) => ({
    Node: node,
    SkipNodeUpdate: true,
    Service: { ID: node, Service: service, Address: "203.0.113.1", Port: 1 },
  });

  it("writes the service's own keys, and reads no other's", async () => {
    const pricing = as(await tokenOf("pricing"));
    expect(await pricing.send("PUT", "kv/services/pricing/test", "x")).toBe(true);
    expect(await pricing.send("DELETE", "kv/services/pricing/test")).toBe(true);
    const catalog = as(await tokenOf("catalog"));
    await expect(catalog.get("kv/services/pricing/currency")).rejects.toThrow(FORBIDDEN);
    await expect(catalog.send("PUT", "kv/services/pricing/currency", "GBP")).rejects.toThrow(FORBIDDEN);
    await expect(catalog.send("PUT", "kv/services/catalogue/currency", "GBP")).rejects.toThrow(FORBIDDEN);
  });

  it("writes the service's own entry, and no other's", async () => {
    const entries = () => consul.get("catalog/service/pricing");
    const before = await entries();
    const catalog = as(await tokenOf("catalog"));
    await expect(catalog.send("PUT", "catalog/register", register("catalog-1", "pricing"))).rejects.toThrow(
      FORBIDDEN,
    );
    await expect(catalog.send("PUT", "catalog/register", register("pricing-1", "catalog"))).rejects.toThrow(
      FORBIDDEN,
    );
    await expect(
      catalog.send("PUT", "catalog/deregister", { Node: "pricing-1", ServiceID: "pricing-1" }),
    ).rejects.toThrow(FORBIDDEN);
    expect(await entries()).toEqual(before);

    const [own] = await consul.get<[{ CheckID: string }]>("health/checks/catalog");
    const status = { Node: "catalog-1", SkipNodeUpdate: true, Check: { ...own, Output: "by its own token" } };
    expect(await catalog.send("PUT", "catalog/register", status)).toBe(true);
  });
});

describe("the network", () => {
  it("does not let an agent in that has no gossip key, or another one", async () => {
    const config = {
      datacenter: "sec",
      retry_join: ["server-1"],
      retry_interval: "1s",
      leave_on_terminate: true,
      log_level: "debug",
    };
    const other = Buffer.alloc(32, 7).toString("base64");
    await Promise.all([
      startAgent("intruder-1", NETWORK, { ...config, node_name: "intruder-1" }),
      startAgent("intruder-2", NETWORK, { ...config, node_name: "intruder-2", encrypt: other }),
      // This one has stolen the key: it shows that the others were kept out by the lack of it.
      startAgent("intruder-3", NETWORK, { ...config, node_name: "intruder-3", encrypt: await gossipKey() }),
    ]);
    const members = async () => (await readDatacenter(consul)).members.map(({ name }) => name);
    await eventually(async () => {
      expect(await members()).toContain("intruder-3");
      for (const intruder of ["intruder-1", "intruder-2"])
        expect(await logOf(intruder)).toMatch(/Join cluster failed/);
    });
    expect(await members()).not.toEqual(expect.arrayContaining(["intruder-1"]));
    expect(await members()).not.toEqual(expect.arrayContaining(["intruder-2"]));
  });

  it("gives an agent with the gossip key, but without a certificate and a token, nothing more", async () => {
    await eventually(async () => {
      expect(await logOf("intruder-3")).toMatch(
        /failed to sync remote state.*(rpc error|EOF|reset|closed|TLS)/,
      );
    });
    const nodes = (await consul.get<{ Node: string }[]>("catalog/nodes")).map(({ Node }) => Node);
    const services = await docker("exec", "intruder-3", "sh", "-c", "consul catalog services 2>&1 || true");
    expect(services).not.toContain("catalog");
    for (const intruder of ["intruder-1", "intruder-2", "intruder-3"]) await removeAgent(intruder);
    await eventually(async () => {
      const { members } = await readDatacenter(consul);
      expect(members.filter(({ status }) => status === "alive")).toHaveLength(5);
    });
    expect(nodes).toContain("server-1");
  });

  it("closes a server's RPC port to who has no certificate, another authority's, or speaks plainly", async () => {
    const stolen = "cert: readFileSync('/stolen/server.pem'), key: readFileSync('/stolen/server-key.pem')";
    const forged = await issueCertificate(await createAuthority("Consul CA sec"), {
      names: ["server.sec.consul"],
      client: true,
    });
    const options = JSON.stringify({ cert: forged.certificate, key: forged.key });
    expect(await handshake(NETWORK, `{ ${stolen} }`, [VOLUME("server-1")])).toMatch(/^open /);
    expect(await handshake(NETWORK, "{}")).toBe("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
    expect(await handshake(NETWORK, options)).toMatch(
      /^(ERR_SSL_TLSV1_ALERT_UNKNOWN_CA|ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE)$/,
    );
    expect(await plainRpc(NETWORK)).toBe("closed");
  });

  it("does not take a server that shows a certificate for another name", async () => {
    // The certificate is the authority's own, for the agents' API; its name is not server.sec.consul.
    const file = (name: string) => `/stolen/${name}`;
    await startAgent(
      "intruder-4",
      NETWORK,
      {
        server: true,
        datacenter: "sec",
        node_name: "intruder-4",
        retry_join: ["server-1"],
        leave_on_terminate: true,
        encrypt: await gossipKey(),
        tls: {
          defaults: {
            ca_file: file("ca.pem"),
            cert_file: file("api.pem"),
            key_file: file("api-key.pem"),
            verify_outgoing: true,
          },
        },
      },
      [VOLUME("client-1")],
    );
    const logs = async () =>
      (
        await Promise.all(["server-1", "server-2", "server-3"].map((server) => logOf(CONTAINER(server))))
      ).join("");
    await eventually(async () => {
      expect(await logs()).toMatch(/certificate is valid for .* server\.sec\.consul/);
    });
    interface Peer {
      readonly Node: string;
      readonly Voter: boolean;
    }
    const { Servers } = await consul.get<{ Servers: Peer[] }>("operator/raft/configuration");
    expect(
      Servers.filter(({ Voter }) => Voter)
        .map(({ Node }) => Node)
        .sort(),
    ).toEqual(["server-1", "server-2", "server-3"]);
    await removeAgent("intruder-4");
    await consul.send("PUT", "agent/force-leave/intruder-4?prune");
    await eventually(async () => {
      const peers = await consul.get<{ Servers: Peer[] }>("operator/raft/configuration");
      expect(peers.Servers).toHaveLength(3);
      expect(isHealthy(await readDatacenter(consul))).toBe(true);
    }, 60);
  });

  it("is closed to containers of another network", async () => {
    const containers = await dockerLines("ps", "-q", "--filter", "label=consul-docker.stack=sec");
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    const addresses = await dockerLines("inspect", "-f", format, ...containers);
    const targets = addresses.flatMap((address) =>
      [53, 8080, 8300, 8301, 8302, 8500, 8501, 8502, 8503, 8600].map((port) => `${address}:${port}`),
    );
    expect(addresses).toHaveLength(12);
    expect(await reachable(NETWORK, targets)).not.toEqual([]);
    expect(await reachable("bridge", targets)).toEqual([]);
  });

  it("publishes nothing on an address beyond loopback", async () => {
    const opens = (host: string, port: number) =>
      new Promise<boolean>((resolve) => {
        const socket = connect({ host, port, timeout: 1000 });
        const end = (open: boolean) => {
          socket.destroy();
          resolve(open);
        };
        socket
          .on("connect", () => {
            end(true);
          })
          .on("timeout", () => {
            end(false);
          })
          .on("error", () => {
            end(false);
          });
      });
    const ports = [19500, 19600, 19080];
    const beyond = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4")
      .map(({ address }) => address);
    expect(beyond).not.toEqual([]);
    for (const port of ports) {
      expect(await opens("127.0.0.1", port)).toBe(true);
      for (const address of beyond) expect(await opens(address, port)).toBe(false);
    }
  });
});

describe("DNS", () => {
  it("answers what the stack declares, and nothing else", async () => {
    const resolver = new Resolver();
    resolver.setServers([outputs.dnsAddress]);
    await consul.send("PUT", "catalog/register", {
      Node: "hidden-1",
      Address: "10.90.0.200",
      Service: { Service: "hidden", Port: 1 },
    });
    try {
      expect(await resolver.resolve4("catalog.service.consul")).toHaveLength(1);
      await expect(resolver.resolve4("hidden.service.consul")).rejects.toThrow("ENOTFOUND");
      await expect(resolver.resolve4("consul-esm.service.consul")).rejects.toThrow("ENOTFOUND");
    } finally {
      await consul.send("PUT", "catalog/deregister", { Node: "hidden-1" });
    }
  });
});

describe("secrets", () => {
  let secrets: Map<string, string>;

  beforeAll(async () => {
    secrets = secretsOf(await stack.exported());
    secrets.set("management token", outputs.managementToken ?? "");
  });

  it("are in the state, and can be found", async () => {
    // 3 of the datacenter, 3 private keys, and the tokens of 5 agents, 3 services, the monitors and DNS.
    expect([...secrets.keys()].filter((name) => name !== "management token")).toHaveLength(16);
    const own = await docker("exec", CONTAINER("server-1"), "sh", "-c", "cat /consul/secrets/*");
    expect(leaked(own)).toEqual(expect.arrayContaining(["gossip-key", "management token", "recovery-token"]));
  });

  it("are in no description of a container, volume, network or image", async () => {
    const filter = ["--filter", "label=consul-docker.stack=sec"];
    const ids = [
      ...(await dockerLines("ps", "-aq", ...filter)),
      ...(await dockerLines("volume", "ls", "-q", ...filter)),
      ...(await dockerLines("network", "ls", "-q", ...filter)),
      ...(await dockerLines("images", "-q", ...filter)),
    ];
    expect(ids.length).toBeGreaterThan(25);
    expect(leaked(await docker("inspect", ...ids))).toEqual([]);
    for (const image of await dockerLines("images", "-q", ...filter))
      expect(leaked(await docker("history", "--no-trunc", image))).toEqual([]);
  });

  it("are in no log", async () => {
    const logs = await Promise.all((await containers()).map(logOf));
    expect(logs.join("").length).toBeGreaterThan(1000);
    expect(leaked(logs.join(""))).toEqual([]);
  });

  it("are not in the state as it lies on the disk, nor in outputs that were not asked for them", async () => {
    const state = await stack.plainState();
    expect(state).toContain("consul:index/aclToken:AclToken");
    expect(leaked(state)).toEqual([]);
    const shown = await stack.shownOutputs();
    expect(shown).toContain("[secret]");
    expect(leaked(shown)).toEqual([]);
  });

  it("are not in the repository", async () => {
    const files = (await run("git", ["ls-files", "-co", "--exclude-standard"])).stdout
      .split("\n")
      .filter(Boolean);
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap((file) => leaked(readFileSync(file, "latin1")))).toEqual([]);
  });

  it("are in no process's arguments or environment", async () => {
    const seen = new Set<string>();
    const end = Date.now() + 6000;
    while (Date.now() < end) {
      await sleep(2);
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        for (const file of ["cmdline", "environ"]) {
          try {
            seen.add(readFileSync(`/proc/${pid}/${file}`, "latin1"));
          } catch {
            // The process has ended.
          }
        }
      }
    }
    const all = [...seen].join("\n");
    expect(all).toContain("server-health.sh");
    expect(leaked(all)).toEqual([]);
  });

  it("are files that only their reader can read", async () => {
    for (const [name, folder, user] of [
      ["server-1", "/consul/secrets", "100:1000"],
      ["client-1", "/consul/secrets", "100:1000"],
      ["monitor-1", "/run/consul", "100:1000"],
      ["gateway-1", "/run/consul", "10001:10001"],
    ] as const) {
      const modes = await docker("exec", CONTAINER(name), "sh", "-c", `stat -c '%a %u:%g' ${folder}/*`);
      expect([...new Set(modes.split("\n"))]).toEqual([`400 ${user}`]);
      await expect(docker("exec", CONTAINER(name), "sh", "-c", `echo x > ${folder}/x`)).rejects.toThrow(
        "Read-only",
      );
      await expect(docker("exec", CONTAINER(name), "sh", "-c", "echo x > /x")).rejects.toThrow("Read-only");
    }
  });

  it("leave a client with no more than its own", async () => {
    const files = await docker("exec", CONTAINER("client-1"), "sh", "-c", "cat /consul/secrets/*");
    expect(leaked(files).sort()).toEqual(["agent-client-1", "api-certificate", "dns", "gossip-key"]);
    const service = await docker("exec", CONTAINER("gateway-1"), "sh", "-c", "cat /run/consul/*");
    expect([...new Set(leaked(service))]).toEqual(["service-gateway"]);
  });

  /** The names of the secrets whose values are in `text`. */
  function leaked(text: string): string[] {
    return [...secrets].filter(([, value]) => text.includes(value)).map(([name]) => name);
  }
});

describe("the gateway", () => {
  /** Sends bytes as they are; resolves to what came back until the connection closed, or for at most 12 seconds. */
  const raw = (...chunks: readonly string[]) =>
    new Promise<string>((resolve) => {
      let answer = "";
      const socket = connect(19080, "127.0.0.1", () => {
        for (const chunk of chunks) socket.write(chunk);
      });
      socket.setTimeout(12_000, () => socket.destroy());
      socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
      socket
        .on("error", () => undefined)
        .on("close", () => {
          resolve(answer);
        });
    });
  const get = (path: string, ...headers: readonly string[]) =>
    raw([`GET ${path} HTTP/1.1`, "Host: gateway", "Connection: close", ...headers, "", ""].join("\r\n"));

  it.each([
    ["/products/../../etc/passwd", /^HTTP\/1\.1 40[04] /],
    ["/products/..%2f..%2fetc%2fpasswd", /^HTTP\/1\.1 400 /],
    ["/products/%2e%2e%2fproc%2fself%2fenviron", /^HTTP\/1\.1 400 /],
    ["/products/%00", /^HTTP\/1\.1 400 /],
    [`/products/${"a".repeat(5000)}`, /^HTTP\/1\.1 4\d\d /],
  ])("refuses the path %.40s", async (path, status) => {
    const answer = await get(path);
    expect(answer).toMatch(status);
    expect(answer).not.toMatch(/root:|node_modules|\n\s+at |\/app\//);
  });

  it("refuses an oversized body, and oversized headers", async () => {
    const length = 10 * 1024 * 1024;
    const head = ["POST /products HTTP/1.1", "Host: gateway", "Content-Type: application/json"];
    expect(await raw([...head, `Content-Length: ${length}`, "", "x".repeat(100_000)].join("\r\n"))).toMatch(
      /^HTTP\/1\.1 4(04|13) /,
    );
    expect(await get("/products", `X-Large: ${"x".repeat(100_000)}`)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it("refuses malformed JSON, without a word about its own insides", async () => {
    const body = '{"id": ';
    const answer = await raw(
      [
        "POST /products HTTP/1.1",
        "Host: gateway",
        "Connection: close",
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
        "",
        body,
      ].join("\r\n"),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toMatch(/node_modules|\n\s+at |fastify/i);
  });

  it("refuses requests that two readers could take for different ones", async () => {
    const smuggled = [
      "POST /products HTTP/1.1",
      "Host: gateway",
      "Content-Length: 4",
      "Transfer-Encoding: chunked",
    ];
    expect(await raw([...smuggled, "", "0", "", ""].join("\r\n"))).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("puts nothing of a request into a header of its own", async () => {
    for (const id of ["a\rX-Injected: 1", "a\nX-Injected: 1", "a%0d%0aX-Injected:%201", "x".repeat(5000)]) {
      const answer = await get("/products", `X-Request-Id: ${id}`);
      expect(answer.split("\r\n\r\n")[0]).not.toMatch(/^X-Injected/im);
      expect(answer).not.toContain("x".repeat(5000));
    }
  });

  it("cuts off who sends too slowly, and serves the others meanwhile", async () => {
    const slow = raw("GET /products HTTP/1.1\r\nHost: gateway\r\n");
    for (let call = 0; call < 20; call++) await products(outputs.gatewayUrl);
    expect(await slow).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe("a lost client, and one more", () => {
  it("joins again with nothing but the stack's own files", async () => {
    await docker("rm", "-fv", CONTAINER("client-2"));
    expectSuccess(await stack.up("--refresh"));
    await eventually(async () => {
      expect(isHealthy(await readDatacenter(consul))).toBe(true);
      const files = await docker("exec", CONTAINER("client-2"), "cat", "/consul/secrets/join.json");
      expect(files).toBe("{}");
    }, 60);
  });
});

describe("rotation under load", () => {
  let writer: Writer;
  let caller: Caller;

  beforeEach(async () => {
    // A token that is not the stack's own: a rotation leaves it alone.
    await consul
      .send("PUT", "acl/policy", { Name: "load", Rules: 'key_prefix "load/" { policy = "write" }' })
      .catch(() => undefined);
    const { SecretID } = await consul.send<{ SecretID: string }>("PUT", "acl/token", {
      Policies: [{ Name: "load" }],
    });
    writer = new Writer([as(SecretID)], "load");
    caller = new Caller(outputs.gatewayUrl);
  });

  // A test that failed before it came to stop them would leave them running.
  afterEach(() => Promise.allSettled([writer.stop(), caller.stop()]));

  async function expectNoFailure(): Promise<void> {
    const [written, called] = [await writer.stop(), await caller.stop()];
    expect(written).toMatchObject({ lost: [], failures: [] });
    expect(called).toMatchObject({ failures: [] });
    expect(written.acknowledged).toBeGreaterThan(100);
    expect(called.calls).toBeGreaterThan(100);
    await eventually(async () => {
      expect(isHealthy(await readDatacenter(consul))).toBe(true);
    });
  }

  it("replaces the gossip key", async () => {
    const old = await gossipKey();
    expectSuccess(await stack.rotate("gossip"));
    const [ring] =
      await consul.get<[{ Keys: Record<string, number>; PrimaryKeys: Record<string, number> }]>(
        "operator/keyring",
      );
    const key = await gossipKey();
    expect(key).not.toBe(old);
    expect(ring).toMatchObject({ Keys: { [key]: 5 }, PrimaryKeys: { [key]: 5 } });
    expect(Object.keys(ring.Keys)).toHaveLength(1);
    await expectNoFailure();
  });

  it("replaces the certificates, which the agents then show", async () => {
    const serial = () =>
      handshake(
        NETWORK,
        "{ cert: readFileSync('/stolen/server.pem'), key: readFileSync('/stolen/server-key.pem') }",
        [VOLUME("server-1")],
      );
    const old = await serial();
    expectSuccess(await stack.rotate("certificates"));
    await eventually(async () => {
      expect(await serial()).toMatch(/^open /);
      expect(await serial()).not.toBe(old);
    });
    expect(await as(undefined).get("status/leader")).toMatch(/:8300$/);
    await expectNoFailure();
  });

  it("replaces every token and revokes the old ones, and goes on where it was cut off", async () => {
    const old = secretsOf(await stack.exported());
    await stack.rotate("tokens", "step 2 of 3");
    await stack.cancel();
    expectSuccess(await stack.rotate("tokens"));
    outputs = await stack.outputs();
    consul = new ConsulApi(outputs);
    const tokens = [...old].filter(
      ([, value]) => /^[0-9a-f-]{36}$/.test(value) && value !== old.get("recovery-token"),
    );
    expect(tokens).toHaveLength(11);
    for (const [, token] of tokens) await expect(as(token).get("acl/token/self")).rejects.toThrow(FORBIDDEN);
    const left = await consul.get<{ Description: string }[]>("acl/tokens");
    expect(left.filter(({ Description }) => /management/i.test(Description))).toHaveLength(1);
    writer = Object.assign(writer, { consul });
    await expectNoFailure();
    // After all three: each rotation refuses to begin where the one before left a change.
    expectSuccess(await stack.previewExpectingNoChanges());
  });
});

describe("status", () => {
  it("says when the certificates expire", async () => {
    const { stdout } = await stack.npm("status");
    expect(stdout).toMatch(/^ {2}server {2}\d{4}-\d\d-\d\d {2}36\d days left$/m);
    expect(stdout).toMatch(/^ {2}ca {6}\d{4}-\d\d-\d\d {2}36\d\d days left$/m);
  });
});

async function containers(): Promise<string[]> {
  return dockerLines("ps", "--format", "{{.Names}}", "--filter", "label=consul-docker.stack=sec");
}

/** The secrets in an exported state, by the names of what they are kept as; of a key in PEM, a line of its middle. */
function secretsOf(state: string): Map<string, string> {
  const { deployment } = JSON.parse(state) as {
    deployment: { resources: { type: string; urn: string; outputs: { output?: { plaintext: string } } }[] };
  };
  return new Map(
    deployment.resources
      .filter(({ type }) => type === "pulumi:index:Stash")
      .map(({ urn, outputs }) => {
        const name = (urn.split("::").at(-1) ?? "").replace(/-[0-9a-f]{8}$/, "");
        const value = JSON.parse(outputs.output?.plaintext ?? '""') as string | { key: string };
        return [name, typeof value === "string" ? value : (value.key.split("\n")[1] ?? "")];
      }),
  );
}
