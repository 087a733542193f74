import { ConsulApi } from "../../scripts/consul-api";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  instanceStatus,
  isHealthy,
  readDatacenter,
  type CheckStatus,
  type DatacenterStatus,
} from "../../scripts/datacenter";

const member = (name: string, address: string, status = 1) => ({
  Name: name,
  Addr: address,
  Status: status,
  Tags: {
    dc: "dc7",
    role: name.startsWith("server") ? "consul" : "node",
    build: "1.22.7:abcdef12",
    ...(name.startsWith("server") ? { port: "8300" } : {}),
  },
});
const check = (status: string, output = "HTTP GET: 200 OK") => ({
  Name: "HTTP /ready",
  Status: status,
  Output: output,
});
const entry = (id: string, status = "passing", output?: string) => ({
  Node: { Node: id, Address: `${id}.node` },
  Service: { ID: id, Address: id, Port: 8080 },
  Checks: [check(status, output)],
});

const EXTERNAL =
  "%22external-node%22%20in%20Meta%20and%20Meta%5B%22external-node%22%5D%20%3D%3D%20%22true%22";
/** The nodes that a monitor was given. */
const share = (monitor: string, nodes: Readonly<Record<string, string[] | null>>) => ({
  Key: `consul-esm/agents/consul-esm:${monitor}`,
  Value: Buffer.from(JSON.stringify(nodes)).toString("base64"),
});

/** A healthy datacenter, as an agent answers. */
const HEALTHY: Record<string, unknown> = {
  "/v1/agent/members": [
    member("client-1", "10.9.0.21"),
    member("server-10", "10.9.0.20"),
    member("server-2", "10.9.0.12"),
    member("server-1", "10.9.0.11"),
  ],
  "/v1/status/leader": "10.9.0.12:8300",
  "/v1/catalog/services?stale": { consul: [], pricing: ["rpc"], catalog: [] },
  "/v1/health/service/catalog?stale": [entry("catalog-10"), entry("catalog-2")],
  "/v1/health/service/pricing?stale": [entry("pricing-1")],
  "/v1/health/service/consul-esm?stale": ["monitor-1", "monitor-2"].map((name) =>
    entry(`consul-esm:${name}`),
  ),
  [`/v1/catalog/nodes?filter=${EXTERNAL}&stale`]: ["catalog-2", "catalog-10", "pricing-1"].map((Node) => ({
    Node,
  })),
  "/v1/kv/consul-esm/agents/?recurse&stale": [
    share("monitor-1", { Nodes: ["catalog-10", "pricing-1"], Probes: null }),
    share("monitor-2", { Nodes: null, Probes: ["catalog-2"] }),
  ],
  "/v1/health/state/critical?stale": [],
};

const closing: (() => Promise<void>)[] = [];

/** An agent that gives these answers; a number is a status without a body. */
async function agentUrl(answers: Record<string, unknown>): Promise<string> {
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? ""];
    response.statusCode = answer === undefined ? 404 : typeof answer === "number" ? answer : 200;
    response.end(typeof answer === "number" ? "No cluster leader\n" : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function agent(answers: Parameters<typeof agentUrl>[0]): Promise<ConsulApi> {
  return new ConsulApi({ httpApiUrl: await agentUrl(answers) });
}

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

test("a healthy datacenter is read with members, leader, services and checks, each in order", async () => {
  const status = await readDatacenter(await agent(HEALTHY), ["monitor-1", "monitor-2"]);

  const alive = { version: "1.22.7", status: "alive" };
  const passing = [{ name: "HTTP /ready", status: "passing", output: "HTTP GET: 200 OK" }];
  expect(status).toEqual({
    datacenter: "dc7",
    members: [
      { name: "server-1", role: "server", address: "10.9.0.11", leader: false, ...alive },
      { name: "server-2", role: "server", address: "10.9.0.12", leader: true, ...alive },
      { name: "server-10", role: "server", address: "10.9.0.20", leader: false, ...alive },
      { name: "client-1", role: "client", address: "10.9.0.21", leader: false, ...alive },
    ],
    services: [
      {
        name: "catalog",
        instances: [
          { name: "catalog-2", address: "catalog-2:8080", checks: passing },
          { name: "catalog-10", address: "catalog-10:8080", checks: passing },
        ],
      },
      { name: "pricing", instances: [{ name: "pricing-1", address: "pricing-1:8080", checks: passing }] },
    ],
    monitorFaults: [],
  });
  expect(isHealthy(status)).toBe(true);
});

test.each([
  [
    "that is not registered",
    [entry("consul-esm:monitor-2")],
    ["monitor-1 is not registered", "no monitor runs the checks of catalog-10, pricing-1"],
  ],
  [
    "whose heartbeat is late",
    [entry("consul-esm:monitor-1", "critical"), entry("consul-esm:monitor-2")],
    [
      "monitor-1 does not pass: Consul misses its heartbeat",
      "no monitor runs the checks of catalog-10, pricing-1",
    ],
  ],
])("with a monitor %s it is not healthy, though all checks pass", async (_, monitors, faults) => {
  const answers = { ...HEALTHY, "/v1/health/service/consul-esm?stale": monitors };

  const status = await readDatacenter(await agent(answers), ["monitor-1", "monitor-2"]);

  expect(status.monitorFaults).toEqual(faults);
  expect(isHealthy(status)).toBe(false);
});

test("with nodes that nobody was given it is not healthy", async () => {
  const status = await readDatacenter(
    await agent({ ...HEALTHY, "/v1/kv/consul-esm/agents/?recurse&stale": undefined }),
    ["monitor-1"],
  );

  expect(status.monitorFaults).toEqual(["no monitor runs the checks of catalog-10, catalog-2, pricing-1"]);
  expect(isHealthy(status)).toBe(false);
});

test("a critical check without an output was not run yet", async () => {
  const status = await readDatacenter(
    await agent({ ...HEALTHY, "/v1/health/service/pricing?stale": [entry("pricing-1", "critical", "")] }),
  );

  expect(status.services[1]?.instances[0]?.checks[0]?.output).toBe("no monitor has run it yet");
});

test("without a leader it is not healthy", async () => {
  const status = await readDatacenter(await agent({ ...HEALTHY, "/v1/status/leader": "" }));

  expect(status.members.filter(({ leader }) => leader)).toEqual([]);
  expect(isHealthy(status)).toBe(false);
});

test.each([
  [0, "none"],
  [2, "leaving"],
  [4, "failed"],
  [9, "unknown"],
])("with a member in Serf's state %d, %s, it is not healthy", async (state, word) => {
  const members = [member("server-1", "10.9.0.11"), member("client-1", "10.9.0.21", state)];
  const answers = { ...HEALTHY, "/v1/agent/members": members, "/v1/status/leader": "10.9.0.11:8300" };

  const status = await readDatacenter(await agent(answers));

  expect(status.members.map((one) => one.status)).toEqual(["alive", word]);
  expect(isHealthy(status)).toBe(false);
});

test("a member that left in order is shown as such, and is no fault", async () => {
  const members = [member("server-2", "10.9.0.12"), member("client-1", "10.9.0.21", 3)];

  const status = await readDatacenter(await agent({ ...HEALTHY, "/v1/agent/members": members }));

  expect(status.members.map((one) => one.status)).toEqual(["alive", "left"]);
  expect(isHealthy(status)).toBe(true);
});

test("with a critical check it is not healthy, and the first line of the reason is kept", async () => {
  const critical = entry("pricing-1", "critical", "dial tcp: connection refused\nand more\n");

  const status = await readDatacenter(
    await agent({ ...HEALTHY, "/v1/health/service/pricing?stale": [critical] }),
  );

  expect(status.services[1]?.instances[0]?.checks).toEqual([
    { name: "HTTP /ready", status: "critical", output: "dial tcp: connection refused" },
  ]);
  expect(isHealthy(status)).toBe(false);
});

test("an instance without an address of its own has its node's", async () => {
  const bare = { ...entry("pricing-1"), Service: { ID: "pricing-1", Address: "", Port: 8080 } };

  const status = await readDatacenter(
    await agent({ ...HEALTHY, "/v1/health/service/pricing?stale": [bare] }),
  );

  expect(status.services[1]?.instances[0]?.address).toBe("pricing-1.node:8080");
});

test("an instance without a port has its address alone", async () => {
  const portless = { ...entry("pricing-1"), Service: { ID: "pricing-1", Address: "pricing-1" } };

  const status = await readDatacenter(
    await agent({ ...HEALTHY, "/v1/health/service/pricing?stale": [portless] }),
  );

  expect(status.services[1]?.instances[0]?.address).toBe("pricing-1");
});

test("an agent that is not there gets one line", async () => {
  const url = await agentUrl({});
  await closing.pop()?.();

  await expect(readDatacenter(new ConsulApi({ httpApiUrl: url }))).rejects.toThrow(
    new Error(`Consul does not answer at ${url}/v1/agent/members: ECONNREFUSED`),
  );
});

test("an agent that answers with an error gets one line, with what it said", async () => {
  const url = await agentUrl({ ...HEALTHY, "/v1/catalog/services?stale": 500 });

  await expect(readDatacenter(new ConsulApi({ httpApiUrl: url }))).rejects.toThrow(
    new Error(`Consul answers 500 at ${url}/v1/catalog/services?stale: No cluster leader`),
  );
});

test.each<[CheckStatus[], CheckStatus]>([
  [[], "passing"],
  [["passing"], "passing"],
  [["passing", "warning"], "warning"],
  [["critical", "warning", "passing"], "critical"],
])("an instance with checks %j is %s", (statuses, worst) => {
  const checks = statuses.map((status) => ({ name: "HTTP /ready", status, output: "" }));

  expect(instanceStatus({ name: "api-1", address: "api-1:8080", checks })).toBe(worst);
});

test("an instance that only warns is not healthy", () => {
  const status: DatacenterStatus = {
    datacenter: "dc7",
    members: [
      { name: "server-1", role: "server", address: "10.9.0.11", version: "1", status: "alive", leader: true },
    ],
    services: [
      {
        name: "api",
        instances: [
          { name: "api-1", address: "api-1:1", checks: [{ name: "c", status: "warning", output: "" }] },
        ],
      },
    ],
    monitorFaults: [],
  };

  expect(isHealthy(status)).toBe(false);
  expect(isHealthy({ ...status, services: [] })).toBe(true);
});
