import fc from "fast-check";
import { goDuration } from "../../components/duration";

test.each([
  [0, "0s"],
  [10, "10s"],
  [59, "59s"],
  [60, "1m0s"],
  [90, "1m30s"],
  [3600, "1h0m0s"],
  [3661, "1h1m1s"],
])("%d seconds are %s", (seconds, printed) => {
  expect(goDuration(seconds)).toBe(printed);
});

test("any number of seconds reads back as itself, in units that do not run over", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), (seconds) => {
      const [, h = "0", m = "0", s = ""] = /^(?:(\d+)h)?(?:(\d+)m)?(\d+)s$/.exec(goDuration(seconds)) ?? [];
      expect(Number(h) * 3600 + Number(m) * 60 + Number(s)).toBe(seconds);
      expect(Number(m)).toBeLessThan(60);
      expect(Number(s)).toBeLessThan(60);
    }),
  );
});
