import { ADVISORIES, compared, concerning, GONE_THROUGH, lastMended, partOf } from "../../advisories";

const CONSUL = "hashicorp/consul";
const ids = (tag: string) => concerning(CONSUL, tag)?.map(({ id }) => id);

test.each([
  ["1.22.7", true],
  ["v2.0.3", true],
  ["2.0.4-rc1", true],
  ["2.0.4", false],
  ["2.0.10", false],
  ["2.1.0", false],
])("one that concerns all versions before 2.0.4 concerns %s: %s", (tag, concerned) => {
  expect(ids(tag)?.includes("CVE-2026-87106")).toBe(concerned);
});

test.each([
  ["1.22.7", false],
  ["2.0.3", false],
  ["2.0.4", true],
  ["2.0.9", true],
  ["2.1.0-rc2", true],
  ["2.1.0", false],
])("one that came with 2.0.4 and went with 2.1.0 concerns %s: %s", (tag, concerned) => {
  expect(ids(tag)?.includes("CVE-2026-105608")).toBe(concerned);
});

test.each(["1.22", "2", "nightly", "1.22.7-ent", "1.22.12+ent", "1.22.7-next", ""])(
  "nothing is known of %p",
  (tag) => {
    expect(concerning(CONSUL, tag)).toBeUndefined();
  },
);

test("each part has its own", () => {
  expect(concerning("hashicorp/consul-esm", "0.7.2")?.map(({ id }) => id)).toEqual(["CVE-2024-6104"]);
  expect(concerning("hashicorp/consul-esm", "0.9.1")).toEqual([]);
  expect(ids("0.7.2")).not.toContain("CVE-2024-6104");
});

test.each([
  ["hashicorp/consul:1.22.7", { part: "hashicorp/consul", tag: "1.22.7" }],
  ["docker.io/hashicorp/consul-esm:0.9.1", { part: "hashicorp/consul-esm", tag: "0.9.1" }],
  [`hashicorp/consul:2.1.0@sha256:${"a".repeat(64)}`, { part: "hashicorp/consul", tag: "2.1.0" }],
  ["hashicorp/consul", undefined],
  ["someone/hashicorp/consul:1.22.7", undefined],
  ["node:24-slim", undefined],
])("the part of %s", (reference, part) => {
  expect(partOf(reference)).toEqual(part);
});

test("the version that mends the last is the newest by its numbers", () => {
  const all = ["2.0.10", "2.0.9", "1.22.5"].map((mendedIn) => ({ ...ADVISORIES[0], mendedIn }));

  expect(lastMended(all as typeof ADVISORIES)).toBe("2.0.10");
  expect(lastMended([])).toBeUndefined();
  expect(["2.1.0", "2.0.10", "2.1.0-rc1", "1.22.7"].toSorted(compared)).toEqual([
    "1.22.7",
    "2.0.10",
    "2.1.0-rc1",
    "2.1.0",
  ]);
});

test("each advisory says once what it is, from when to when, and where that is written", () => {
  const faults = ADVISORIES.filter(
    ({ id, part, published, from, mendedIn, source }, index) =>
      !/^CVE-\d{4}-\d{4,}$/.test(id) ||
      ADVISORIES.findIndex((other) => other.id === id && other.part === part) !== index ||
      !(published <= GONE_THROUGH && published <= (ADVISORIES[index - 1]?.published ?? GONE_THROUGH)) ||
      (from !== undefined && compared(from, mendedIn) >= 0) ||
      concerning(part, mendedIn)?.some((other) => other.id === id) !== false ||
      !source.startsWith("https://"),
  );

  expect(faults).toEqual([]);
});
