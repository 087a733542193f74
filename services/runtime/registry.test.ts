import { Consul } from "./consul";
import { ConsulRegistry, type View } from "./registry";
import { type Step, scriptedAgent } from "./testing/agent";
import { recordedLog, until } from "./testing/helpers";
import { instanceAt } from "./testing/registry";

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

/** As Consul gives it; `more` is what the registration says beside, `states` are its checks'. */
function entry(id: string, address = "10.0.0.1", more: object = {}, ...states: string[]) {
  return {
    Node: { Node: `node-${id}`, Address: "10.0.0.9" },
    Service: { ID: id, Address: address, Port: 8080, ...more },
    Checks: (states.length === 0 ? ["passing"] : states).map((state) =>
      state === "maintenance"
        ? { CheckID: `_service_maintenance:${id}`, Status: "critical" }
        : { CheckID: `${id}:/ready`, Status: state },
    ),
  };
}

const ids = (view: View) => view.instances.map(({ id }) => id);

test("the passing instances are followed, sorted by id, at the service's address or else the node's", async () => {
  await setUp({ index: 5, body: [entry("catalog-2", ""), entry("catalog-1")] });
  expect(registry.follow({ service: "catalog" }).instances).toEqual([]);
  await registry.follow({ service: "catalog" }).first;
  expect(agent.queries[0]?.pathname).toBe("/v1/health/service/catalog");
  expect(registry.follow({ service: "catalog" }).instances).toEqual([
    instanceAt("catalog-1", 8080, { node: "node-catalog-1", address: "10.0.0.1" }),
    instanceAt("catalog-2", 8080, { node: "node-catalog-2", address: "10.0.0.9" }),
  ]);
});

test("a change is taken over", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { index: 6, body: [entry("catalog-2")] });
  await registry.follow({ service: "catalog" }).first;
  await until(() => registry.follow({ service: "catalog" }).instances[0]?.id === "catalog-2");
  expect(registry.follow({ service: "catalog" }).instances).toHaveLength(1);
});

test("one service is watched once, however many callers follow it", async () => {
  await setUp({ index: 5, body: [] });
  const callers = Array.from({ length: 20 }, () => registry.follow({ service: "catalog" }).first);
  await Promise.all(callers);
  await until(() => agent.queries.length === 2);
  expect(agent.indexes()).toEqual(["0", "5"]);
});

test("the last known instances stay while no agent answers", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { status: 500 }, { fault: "reset" });
  await registry.follow({ service: "catalog" }).first;
  await until(() => agent.queries.length === 3);
  expect(registry.follow({ service: "catalog" }).instances.map(({ id }) => id)).toEqual(["catalog-1"]);
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
  await registry.follow({ service: "catalog" }).first;
  await until(() => agent.queries.length === 3);
  expect(registry.follow({ service: "catalog" }).instances.map(({ id }) => id)).toEqual(["catalog-1"]);
  await until(() => agent.queries.length === 5);
  expect(agent.indexes()).toEqual(["0", "5", "5", "5", "7"]);
  expect(registry.follow({ service: "catalog" }).instances.map(({ id }) => id)).toEqual(["catalog-2"]);
});

test("a list that is empty to a token that may read it is a view", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { index: 6, body: [] });
  await registry.follow({ service: "catalog" }).first;
  await until(() => agent.queries.length === 3);
  expect(registry.follow({ service: "catalog" }).instances).toEqual([]);
});

test("an answer of another shape changes nothing", async () => {
  await setUp({ index: 5, body: [entry("catalog-1")] }, { index: 6, body: [{ Node: "?" }] });
  await registry.follow({ service: "catalog" }).first;
  await until(() => agent.queries.length === 3);
  expect(agent.indexes()).toEqual(["0", "5", "5"]);
  expect(registry.follow({ service: "catalog" }).instances.map(({ id }) => id)).toEqual(["catalog-1"]);
});

test("an instance counts by the worst of its checks, with the weight for that", async () => {
  const Weights = { Passing: 10, Warning: 2 };
  await setUp({
    index: 5,
    body: [
      entry("a", "10.0.0.1", { Weights }, "passing", "passing"),
      entry("b", "10.0.0.1", { Weights }, "passing", "warning"),
      entry("c", "10.0.0.1", { Weights }, "warning", "critical"),
      entry("d", "10.0.0.1", { Weights }, "maintenance"),
      entry("e", "10.0.0.1", { Weights: { Passing: 1, Warning: 0 } }, "warning"),
    ],
  });
  const view = registry.follow({ service: "catalog" });
  await view.first;
  expect(view.instances).toMatchObject([
    { id: "a", weight: 10, status: "passing" },
    { id: "b", weight: 2, status: "warning" },
    { id: "c", weight: 10, status: "critical" },
  ]);
});

test("tags and metadata choose among the instances, by the same watch", async () => {
  await setUp({
    index: 5,
    body: [
      entry("a", "10.0.0.1", { Tags: ["blue", "fast"], Meta: { version: "2" } }),
      entry("b", "10.0.0.1", { Tags: ["blue"], Meta: { version: "1" } }),
      entry("c", "10.0.0.1", { Tags: null, Meta: null }),
    ],
  });
  const all = registry.follow({ service: "catalog" });
  const blue = registry.follow({ service: "catalog", tags: ["blue"] });
  const fast = registry.follow({ service: "catalog", tags: ["blue", "fast"] });
  const first = registry.follow({ service: "catalog", meta: { version: "1" } });
  await first.first;
  expect([all, blue, fast, first].map(ids)).toEqual([["a", "b", "c"], ["a", "b"], ["a"], ["b"]]);
  expect(blue.instances).toBe(blue.instances);
  await until(() => agent.queries.length === 2);
});

test("another datacenter is asked for by its name, beside the agent's own", async () => {
  await setUp({ index: 5, body: [] }, { index: 5, body: [] });
  await registry.follow({ service: "catalog" }).first;
  await registry.follow({ service: "catalog", datacenter: "east" }).first;
  expect(agent.queries.slice(0, 3).map((query) => query.searchParams.get("dc"))).toContain("east");
});

test("followers hear of a change, and of nothing else", async () => {
  let changes = 0;
  await setUp(
    { index: 5, body: [entry("a")] },
    { index: 6, body: [entry("a")] },
    { index: 7, body: [entry("a"), entry("b")] },
  );
  const view = registry.follow({ service: "catalog" });
  view.onChange(() => {
    changes++;
  });
  await view.first;
  const before = view.instances;
  await until(() => agent.queries.length === 4);
  expect(view.instances).not.toBe(before);
  expect(changes).toBe(2);
});

test("the age of a view grows while no agent answers", async () => {
  await setUp({ index: 5, body: [] }, { status: 500 }, { status: 500 });
  const view = registry.follow({ service: "catalog" });
  expect(view.ageMs()).toBe(0);
  await view.first;
  await until(() => view.ageMs() > 250);
});

test("an answer that never ends is given up, and asked for again", async () => {
  await setUp(
    { index: 5, body: [entry("a")] },
    { index: 6, fault: "trickle" },
    { index: 6, body: [entry("b")] },
  );
  // As the agent may hold a query, and then be late with its answer.
  registry = new ConsulRegistry(
    new Consul({ addresses: [agent.address], waitMs: 50, timeoutMs: 150 }),
    recordedLog().log,
  );
  const view = registry.follow({ service: "catalog" });
  await until(() => ids(view)[0] === "b");
});

test("10,000 instances are taken in", async () => {
  const body = Array.from({ length: 10_000 }, (_, n) => entry(`catalog-${n}`));
  await setUp({ index: 5, body });
  const view = registry.follow({ service: "catalog" });
  await view.first;
  expect(view.instances).toHaveLength(10_000);
});

test("it is ready once every followed service has had an instance, and stays so", async () => {
  const critical = entry("a", "10.0.0.1", {}, "critical");
  await setUp({ index: 5, body: [critical] }, { index: 6, body: [entry("a")] }, { index: 7, body: [] });
  expect(registry.isReady()).toBe(true);
  const view = registry.follow({ service: "catalog" });
  await view.first;
  expect(registry.isReady()).toBe(false);
  await until(() => registry.isReady());
  await until(() => agent.queries.length === 4);
  expect(view.instances).toEqual([]);
  expect(registry.isReady()).toBe(true);
});

test("what is optional is not waited for", async () => {
  await setUp({ index: 5, body: [] });
  void registry.follow({ service: "catalog", optional: true });
  expect(registry.isReady()).toBe(true);
  void registry.follow({ service: "catalog" });
  expect(registry.isReady()).toBe(false);
});
