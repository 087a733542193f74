import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { Consul } from "./consul";
import { type Step, scriptedAgent } from "./testing/agent";
import { recordedLog, until } from "./testing/helpers";
import { Watch, backoffMs } from "./watch";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

async function agent(...script: Step[]) {
  const started = await scriptedAgent(...script);
  cleanups.push(started.close);
  return started;
}

/** Where no answer is to be late, on a machine that does other things as well. */
const PATIENT_MS = 10_000;
const IMPATIENT_MS = 150;

function watch(
  addresses: string[],
  {
    onValue = () => undefined,
    timeoutMs = PATIENT_MS,
  }: { onValue?: (value: unknown) => void; timeoutMs?: number } = {},
) {
  const { log, messages } = recordedLog();
  const values: unknown[] = [];
  const watched = new Watch({
    consul: new Consul({ addresses, waitMs: 320, timeoutMs }),
    path: "/v1/some/path?key=value",
    log,
    onValue: (value) => {
      onValue(value);
      values.push(value);
    },
  });
  cleanups.unshift(() => {
    watched.stop();
  });
  return { watched, values, messages };
}

test("the first query returns at once and each next one blocks on the index of the last answer", async () => {
  const { address, queries } = await agent({ index: 7, body: "a" }, { index: 9, body: "b" });
  const { watched, values } = watch([address]);
  expect(watched.isReady()).toBe(false);
  await watched.first;
  expect(watched.isReady()).toBe(true);
  await until(() => queries.length === 3);
  expect(values).toEqual(["a", "b"]);
  expect(queries.map(({ pathname, search }) => pathname + search)).toEqual([
    "/v1/some/path?key=value&index=0&wait=320ms&consistent=",
    "/v1/some/path?key=value&index=7&wait=320ms",
    "/v1/some/path?key=value&index=9&wait=320ms",
  ]);
});

test("an index that goes backwards begins anew from 0, and what that gives counts", async () => {
  const { address, indexes } = await agent(
    { index: 50, body: "old" },
    { index: 1, body: [] },
    { index: 3, body: "restored" },
  );
  const { values } = watch([address]);
  await until(() => indexes().length === 4);
  expect(indexes()).toEqual(["0", "50", "0", "3"]);
  expect(values).toEqual(["old", "restored"]);
});

test.each([undefined, 0, -4, "many"])(
  "the index %p counts as 1, so that the next query blocks",
  async (index) => {
    const { address, indexes } = await agent({ ...(index !== undefined && { index }), body: "a" });
    watch([address]);
    await until(() => indexes().length === 2);
    expect(indexes()).toEqual(["0", "1"]);
  },
);

test("an answer with the same index is no news", async () => {
  const { address, queries } = await agent({ index: 7, body: "a" }, { index: 7, body: "a" });
  const { values } = watch([address]);
  await until(() => queries.length === 3);
  expect(values).toEqual(["a"]);
});

test("nothing under the path is a value like any other", async () => {
  const { address, queries } = await agent({ index: 7, status: 404, text: "" });
  const { watched, values } = watch([address]);
  await watched.first;
  await until(() => queries.length === 2);
  expect(values).toEqual([undefined]);
});

test.each<[string, Step]>([
  ["answers 500", { status: 500, text: "rpc error" }],
  ["answers 429", { status: 429, text: "rate limit" }],
  ["breaks the connection", { fault: "reset" }],
  ["does not answer in time", { fault: "hang" }],
  ["sends garbage", { index: 7, text: "<html>" }],
])("the next agent is asked when one %s, and stays the first to be asked", async (_fault, step) => {
  const bad = await agent(step);
  const good = await agent({ index: 7, body: "a" });
  const { watched, values, messages } = watch([bad.address, good.address], {
    timeoutMs: step.fault === "hang" ? IMPATIENT_MS : PATIENT_MS,
  });
  await watched.first;
  await until(() => good.queries.length === 2);
  expect(values).toEqual(["a"]);
  expect(bad.queries).toHaveLength(1);
  expect(messages()).toEqual([]);
});

test("a blocking query may last as long as its wait and a sixteenth, and not much longer", async () => {
  const { address, queries } = await agent({ index: 7, body: "a" });
  watch([address], { timeoutMs: IMPATIENT_MS });
  await until(() => queries.length === 2);
  await sleep(400);
  expect(queries).toHaveLength(2);
  await until(() => queries.length === 3);
});

test("while no agent answers the last value stays, and there is one line of log at each turn", async () => {
  const bad = { status: 500, text: "no leader" };
  const { address, indexes } = await agent({ index: 7, body: "a" }, bad, bad, { index: 8, body: "b" });
  const { watched, values, messages } = watch([address]);
  await until(() => indexes().length === 3);
  expect(watched.isReady()).toBe(true);
  expect(values).toEqual(["a"]);
  await until(() => indexes().length === 5);
  expect(indexes()).toEqual(["0", "7", "7", "7", "8"]);
  expect(values).toEqual(["a", "b"]);
  expect(messages()).toEqual([
    "warn: consul does not answer; what is known stays",
    "info: consul answers again",
  ]);
});

test("an answer that is refused as unusable is asked for again", async () => {
  const { address, indexes } = await agent({ index: 7, body: "bad" }, { index: 7, body: "good" });
  const { watched, values } = watch([address], {
    onValue: (value) => {
      if (value === "bad") {
        throw new Error("unusable");
      }
    },
  });
  await watched.first;
  expect(indexes()).toEqual(["0", "0"]);
  expect(values).toEqual(["good"]);
});

test("an agent that answers every query at once is asked no more than ten times a second", async () => {
  const { address, queries } = await agent(
    ...Array.from({ length: 99 }, (_, n) => ({ index: n + 1, body: n })),
  );
  watch([address]);
  await sleep(350);
  expect(queries.length).toBeGreaterThanOrEqual(3);
  expect(queries.length).toBeLessThanOrEqual(4);
});

test("a stopped watch asks no more and says nothing", async () => {
  const { address, queries } = await agent(
    ...Array.from({ length: 9 }, (_, n) => ({ index: n + 1, body: n })),
  );
  const { watched, messages } = watch([address]);
  await until(() => queries.length === 2);
  watched.stop();
  await sleep(250);
  expect(queries).toHaveLength(2);
  expect(messages()).toEqual([]);
});

test("the pause after failures grows to 5 s and lies between half and all of its length", () => {
  fc.assert(
    fc.property(fc.nat({ max: 5_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const full = Math.min(5_000, 200 * 2 ** failures);
      expect(backoffMs(failures, random)).toBeGreaterThanOrEqual(full / 2);
      expect(backoffMs(failures, random)).toBeLessThanOrEqual(full);
    }),
  );
});
