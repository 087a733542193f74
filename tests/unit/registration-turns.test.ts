import * as consul from "@pulumi/consul";
import { RegistrationTurns } from "../../components/registration-turns";
import { create, mockPulumi } from "./mocks";

// Time passes by sleeping alone.
jest.mock("node:timers/promises", () => ({
  setTimeout: (milliseconds: number) => {
    jest.setSystemTime(Date.now() + milliseconds);
    return Promise.resolve();
  },
}));

/** What Consul says of the instances each time it is asked, as `1 passing, 2 critical`; then the last again. */
let said: string[];
let asked: Record<string, unknown>[];

beforeAll(() =>
  mockPulumi({
    answers: {
      "consul:index/getServiceHealth:getServiceHealth": (inputs) => {
        asked.push(inputs);
        const now = (said.length > 1 ? said.shift() : said[0]) ?? "";
        if (now === "nothing") throw new Error("connection refused");
        return {
          results: now.split(", ").map((line) => {
            const [name, ...statuses] = line.split(" ");
            return { nodes: [{ name }], checks: statuses.map((status) => ({ status })) };
          }),
        };
      },
    },
  }),
);

beforeEach(() => {
  asked = [];
  jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask", "setTimeout"] });
});

afterEach(() => {
  jest.useRealTimers();
});

/** Goes through instance 1, then 2; resolves to the order of what was done, and to why the second might not change. */
async function twoTurns(name: string, answers: readonly string[]): Promise<{ log: string[]; error: string }> {
  said = [...answers];
  const log: string[] = [];
  let error = "";
  await create(async () => {
    const provider = new consul.Provider(name, {});
    const turns = new RegistrationTurns("pricing", provider, 3);
    const node = (number: number) => new consul.Node(`${name}-${number}`, { address: "a" }, { provider });
    await turns.after(node(1), undefined);
    log.push(`1 after ${asked.length}`);
    const registration = new consul.Service(`${name}-1`, { node: "a" }, { provider });
    await turns.after(node(2), { name: "1", registration }).catch((reason: unknown) => {
      error = (reason as Error).message;
    });
    log.push(`2 after ${asked.length}`);
  });
  return { log, error };
}

test("the next waits until the one before passes again", async () => {
  const { log, error } = await twoTurns("again", [
    "1 passing, 2 passing",
    "1 critical, 2 passing",
    "1 passing critical, 2 passing",
    "1 passing passing, 2 passing",
  ]);

  expect(log).toEqual(["1 after 1", "2 after 4"]);
  expect(error).toBe("");
  expect(asked[0]).toEqual({ name: "pricing", passing: false });
});

test("where nothing changed, Consul is asked once for each", async () => {
  expect((await twoTurns("same", ["1 passing, 2 passing"])).log).toEqual(["1 after 1", "2 after 2"]);
});

test("nobody waits for one that did not pass before", async () => {
  expect((await twoTurns("sick", ["1 critical, 2 passing"])).log).toEqual(["1 after 1", "2 after 1"]);
});

test("nobody waits where Consul does not say who passes", async () => {
  expect((await twoTurns("silent", ["nothing"])).log).toEqual(["1 after 1", "2 after 1"]);
});

test("where the one before passes no more, the next does not change", async () => {
  const since = Date.now();
  const { error } = await twoTurns("broken", ["1 passing, 2 passing", "1 critical, 2 passing"]);

  expect(error).toBe(
    "1 no longer passes its checks, so other instances of pricing stay as they are; npm run status says why",
  );
  expect((Date.now() - since) / 1_000).toBeCloseTo(93.5, 0);
});
