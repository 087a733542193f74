import { array, assert, constantFrom, float, integer, property, record } from "fast-check";
import { leastLoaded, random, roundRobin, type Strategy } from "./selection";

const candidate = (id: string, weight = 1, inFlight = 0, latencyMs = 0) => ({
  id,
  weight,
  inFlight,
  latencyMs,
});

/** How often each was chosen in so many turns, by numbers from a generator with a fixed beginning. */
function chosen(strategy: Strategy, candidates: readonly ReturnType<typeof candidate>[], turns: number) {
  const counts = new Map(candidates.map(({ id }) => [id, 0]));
  const next = generator(42);
  for (let turn = 0; turn < turns; turn++) {
    const { id } = strategy(candidates, turn, next);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts.values()];
}

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const equal = ["a", "b", "c", "d", "e"].map((id) => candidate(id));

test("round robin takes each in its turn", () => {
  expect(chosen(roundRobin, equal, 1_003)).toEqual([201, 201, 201, 200, 200]);
});

test("round robin by weight gives each its share in every stretch of turns", () => {
  const weighted = [candidate("a", 1), candidate("b", 2), candidate("c", 7)];
  for (const turns of [50, 100, 1_000]) {
    const shares = chosen(roundRobin, weighted, turns).map((count) => count / turns);
    [0.1, 0.2, 0.7].forEach((share, index) => {
      expect(Math.abs((shares[index] ?? 0) - share)).toBeLessThan(0.04);
    });
  }
});

// Chi-squared of 4 degrees of freedom: above 18.47 once in a thousand series.
test.each([
  ["random", random],
  ["least loaded", leastLoaded],
] as const)("%s is uniform where all are alike", (_name, strategy) => {
  const turns = 10_000;
  const expected = turns / equal.length;
  const chi = chosen(strategy, equal, turns).reduce(
    (sum, count) => sum + (count - expected) ** 2 / expected,
    0,
  );
  expect(chi).toBeLessThan(18.47);
});

test("random follows the weights", () => {
  const [one = 0, three = 0] = chosen(random, [candidate("a", 1), candidate("b", 3)], 10_000);
  expect(three / one).toBeGreaterThan(2.8);
  expect(three / one).toBeLessThan(3.2);
});

test("least loaded takes the one with fewer calls in flight, by weight", () => {
  const always = (candidates: ReturnType<typeof candidate>[]) => chosen(leastLoaded, candidates, 100);
  expect(always([candidate("a", 1, 3, 10), candidate("b", 1, 2, 12)])).toEqual([0, 100]);
  expect(always([candidate("a", 1, 3, 10), candidate("b", 4, 4, 12)])).toEqual([0, 100]);
});

test("least loaded takes the faster one where they differ by more than chance, and not the idle one alone", () => {
  const always = (candidates: ReturnType<typeof candidate>[]) => chosen(leastLoaded, candidates, 100);
  expect(always([candidate("a", 1, 0, 500), candidate("b", 1, 2, 10)])).toEqual([0, 100]);
  expect(always([candidate("a", 1, 0, 25), candidate("b", 1, 4, 10)])).toEqual([100, 0]);
});

test("least loaded gives a newcomer its share", () => {
  const [old = 0, fresh = 0] = chosen(
    leastLoaded,
    [candidate("a", 1, 0, 5), candidate("b", 1, 0, 0)],
    10_000,
  );
  expect(Math.abs(old - fresh)).toBeLessThan(300);
});

test("every strategy chooses one of the candidates, whatever the numbers", () => {
  const candidates = array(
    record({
      weight: float({ min: Math.fround(0.01), max: 100, noNaN: true }),
      inFlight: integer({ min: 0, max: 1_000 }),
      latencyMs: float({ min: 0, max: 10_000, noNaN: true }),
    }),
    { minLength: 1, maxLength: 20 },
  );
  assert(
    property(
      constantFrom(roundRobin, random, leastLoaded),
      candidates,
      integer({ min: 0, max: 2 ** 40 }),
      integer(),
      (strategy, candidates, turn, seed) => {
        expect(candidates).toContain(strategy(candidates, turn, generator(seed)));
      },
    ),
  );
});
