import { array, assert, boolean, property } from "fast-check";
import { RetryBudget } from "./retry-budget";

let now = 0;
beforeEach(() => {
  now = 0;
});
const budget = (args = {}) => new RetryBudget(args, () => now);

function withdrawn(all: RetryBudget, times: number): number {
  return Array.from({ length: times }, () => all.withdraw()).filter(Boolean).length;
}

test("ten retries are there to begin with, and a tenth of the calls afterwards", () => {
  const all = budget({ perSecond: 0 });
  expect(withdrawn(all, 100)).toBe(10);
  for (let call = 0; call < 100; call++) {
    all.deposit();
  }
  expect(withdrawn(all, 100)).toBe(10);
});

test("one a second comes beside, for who calls seldom", () => {
  const all = budget();
  withdrawn(all, 100);
  now += 10_000;
  expect(withdrawn(all, 100)).toBe(10);
});

test("no more than the most are saved up", () => {
  const all = budget({ max: 20 });
  now += 3_600_000;
  for (let call = 0; call < 1_000; call++) {
    all.deposit();
  }
  expect(withdrawn(all, 100)).toBe(20);
});

test("however calls and retries come, the retries stay within a tenth of the calls", () => {
  assert(
    property(array(boolean(), { maxLength: 500 }), (steps) => {
      const all = budget({ perSecond: 0 });
      let [calls, retries] = [0, 0];
      for (const isCall of steps) {
        if (isCall) {
          all.deposit();
          calls++;
        } else if (all.withdraw()) {
          retries++;
        }
      }
      expect(retries).toBeLessThanOrEqual(10 + calls * 0.1 + 1e-9);
    }),
  );
});
