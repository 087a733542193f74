import { array, assert, boolean, integer, property, tuple } from "fast-check";
import { Ejections } from "./ejection";

let now = 0;
beforeEach(() => {
  now = 1_000_000;
});
const ejections = (args = {}) => new Ejections(args, () => now);

function fail(all: Ejections, id: string, times = 5, known = 4): boolean[] {
  return Array.from({ length: times }, () => all.note(id, true, known));
}

test("the fifth failure among twenty calls ejects an instance for 5 s", () => {
  const all = ejections();
  const outcomes = Array.from({ length: 17 }, (_, call) => all.note("a", call % 4 === 0, 4));
  expect(outcomes.indexOf(true)).toBe(16);
  expect(all.share("a")).toBe(0);
  now += 4_999;
  expect(all.share("a")).toBe(0);
  now += 1;
  expect(all.share("a")).toBeGreaterThan(0);
});

test("failures that are further apart eject nobody", () => {
  const all = ejections();
  for (let call = 0; call < 200; call++) {
    expect(all.note("a", call % 5 === 0, 4)).toBe(false);
  }
  expect(all.share("a")).toBe(1);
});

test("an instance returns with a tenth of its share, which grows to the whole in 10 s", () => {
  const all = ejections();
  fail(all, "a");
  now += 5_000;
  expect(all.share("a")).toBe(0.1);
  now += 5_000;
  expect(all.share("a")).toBe(0.5);
  now += 5_000;
  expect(all.share("a")).toBe(1);
});

test("one that fails again is ejected for twice as long, up to a minute; after as long a time, as at first", () => {
  const all = ejections();
  const lengths = Array.from({ length: 6 }, () => {
    fail(all, "a");
    const from = now;
    while (all.share("a") === 0) {
      now += 500;
    }
    return now - from;
  });
  expect(lengths).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  now += 60_001;
  fail(all, "a");
  now += 5_000;
  expect(all.share("a")).toBeGreaterThan(0);
});

test("no more than two thirds of the instances are ejected, and an only one never", () => {
  const all = ejections();
  expect(fail(all, "a", 100, 1)).not.toContain(true);
  expect(["b", "c", "d"].map((id) => fail(all, id, 5, 3).includes(true))).toEqual([true, true, false]);
  now += 5_000;
  expect(fail(all, "d", 1, 3)).toEqual([true]);
  expect(["e", "f"].map((id) => fail(ejections(), id, 5, 2).includes(true))).toEqual([true, true]);
});

test("an instance that is gone is forgotten", () => {
  const all = ejections();
  fail(all, "a");
  all.keep(new Set(["b"]));
  expect(all.share("a")).toBe(1);
});

test("whatever happens, no more are ejected at a time than may be", () => {
  const calls = array(tuple(integer({ min: 0, max: 5 }), boolean(), integer({ min: 0, max: 3_000 })), {
    maxLength: 300,
  });
  assert(
    property(calls, (calls) => {
      now = 0;
      const all = ejections({ calls: 4, failures: 2 });
      for (const [instance, failed, ms] of calls) {
        all.note(`i${instance}`, failed, 6);
        now += ms;
        const ejected = [0, 1, 2, 3, 4, 5].filter((id) => all.share(`i${id}`) === 0);
        expect(ejected.length).toBeLessThanOrEqual(4);
      }
    }),
  );
});
