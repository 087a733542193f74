import { z } from "zod";
import { LiveConfig } from "./config";
import { Consul } from "./consul";
import { type Step, scriptedAgent } from "./testing/agent";
import { recordedLog, until } from "./testing/helpers";

const schema = z.strictObject({
  percent: z.int().max(90).default(0),
  currency: z.string().default("EUR"),
  "limits/items": z.int().default(10),
});

let config: LiveConfig<z.infer<typeof schema>>;
let agent: Awaited<ReturnType<typeof scriptedAgent>>;
let messages: () => string[];
let lines: Record<string, unknown>[];

async function setUp(...script: Step[]): Promise<void> {
  agent = await scriptedAgent(...script);
  const recorded = recordedLog();
  ({ messages, lines } = recorded);
  config = new LiveConfig({
    consul: new Consul({ addresses: [agent.address] }),
    service: "shop",
    schema,
    log: recorded.log,
  });
}

afterEach(async () => {
  config.stop();
  await agent.close();
});

function pairs(values: Record<string, string | null>) {
  return Object.entries(values).map(([key, value]) => ({
    Key: `services/shop/${key}`,
    Value: value === null ? null : Buffer.from(value).toString("base64"),
  }));
}

test("the defaults hold until there is a view", async () => {
  await setUp();
  expect(config.isReady()).toBe(false);
  expect(config.current).toEqual({ percent: 0, currency: "EUR", "limits/items": 10 });
});

test("each key is a value in JSON, and what is not JSON is a string", async () => {
  await setUp({ index: 5, body: pairs({ "": null, percent: "20", currency: "CHF", "limits/items": "3" }) });
  await until(() => config.isReady());
  expect(agent.queries[0]?.pathname).toBe("/v1/kv/services/shop/");
  expect(agent.queries[0]?.searchParams.get("recurse")).toBe("true");
  expect(config.current).toEqual({ percent: 20, currency: "CHF", "limits/items": 3 });
});

test("without keys the defaults hold again", async () => {
  await setUp({ index: 5, body: pairs({ percent: "20" }) }, { index: 6, status: 404, text: "" });
  await until(() => agent.queries.length === 3);
  expect(config.current.percent).toBe(0);
});

test("the last good values stay when the token may no longer read the keys", async () => {
  const headers = { "x-consul-results-filtered-by-acls": "true" };
  await setUp({ index: 5, body: pairs({ percent: "20" }) }, { index: 6, status: 404, text: "", headers });
  await until(() => agent.queries.length === 3);
  expect(agent.indexes()).toEqual(["0", "5", "5"]);
  expect(config.current.percent).toBe(20);
});

test.each([
  ["a value out of range", { percent: "91", currency: "CHF" }, /^percent: /],
  ["a value of another type", { percent: "much", currency: "CHF" }, /^percent: /],
  ["a key that does not exist", { procent: "5", currency: "CHF" }, /procent/],
])("%s is refused with one line, and the last good one stays until the next", async (_what, bad, reason) => {
  await setUp(
    { index: 5, body: pairs({ percent: "20" }) },
    { index: 6, body: pairs(bad) },
    { index: 7, body: pairs({ percent: "30" }) },
  );
  await until(() => messages().length === 2);
  expect(config.current).toEqual({ percent: 20, currency: "EUR", "limits/items": 10 });
  await until(() => config.current.percent === 30);
  expect(messages()).toEqual([
    "info: configuration taken",
    "error: configuration refused; the last good one stays",
    "info: configuration taken",
  ]);
  expect(lines[1]?.["reason"]).toMatch(reason);
});

test("a bad value at the start leaves the defaults, and the service ready", async () => {
  await setUp({ index: 5, body: pairs({ percent: "-" }) });
  await until(() => config.isReady());
  expect(config.current.percent).toBe(0);
});
