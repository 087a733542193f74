import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ConsulApi } from "../../scripts/consul-api";
import { isHealthy, readDatacenter } from "../../scripts/datacenter";
import { versionOf } from "../../versions";
import { docker, expectSuccess } from "../integration/command";
import { checks } from "../integration/consul";
import { eventually } from "../integration/eventually";
import { products } from "../integration/gateway";
import { Load } from "../integration/load";
import { summary, type Report } from "../integration/report";
import { TestStack, type Outputs } from "../integration/test-stack";
import { seenThrough } from "../integration/under-way";
import { Writer } from "../integration/writer";
import { address, GATEWAY as THIS_MACHINE, Lab, reached, REACHING, socket } from "./lab";
import { Registry } from "./registry";

// The same stack across hosts that lose their power and their network, are added and drained. One test goes on where
// the one before has stopped.
jest.setTimeout(600_000);

const HTTP = 19550;
const GATEWAY = 19130;
const host = (number: number, change: object = {}) => ({
  name: `host${number}`,
  ...reached(number),
  address: address(number),
  manager: number === 1,
  ...change,
});
const SETTINGS = {
  datacenter: "hosts",
  subnet: "10.99.0.0/24",
  httpPort: HTTP,
  dnsPort: 19650,
  hosts: [host(1), host(2), host(3)],
  services: [
    { name: "gateway", port: 8080, hostPort: GATEWAY, discovers: ["catalog"] },
    { name: "catalog", port: 8080, instances: 3, discovers: ["pricing"] },
    { name: "pricing", port: 8080, instances: 3, config: { currency: "EUR", discountPercent: 0 } },
  ],
};

// Another image, which this machine's engine alone has.
const CONSUL = versionOf("consul_version");
const NEXT = `hashicorp/consul:${CONSUL}-next`;
const UPGRADE = { consulVersion: `${CONSUL}-next`, logLevel: "warn" };

const reports: Report[] = [];
let registry: Registry;
let lab: Lab;
let stack: TestStack;
let outputs: Outputs;

beforeAll(async () => {
  await makeNext();
  registry = await Registry.create(`${THIS_MACHINE}:19443`);
  lab = new Lab({ SSL_CERT_FILE: registry.env.SSL_CERT_FILE });
  await lab.boot(3);
  stack = await TestStack.create("cdh", { env: { ...registry.env, ...REACHING } });
  await stack.configure(SETTINGS);
  expectSuccess(await stack.up());
  outputs = await stack.outputs();
  await eventually(expectFullHealth, 90);
});

afterAll(async () => {
  await stack.remove();
  await lab.remove();
  await registry.remove();
  await docker("image", "rm", NEXT);
});

/** The same program in another image. */
async function makeNext(): Promise<void> {
  const container = await docker("create", `hashicorp/consul:${CONSUL}`);
  await docker("commit", "--change", "LABEL next=true", container, NEXT);
  await docker("rm", "-v", container);
}

/** Consul as the client agent on a host shows it. */
function consulAt(number: number, timeoutMs = 10_000): ConsulApi {
  return new ConsulApi({ ...outputs, httpApiUrl: `https://${address(number)}:${HTTP}`, timeoutMs });
}

const gatewayAt = (number: number) => `http://${address(number)}:${GATEWAY}`;

/** A leader, three voters that the catalog knows, and every member and every check fine. */
async function expectFullHealth(): Promise<void> {
  const consul = consulAt(1);
  const [autopilot, nodes, all, datacenter] = await Promise.all([
    consul.get<{ Healthy: boolean; Voters: string[] }>("operator/autopilot/state"),
    consul.get<{ ID: string; Node: string }[]>("catalog/nodes"),
    checks(consul),
    readDatacenter(consul),
  ]);
  expect(all.filter(({ Status }) => Status !== "passing")).toEqual([]);
  if (!isHealthy(datacenter)) expect(datacenter).toBe("healthy");
  expect(autopilot.Healthy).toBe(true);
  expect(autopilot.Voters).toHaveLength(3);
  // Of a server that lost its data, the one before may have kept the name.
  const servers = nodes.filter(({ Node }) => Node.startsWith("server-"));
  expect(servers.map(({ ID }) => ID).sort()).toEqual([...autopilot.Voters].sort());
}

/**
 * All hosts are back in Swarm, and it ends or starts nothing more: on a host that it took for lost, it ends what went on
 * there, and starts that anew, which only the manager can see to.
 */
async function expectSwarmSettled(): Promise<void> {
  const services = (await lab.docker(1, "service", "ls", "-q")).split("\n");
  const [nodes, tasks] = await Promise.all([
    lab.docker(1, "node", "ls", "--format", "{{.Status}}"),
    lab.docker(1, "service", "ps", "--format", "{{.DesiredState}} {{.CurrentState}}", ...services),
  ]);
  expect(nodes.split("\n").filter((status) => status !== "Ready")).toEqual([]);
  const awaited = tasks
    .split("\n")
    .filter((task) => !/^Shutdown (Shutdown|Complete|Failed|Rejected)/.test(task));
  expect(awaited.filter((task) => !task.startsWith("Running Running"))).toEqual([]);
  expect(awaited).toHaveLength(services.length);
}

/** The nodes with a check that does not pass, as a host's agent knows it. */
async function failing(number = 1): Promise<string[]> {
  const all = await checks(consulAt(number));
  return [...new Set(all.flatMap(({ Node, Status }) => (Status === "passing" ? [] : [Node])))].sort();
}

/** What of the stack runs on a host: containers by their host names. */
async function running(number: number): Promise<string[]> {
  const ids = await lab.docker(number, "ps", "-q", "--filter", `label=consul-docker.stack=${stack.name}`);
  if (ids === "") return [];
  const names = await lab.docker(number, "inspect", "-f", "{{.Config.Hostname}}", ...ids.split("\n"));
  return names.split("\n").sort();
}

/** Where servers and the like run: host numbers, by their names. */
async function whereabouts(hosts: readonly number[], pattern: RegExp): Promise<Record<string, number>> {
  const all = await Promise.all(
    hosts.map(async (number) =>
      (await running(number)).filter((name) => pattern.test(name)).map((name) => [name, number] as const),
    ),
  );
  return Object.fromEntries(all.flat().sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** All instances of each service run on these hosts, and on more than one. */
async function expectApart(hosts: readonly number[]): Promise<void> {
  for (const service of ["catalog", "pricing"]) {
    const found = Object.values(await whereabouts(hosts, new RegExp(`^${service}-`)));
    expect(found).toHaveLength(3);
    expect(new Set(found).size).toBeGreaterThan(1);
  }
}

/** The number of the host, of these, on which the leader is. */
async function leaderHost(hosts: readonly [number, ...number[]]): Promise<number> {
  const { members } = await readDatacenter(consulAt(hosts[0]));
  const leader = members.find((member) => member.leader)?.name ?? "nobody";
  const found = (await whereabouts(hosts, /^server-/))[leader];
  if (found === undefined) throw new Error(`${leader} leads, which runs nowhere`);
  return found;
}

// A host that is lost without a word may have had two of a service's three instances, which callers have to find out.
const AT_A_LOSS = 0.05;

/**
 * Runs `fault` under a writer at the agents of two hosts and a caller of these gateways; no acknowledged write may be
 * lost, no write given up, and of the calls no more than the share `failing` may fail.
 */
async function underWay(
  name: string,
  gateways: readonly [string, ...string[]],
  fault: () => Promise<void>,
  { failing = 0, agents = [1, 3] }: { failing?: number; agents?: readonly [number, number] } = {},
): Promise<Report> {
  const writer = new Writer([consulAt(agents[0], 2_000), consulAt(agents[1], 2_000)], "hosts", 30_000);
  const load = new Load(gateways, 20);
  const report = await seenThrough(name, writer, load, fault);
  const { writes, calls } = report;
  reports.push(report);
  mkdirSync("artifacts", { recursive: true });
  writeFileSync("artifacts/hosts.md", `${summary(reports)}\n`);
  writeFileSync("artifacts/hosts.json", JSON.stringify(reports, undefined, 1));
  expect(writes).toMatchObject({ lost: [], failures: [] });
  expect(writes.acknowledged).toBeGreaterThan(20);
  if (calls.failed > calls.calls * failing) expect(calls.failures).toEqual([]);
  return report;
}

test("each host has a server, a client agent and a gateway, and the monitors are on two of them", async () => {
  expect(await whereabouts([1, 2, 3], /^(server|client|monitor|gateway)-/)).toEqual({
    "client-1": 1,
    "client-2": 2,
    "client-3": 3,
    "gateway-1": 1,
    "gateway-2": 2,
    "gateway-3": 3,
    "monitor-1": 1,
    "monitor-2": 2,
    "server-1": 1,
    "server-2": 2,
    "server-3": 3,
  });
  for (const number of [1, 2, 3]) {
    expect(await running(number)).toContain("starter");
    expect((await products(gatewayAt(number))).servedBy.gateway).toBe(`gateway-${number}`);
    expect((await readDatacenter(consulAt(number))).members).toHaveLength(6);
  }
});

test("no host has all instances of a service", () => expectApart([1, 2, 3]));

test("a container reaches those on other hosts by their names", async () => {
  for (const number of [1, 2, 3]) {
    for (const instance of ["catalog-1", "catalog-2", "catalog-3", "gateway-1", "gateway-2", "gateway-3"]) {
      const client = `consul-docker-${stack.name}-client-${number}`;
      const get = ["exec", client, "timeout", "5", "wget", "-q", "-O", "-", `http://${instance}:8080/ready`];
      expect(await lab.docker(number, ...get)).toBe('{"status":"ready"}');
    }
  }
});

test("nothing differs at a second preview, nor after a look at what is there", async () => {
  expectSuccess(await stack.previewExpectingNoChanges());
  expectSuccess(await stack.refresh());
  expectSuccess(await stack.previewExpectingNoChanges());
});

test("status and doctor find what is on the hosts", async () => {
  expectSuccess(await stack.npm("status"));
  expectSuccess(await stack.npm("doctor"));
});

test("the leader's host loses its power: others lead and serve, its instances move, and it comes back by itself", async () => {
  // Host 1 is Swarm's only manager here.
  await consulAt(1)
    .send("POST", "operator/raft/transfer-leader")
    .catch(() => undefined);
  const lost = await eventually(async () => {
    const leader = await leaderHost([1, 2, 3]);
    if (leader === 1) {
      await consulAt(1).send("POST", "operator/raft/transfer-leader");
      throw new Error("host 1 still leads");
    }
    return leader;
  });
  const others = lost === 2 ? ([1, 3] as const) : ([1, 2] as const);
  const moving = (await running(lost)).filter((name) => /^(catalog|pricing)-/.test(name));
  expect(moving).not.toEqual([]);

  await underWay(
    "power of the leader's host lost",
    [gatewayAt(1)],
    async () => {
      await lab.kill(lost);
      await eventually(async () => {
        expect(await leaderHost(others)).not.toBe(lost);
        await expectApart(others);
        expect(await failing()).toEqual([`client-${lost}`, `gateway-${lost}`, `server-${lost}`]);
      }, 120);
      for (const number of others) await eventually(() => products(gatewayAt(number)));
    },
    { failing: AT_A_LOSS },
  );
  const doctor = await stack.npm("doctor");
  expect(doctor.code).toBe(1);
  expect(doctor.output).toContain(`the Docker Engine does not answer: that of host${lost}, `);
  const up = await stack.up();
  expect(up.code).not.toBe(0);
  expect(up.output).toContain(`the Docker Engine of host${lost} does not answer`);

  await underWay("its power is back", [gatewayAt(1)], async () => {
    await lab.start(lost);
    await eventually(expectFullHealth, 120);
  });
  const { servedBy } = await eventually(() => products(gatewayAt(lost)));
  expect(servedBy.gateway).toBe(`gateway-${lost}`);
});

test("a host's network is cut and healed", async () => {
  const services = await whereabouts([2, 3], /^(catalog|pricing)-/);
  const cut = Object.values(services)[0] ?? 0;
  expect(cut).not.toBe(0);
  const others = [1, 2, 3].filter((number) => number !== cut);

  try {
    await underWay(
      "a host's network cut",
      [gatewayAt(1)],
      async () => {
        await lab.cut(cut);
        await eventually(async () => {
          await expectApart(others);
          expect(await failing()).toEqual([`client-${cut}`, `gateway-${cut}`, `server-${cut}`]);
        }, 120);
      },
      { failing: AT_A_LOSS },
    );
  } finally {
    await lab.heal(cut);
  }

  await underWay("a host's network healed", [gatewayAt(1)], () => eventually(expectFullHealth, 120));
  await eventually(expectSwarmSettled, 120);
});

test("the host of Swarm's only manager loses its power: the others serve, and it comes back by itself", async () => {
  // Nobody is there to move them.
  const staying = (await running(1)).filter((name) => /^(catalog|pricing)-/.test(name));

  await underWay(
    "power of Swarm's manager lost",
    [gatewayAt(3)],
    async () => {
      await lab.kill(1);
      await eventually(async () => {
        expect(await leaderHost([3, 2])).not.toBe(1);
        expect(await failing(3)).toEqual(["client-1", "gateway-1", "server-1", ...staying].sort());
      }, 120);
      for (const number of [2, 3]) await eventually(() => products(gatewayAt(number)));
    },
    { failing: AT_A_LOSS, agents: [3, 2] },
  );

  await underWay("Swarm's manager is back", [gatewayAt(3)], async () => {
    await lab.start(1);
    await eventually(expectFullHealth, 120);
  });
  await eventually(() => products(gatewayAt(1)));
});

test("all hosts lose their power: what their engines give up on is brought back, and nothing acknowledged is lost", async () => {
  const keys = Array.from({ length: 20 }, (_, index) => `kv/power/${index}`);
  for (const key of keys) await consulAt(1).send("PUT", key, key);
  await Promise.all([1, 2, 3].map((number) => lab.kill(number)));

  // Without the manager no engine may join its containers to the network. Each tries it once.
  await Promise.all([2, 3].map((number) => lab.start(number)));
  for (const number of [2, 3]) {
    const server = `consul-docker-${stack.name}-server-${number}`;
    await eventually(async () => {
      expect(await lab.docker(number, "inspect", "-f", "{{.State.Error}}", server)).toContain("attach");
    }, 60);
  }
  await lab.start(1);

  await eventually(expectFullHealth, 180);
  for (const key of keys) expect(await consulAt(1).get(`${key}?raw`)).toBe(key);
  for (const number of [1, 2, 3]) await eventually(() => products(gatewayAt(number)));
});

test("gossip key, certificates and tokens are replaced", async () => {
  const { managementToken } = outputs;
  for (const kind of ["gossip", "certificates"] as const)
    await underWay(`${kind} rotated`, [gatewayAt(1), gatewayAt(3)], async () => {
      expectSuccess(await stack.rotate(kind));
      outputs = await stack.outputs();
      await eventually(expectFullHealth, 120);
    });

  expectSuccess(await stack.rotate("tokens"));
  outputs = await stack.outputs();
  await eventually(expectFullHealth, 120);
  expect(outputs.managementToken).not.toBe(managementToken);
  const old = new ConsulApi({ ...outputs, managementToken });
  await expect(old.get("acl/token/self")).rejects.toThrow("Consul answers 403");
  for (const number of [1, 2, 3]) await products(gatewayAt(number));
});

test("a backup is restored", async () => {
  const consul = consulAt(1);
  const file = join(await mkdtemp(join(tmpdir(), "hosts-backup-")), "hosts.snap");
  await consul.send("PUT", "kv/team/rule", "before");
  expectSuccess(await stack.npm("backup", file));
  await consul.send("PUT", "kv/team/rule", "after");

  expectSuccess(await stack.restore(file));

  expect(await consul.get("kv/team/rule?raw")).toBe("before");
  await eventually(expectFullHealth, 120);
  expectSuccess(await stack.previewExpectingNoChanges());
  await rm(dirname(file), { recursive: true });
});

test("a host that is lost with its disk is replaced by an empty one of its name", async () => {
  await underWay("a host replaced by an empty one", [gatewayAt(1)], async () => {
    await lab.wipe(2);
    // Until Consul has noticed, an agent may wait for an answer of the lost server, half a minute long.
    await eventually(async () => {
      expect(await failing()).toEqual(expect.arrayContaining(["client-2", "gateway-2", "server-2"]));
    }, 120);
    await lab.docker(1, "node", "rm", "--force", "host2");
    await lab.grow(3);
    expectSuccess(await stack.up("--refresh"));
    await eventually(expectFullHealth, 120);
  });

  expect(await running(2)).toEqual(
    expect.arrayContaining(["client-2", "gateway-2", "monitor-2", "server-2"]),
  );
  expectSuccess(await stack.previewExpectingNoChanges());
});

test("an upgrade rolls over the hosts, and no majority, no write and no call is lost", async () => {
  const containers = () => Promise.all([1, 2, 3].map((number) => lab.docker(number, "ps", "-q")));
  const before = (await containers()).flatMap((ids) => ids.split("\n"));
  // Each host's gateway is away for a moment, as nothing else may have its port.
  await underWay("another Consul image and log level", [gatewayAt(1), gatewayAt(3)], async () => {
    await stack.configure({ ...SETTINGS, ...UPGRADE });
    expectSuccess(await stack.up());
    await eventually(expectFullHealth, 120);
  });

  const after = (await containers()).flatMap((ids) => ids.split("\n"));
  expect(after).toHaveLength(before.length);
  // The starters have nothing of it.
  const starters = ["ps", "-q", "--filter", "label=consul-docker.role=starter"];
  const kept = await Promise.all([1, 2, 3].map((number) => lab.docker(number, ...starters)));
  expect(after.filter((id) => before.includes(id))).toEqual(kept);
  const next = await docker("image", "inspect", "-f", "{{.Id}}", NEXT);
  for (const number of [1, 2, 3]) {
    const server = `consul-docker-${stack.name}-server-${number}`;
    expect(await lab.docker(number, "inspect", "-f", "{{.Image}}", server)).toBe(next);
  }
});

test("a host is added and another one drained by the stack file alone", async () => {
  await lab.grow(4);
  const hosts = [host(1), host(2, { drain: true }), host(3), host(4)];
  await underWay("one host added, one drained", [gatewayAt(1), gatewayAt(3)], async () => {
    await stack.configure({ ...SETTINGS, ...UPGRADE, hosts });
    expectSuccess(await stack.up());
    await eventually(expectFullHealth, 120);
  });

  // Pulumi does not wait for the end of a service on another host than the manager.
  await eventually(async () => {
    expect(await running(2)).toEqual([]);
  });
  expect(await whereabouts([1, 3, 4], /^(server|gateway|monitor)-/)).toEqual({
    "gateway-1": 1,
    "gateway-3": 3,
    "gateway-4": 4,
    "monitor-1": 1,
    "monitor-2": 3,
    "server-1": 1,
    "server-2": 4,
    "server-3": 3,
  });
  expectSuccess(await stack.previewExpectingNoChanges());
  expectSuccess(await stack.refresh());
  expectSuccess(await stack.previewExpectingNoChanges());
});

/** What instances of services run on a host: image and its ID, by the service's name. */
async function images(number: number): Promise<Record<string, string>> {
  const filters = [`stack=${stack.name}`, "role=service"].flatMap((label) => [
    "--filter",
    `label=consul-docker.${label}`,
  ]);
  const ids = (await lab.docker(number, "ps", "-q", ...filters)).split("\n");
  const format = "{{.Config.Hostname}} {{.Config.Image}} {{.Image}}";
  const lines = (await lab.docker(number, "inspect", "-f", format, ...ids)).split("\n");
  return Object.fromEntries(
    lines.map((line) => {
      const [hostname = "", ...image] = line.split(" ");
      return [hostname.replace(/-\d+$/, ""), image.join(" ")];
    }),
  );
}

describe("with a registry", () => {
  const hosts = [host(1), host(2, { drain: true }), host(3), host(4)];

  test("a stack that has no login there, or does not reach it, is not touched", async () => {
    await stack.configure({ ...SETTINGS, ...UPGRADE, hosts, registry: `${registry.host}/team` });
    expect((await stack.preview()).code).toBe(0);
    const unreachable = await stack.up();
    await registry.start();
    await registry.login(socket(1));
    await registry.stop();
    const stopped = await stack.up();
    await registry.start();

    const remedy = "correct consul-docker:registry, or see to the registry and the network between";
    expect(unreachable.code).not.toBe(0);
    expect(unreachable.output).toContain(
      `the docker command has no login for the registry ${registry.host}; run docker login ${registry.host} on this machine`,
    );
    expect(unreachable.output).toContain(`this machine cannot reach the registry ${registry.host} (connect`);
    expect(stopped.code).not.toBe(0);
    for (const { name } of hosts)
      expect(stopped.output).toMatch(
        new RegExp(`${name} cannot use the registry ${registry.host} \\(.*connection refused\\); ${remedy}`),
      );
    await expectFullHealth();
  });

  test("every host runs what was built once, by its digest", async () => {
    await underWay("the services' images through a registry", [gatewayAt(1), gatewayAt(3)], async () => {
      const up = await stack.up();
      expectSuccess(up);
      expect(registry.isToldBy(up.output)).toBe(false);
      await eventually(expectFullHealth, 120);
    });

    const [first, ...others] = await Promise.all([1, 3, 4].map(images));
    const all = { ...first, ...Object.assign({}, ...others) } as Record<string, string>;
    expect(Object.keys(all).sort()).toEqual(["catalog", "gateway", "pricing"]);
    for (const [service, image] of Object.entries(all))
      expect(image).toMatch(
        new RegExp(
          `^${registry.host}/team/consul-docker-${stack.name}-${service}:\\w+-${versionOf("node_image_tag")}@sha256:\\w{64} sha256:\\w{64}$`,
        ),
      );
    for (const found of [first, ...others]) expect(all).toMatchObject(found ?? {});
    // Built ones have a tag; of the pulled ones only the digest is known.
    const built = ["images", "--filter", `label=consul-docker.stack=${stack.name}`];
    for (const [number, count] of [
      [1, 3],
      [2, 0],
      [3, 0],
      [4, 0],
    ] as const) {
      const tags = await lab.docker(number, ...built, "--format", "{{.Tag}}");
      expect(tags.split("\n").filter((tag) => !["", "<none>"].includes(tag))).toHaveLength(count);
    }
    for (const number of [1, 3, 4])
      expect((await products(gatewayAt(number))).servedBy.gateway).toBe(`gateway-${number}`);
  });

  test("nothing differs at a second preview, nor after a look, and nothing has the login", async () => {
    expectSuccess(await stack.previewExpectingNoChanges());
    expectSuccess(await stack.refresh());
    expectSuccess(await stack.previewExpectingNoChanges());
    expectSuccess(await stack.npm("doctor"));
    expect(registry.isToldBy(await stack.exported())).toBe(false);
    expect(registry.isToldBy(await stack.plainState())).toBe(false);
  });

  test("a host that has lost an image pulls it again by itself", async () => {
    const image = (await images(4))["gateway"]?.split(" ")[0] ?? "";
    const gateway = await lab.docker(4, "ps", "-q", "--filter", "name=gateway-4");
    await lab.docker(4, "rm", "-f", gateway);
    await lab.docker(4, "image", "rm", "-f", image);

    await eventually(async () => {
      expect((await images(4))["gateway"]).toContain(image);
      // Not only known by the container that runs it.
      await lab.docker(4, "image", "inspect", image);
    }, 60);
    await eventually(expectFullHealth, 60);
  });
});

test("the end leaves nothing on any host", async () => {
  expectSuccess(await stack.down());

  const label = ["--filter", `label=consul-docker.stack=${stack.name}`];
  for (const number of [1, 2, 3, 4]) {
    await eventually(async () => {
      expect(await running(number)).toEqual([]);
    });
    const left = await Promise.all([
      lab.docker(number, "ps", "-a", "-q", ...label),
      lab.docker(number, "volume", "ls", "-q", ...label),
      lab.docker(number, "network", "ls", "-q", ...label),
      lab.docker(number, "images", "-a", "-q", ...label),
    ]);
    expect([number, ...left]).toEqual([number, "", "", "", ""]);
  }
});
