import type { Connection } from "./connection";
import { Ejections } from "./ejection";
import { type End, type Member, Pool } from "./pool";
import type { Instance } from "./registry";
import { roundRobin, type Strategy } from "./selection";
import { fixedRegistry, instanceAt } from "./testing/registry";

/** Always the same. */
const first: Strategy = (candidates) => roundRobin(candidates, 0, Math.random);

let now = 0;
let registry: ReturnType<typeof fixedRegistry>;
let opened: string[];
let closed: string[];
let renewed: string[];
let ejected: string[];

function pool(strategy: Strategy, ...instances: readonly Instance[]): Pool {
  [now, opened, closed, renewed, ejected] = [1_000, [], [], [], []];
  registry = fixedRegistry(...instances);
  return new Pool({
    view: registry.follow({ service: "pricing" }),
    strategy,
    ejections: new Ejections({ failures: 2 }, () => now),
    connect: ({ id }) => {
      opened.push(id);
      return { close: () => closed.push(id), renew: () => renewed.push(id) } as unknown as Connection;
    },
    onEject: ({ id }) => ejected.push(id),
    now: () => now,
  });
}

const [a, b] = [instanceAt("a", 1), instanceAt("b", 2)];

function call(all: Pool, ms: number, end: End = "answered"): string | undefined {
  const member = all.pick([]);
  const settle = member && all.begin(member);
  now += ms;
  settle?.(end);
  return member?.instance.id;
}

test("a member is connected once, and disconnected when it is gone", () => {
  const all = pool(roundRobin, a, b);
  [call(all, 1), call(all, 1), call(all, 1)].forEach((id) => {
    expect(id).toMatch(/[ab]/);
  });
  registry.set(b, instanceAt("c", 3));
  expect([opened, closed]).toEqual([["a", "b", "c"], ["a"]]);
});

test("one that moved is another one", () => {
  const all = pool(roundRobin, a);
  call(all, 1);
  registry.set(instanceAt("a", 9));
  expect([opened, closed]).toEqual([["a", "a"], ["a"]]);
});

test("one with calls under way is disconnected after the last of them", () => {
  const all = pool(roundRobin, a);
  const member = all.pick([]);
  const settle = member && all.begin(member);
  registry.set(b);
  expect(closed).toEqual([]);
  settle?.("answered");
  expect(closed).toEqual(["a"]);
});

test("one that is silent three times in a row is connected anew, and so after three times more", () => {
  const all = pool(first, a);
  for (const end of ["silent", "silent", "answered", "silent", "silent", "failed"] as const)
    call(all, 1, end);
  expect(renewed).toEqual([]);
  for (let count = 1; count <= 6; count++) {
    call(all, 1, "silent");
    expect(renewed).toHaveLength(Math.floor(count / 3));
  }
  expect([opened, closed]).toEqual([["a"], []]);
});

test("what is canceled says nothing of silence", () => {
  const all = pool(first, a);
  for (const end of ["silent", "silent", "canceled", "silent"] as const) call(all, 1, end);
  expect(renewed).toEqual(["a"]);
});

test("the strategy sees calls in flight, and latencies of which the latest counts most and the old fade", () => {
  const seen: { inFlight: number; latencyMs: number }[] = [];
  const all = pool((candidates) => {
    const chosen = first(candidates, 0, Math.random);
    seen.push({ inFlight: chosen.inFlight, latencyMs: Math.round(chosen.latencyMs) });
    return chosen;
  }, a);
  call(all, 100);
  call(all, 200);
  const open = all.pick([]);
  const settle = open && all.begin(open);
  call(all, 0, "canceled");
  settle?.("canceled");
  now += 5_000;
  call(all, 0);
  expect(seen).toEqual([
    { inFlight: 0, latencyMs: 0 },
    { inFlight: 0, latencyMs: 100 },
    { inFlight: 0, latencyMs: 120 },
    { inFlight: 1, latencyMs: 120 },
    { inFlight: 0, latencyMs: 60 },
  ]);
});

test("one that fails is ejected, unless nobody else is left, and counts again after its time", () => {
  const all = pool(first, a, b);
  expect([call(all, 1, "failed"), call(all, 1, "failed"), call(all, 1)]).toEqual(["a", "a", "b"]);
  expect([ejected, all.ejected]).toEqual([["a"], 1]);
  const other = all.pick([]);
  expect(other?.instance.id).toBe("b");
  expect(all.pick(other === undefined ? [] : [other])?.instance.id).toBe("a");
  now += 5_300;
  expect(call(all, 1)).toBe("a");
  expect(all.ejected).toBe(0);
});

test("a critical one gets the calls that find no other, or all where none is better", () => {
  const critical = instanceAt("c", 3, { status: "critical" });
  const all = pool(first, critical, a, b);
  expect([call(all, 1, "failed"), call(all, 1, "failed"), call(all, 1)]).toEqual(["a", "a", "b"]);
  const tried: Member[] = [];
  for (let member = all.pick(tried); member !== undefined; member = all.pick(tried)) tried.push(member);
  expect(tried.map(({ instance }) => instance.id)).toEqual(["b", "a", "c"]);
  registry.set(critical, instanceAt("a", 1, { status: "critical" }));
  expect([call(all, 1), ejected, all.ejected]).toEqual(["c", ["a"], 1]);
});

test("one that was critical is connected anew", () => {
  const all = pool(first, a);
  call(all, 1);
  registry.set(instanceAt("a", 1, { status: "critical" }));
  registry.set(a);
  expect([call(all, 1), opened, closed]).toEqual(["a", ["a", "a", "a"], ["a", "a"]]);
});

test("critical ones do not count where the share of the ejected is limited", () => {
  const all = pool(first, a, b, instanceAt("c", 3, { status: "critical" }));
  for (const end of ["failed", "failed", "failed", "failed"] as const) call(all, 1, end);
  expect([call(all, 1), ejected]).toEqual(["b", ["a"]]);
});

test("a call that somebody gave up says nothing about its instance", () => {
  const all = pool(roundRobin, a, b);
  for (let n = 0; n < 50; n++) {
    call(all, 1, "canceled");
  }
  expect(ejected).toEqual([]);
});

test("weights of the registry reach the strategy, scaled down after an ejection", () => {
  let weights: number[] = [];
  const all = pool(
    (candidates) => {
      weights = candidates.map(({ weight }) => weight);
      return first(candidates, 0, Math.random);
    },
    instanceAt("a", 1, { weight: 10 }),
    instanceAt("b", 2, { weight: 4 }),
  );
  call(all, 1, "failed");
  expect(weights).toEqual([10, 4]);
  call(all, 1, "failed");
  now += 10_000;
  call(all, 1);
  expect(weights).toEqual([5, 4]);
});

test("without instances there is nobody to pick", () => {
  expect(pool(roundRobin).pick([])).toBeUndefined();
});
