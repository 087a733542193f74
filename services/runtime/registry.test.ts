import { Consul } from "./consul";
import { ConsulRegistry } from "./registry";
import { type Step, scriptedAgent } from "./testing/agent";
import { recordedLog, until } from "./testing/helpers";

let registry: ConsulRegistry;
let agent: Awaited<ReturnType<typeof scriptedAgent>>;

async function setUp(...script: Step[]): Promise<void> {
  agent = await scriptedAgent(...script);
  registry = new ConsulRegistry(
    new Consul({ addresses: [agent.address], timeoutMs: 1_000 }),
    recordedLog().log,
  );
}

afterEach(async () => {
  registry.stop();
  await agent.close();
});

function entry(id: string, address = "10.0.0.1") {
  return {
    Node: { Node: `node-${id}`, Address: "10.0.0.9" },
    Service: { ID: id, Address: address, Port: 8080 },
  };
}

test("the passing instances are followed, sorted by id, at the service's address or else the node's", async () => {
  await setUp({ index: 5, body: [entry("catalog-2", ""), entry("catalog-1")] });
  expect(registry.instances("catalog")).toEqual([]);
  await registry.follow("catalog");
  expect(agent.queries[0]?.pathname).toBe("/v1/health/service/catalog");
  expect(agent.queries[0]?.searchParams.get("passing")).toBe("true");
  expect(registry.instances("catalog")).toEqual([
    { id: "catalog-1", node: "node-catalog-1", address: "10.0.0.1", port: 8080 },
    { id: "catalog-2", node: "node-catalog-2", address: "10.0.0.9", port: 8080 },
  ]);
});

test("a change is taken over", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { index: 6, body: [entry("catalog-2")] });
  await registry.follow("catalog");
  await until(() => registry.instances("catalog")[0]?.id === "catalog-2");
  expect(registry.instances("catalog")).toHaveLength(1);
});

test("one service is watched once, however many callers follow it", async () => {
  await setUp({ index: 5, body: [] });
  const callers = Array.from({ length: 20 }, () => registry.follow("catalog"));
  await Promise.all(callers);
  await until(() => agent.queries.length === 2);
  expect(agent.indexes()).toEqual(["0", "5"]);
});

test("the last known instances stay while no agent answers", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { status: 500 }, { fault: "reset" });
  await registry.follow("catalog");
  await until(() => agent.queries.length === 3);
  expect(registry.instances("catalog").map(({ id }) => id)).toEqual(["catalog-1"]);
  expect(registry.isReady()).toBe(true);
});

test("the last known instances stay when the token may no longer read them, until it may again", async () => {
  const headers = { "x-consul-results-filtered-by-acls": "true" };
  await setUp(
    { index: 5, body: [entry("catalog-1")] },
    { index: 6, body: [], headers },
    { index: 6, body: [], headers },
    { index: 7, body: [entry("catalog-2")] },
  );
  await registry.follow("catalog");
  await until(() => agent.queries.length === 3);
  expect(registry.instances("catalog").map(({ id }) => id)).toEqual(["catalog-1"]);
  await until(() => agent.queries.length === 5);
  expect(agent.indexes()).toEqual(["0", "5", "5", "5", "7"]);
  expect(registry.instances("catalog").map(({ id }) => id)).toEqual(["catalog-2"]);
});

test("a list that is empty to a token that may read it is a view", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { index: 6, body: [] });
  await registry.follow("catalog");
  await until(() => agent.queries.length === 3);
  expect(registry.instances("catalog")).toEqual([]);
});

test("an answer of another shape changes nothing", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { index: 6, body: [{ Node: "?" }] });
  await registry.follow("catalog");
  await until(() => agent.queries.length === 3);
  expect(agent.indexes()).toEqual(["0", "5", "5"]);
  expect(registry.instances("catalog").map(({ id }) => id)).toEqual(["catalog-1"]);
});

test("it is ready with the first view of every followed service, even one without instances", async () => {
  await setUp({ index: 5, body: [] });
  expect(registry.isReady()).toBe(true);
  const first = registry.follow("catalog");
  expect(registry.isReady()).toBe(false);
  await first;
  expect(registry.isReady()).toBe(true);
  void registry.follow("pricing");
  expect(registry.isReady()).toBe(false);
});
