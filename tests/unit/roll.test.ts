import type { Container } from "../../engine";
import { inspectAll } from "../../engine";
import { planRoll } from "../../roll";
import { owner } from "./fixtures";
import { mockPulumi } from "./mocks";

jest.mock("../../engine", () => ({ inspectAll: jest.fn() }));
// Whoever waits finds the time over at once.
jest.mock("node:timers/promises", () => ({
  setTimeout: (milliseconds: number) => {
    jest.setSystemTime(Date.now() + milliseconds);
    return Promise.resolve();
  },
}));

interface State {
  readonly code?: number;
  readonly output?: string;
  readonly running?: boolean;
  /** Milliseconds since the check began. */
  readonly age?: number;
}

const role = (name: string) => name.replace(/-\d+$/, "");
const container = (name: string, { code = 0, output, running = true, age = 0 }: State): Container => ({
  Name: `/shop-test-${name}`,
  Config: {
    Hostname: name,
    Labels: { "consul-docker.fingerprint": "old", "consul-docker.role": role(name) },
    Env: [],
  },
  State: {
    Running: running,
    Health: {
      Log: [
        { Start: new Date(0).toISOString(), ExitCode: 1, Output: "the one before\n" },
        {
          Start: new Date(Date.now() - age).toISOString(),
          ExitCode: code,
          Output: `${output ?? "follower, all servers healthy"}\n`,
        },
      ],
    },
  },
  HostConfig: { PortBindings: null },
});

/** What the engine shows of the servers, the first time and from then on. */
function servers(...times: readonly Readonly<Record<string, State>>[]): void {
  jest.mocked(inspectAll).mockReset();
  let time = 0;
  jest.mocked(inspectAll).mockImplementation(() => {
    const now = times[Math.min(time++, times.length - 1)] ?? {};
    return Promise.resolve(Object.entries(now).map(([name, state]) => container(name, state)));
  });
}

const LEADER = { output: "leader, all servers healthy" };
const SICK = { code: 1, output: "autopilot does not call this server a healthy voter" };
const MISSING = { age: -60_000, output: "follower, not all servers healthy" };
// A check that begins after whoever asks for one.
const FRESH = { age: -60_000 };

const ENGINE = { address: "127.0.0.1" };

beforeAll(() => mockPulumi());

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask", "setTimeout"] });
});

afterEach(() => {
  jest.useRealTimers();
});

test("a container waits for those before it where it exists", async () => {
  servers({ "server-1": LEADER, "client-2": {} });
  const { inTurn } = await planRoll(owner, [ENGINE]);

  expect(inTurn("client-2", ["client-1"])).toEqual(["client-1"]);
  expect(inTurn("client-3", ["client-1"])).toEqual([]);
});

describe("the order of a change", () => {
  test("is by name, the leader last", async () => {
    servers({ "server-2": {}, "server-1": LEADER, "server-3": {} });

    expect((await planRoll(owner, [ENGINE])).rollOrder).toEqual(["server-2", "server-3", "server-1"]);
  });

  test("begins with what is sick, or does not run", async () => {
    servers({
      "server-1": {},
      "server-2": LEADER,
      "server-3": SICK,
      "server-4": { running: false },
      "client-1": SICK,
    });

    expect((await planRoll(owner, [ENGINE])).rollOrder).toEqual([
      "server-3",
      "server-4",
      "server-1",
      "server-2",
    ]);
  });

  test("knows nothing in a preview, which has no engine", async () => {
    servers({ "server-1": LEADER });
    await mockPulumi({ preview: true });

    expect((await planRoll(owner, [ENGINE])).rollOrder).toEqual([]);
    expect(inspectAll).not.toHaveBeenCalled();
    await mockPulumi();
  });

  test("is of the stack's own containers", async () => {
    servers({});

    await planRoll(owner, [ENGINE]);

    expect(jest.mocked(inspectAll).mock.calls).toEqual([
      [
        ENGINE,
        "container",
        [
          ...["ps", "-a", "-q"],
          ...["--filter", "label=consul-docker.project=shop"],
          ...["--filter", "label=consul-docker.stack=test"],
        ],
      ],
    ]);
  });
});

describe("a server may be replaced", () => {
  const asked = () => jest.mocked(inspectAll).mock.calls.length;

  test("at once where nothing about it changes, or where it does not exist", async () => {
    servers({ "server-1": {}, "server-2": SICK });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await mayReplace("server-1", "old");
    await mayReplace("server-3", "new");

    expect(asked()).toBe(1);
  });

  test("when a check of every other one, begun since, found all healthy", async () => {
    const old = { age: 60_000 };
    servers(
      { "server-1": {}, "server-2": {}, "server-3": {} },
      { "server-1": {}, "server-2": old, "server-3": old },
      { "server-1": {}, "server-2": old, "server-3": FRESH },
      {
        "server-1": {},
        "server-2": FRESH,
        "server-3": { ...FRESH, output: "leader, not all servers healthy" },
      },
      { "server-1": {}, "server-2": FRESH, "server-3": { ...FRESH, ...LEADER } },
    );
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await mayReplace("server-1", "new");

    expect(asked()).toBe(5);
  });

  test("not while another one is sick, which is said after a minute", async () => {
    servers({ "server-1": FRESH, "server-2": SICK, "server-3": FRESH });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-1", "new")).rejects.toThrow(
      "server-1 is not replaced, since the others could not do without it now:\n" +
        "  server-2 is not healthy (autopilot does not call this server a healthy voter); docker logs of its container may say why. Once it is healthy, the next update goes on",
    );
  });

  test("not while another one does not run", async () => {
    servers({ "server-1": FRESH, "server-2": { running: false }, "server-3": FRESH });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-1", "new")).rejects.toThrow("server-2 is not healthy (it does not run);");
  });

  test("not while another one starts again and again, before a check of it can run", async () => {
    servers({ "server-1": FRESH, "server-2": { code: 1, output: "" }, "server-3": FRESH });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-1", "new")).rejects.toThrow(
      "server-2 is not healthy (it does not stay up);",
    );
  });

  test("not while autopilot misses one that the engine does not know", async () => {
    servers({ "server-1": MISSING, "server-2": MISSING, "server-3": MISSING });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-1", "new")).rejects.toThrow(
      "  autopilot does not find every server healthy; npm run status shows them",
    );
  });

  test.each([
    ["it is the sick one", "server-2", { "server-1": MISSING, "server-2": SICK, "server-3": MISSING }],
    ["the majority is lost", "server-1", { "server-1": FRESH, "server-2": SICK, "server-3": SICK }],
  ])("soon where %s all the time", async (_, name, state) => {
    servers(state);
    const { mayReplace } = await planRoll(owner, [ENGINE]);
    const since = Date.now();

    await mayReplace(name, "new");

    expect((Date.now() - since) / 1_000).toBeCloseTo(20.5);
  });

  test("not where it is sick for a moment", async () => {
    servers(
      { "server-1": MISSING, "server-2": SICK, "server-3": MISSING },
      { "server-1": MISSING, "server-2": SICK, "server-3": SICK },
      { "server-1": SICK, "server-2": SICK, "server-3": FRESH },
      { "server-1": FRESH, "server-2": SICK, "server-3": FRESH },
      { "server-1": FRESH, "server-2": SICK, "server-3": SICK },
    );
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-3", "new")).rejects.toThrow("server-3 is not replaced");
  });

  test("at once where it is the only one", async () => {
    servers({ "server-1": {} });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await mayReplace("server-1", "new");

    expect(asked()).toBe(2);
  });
});
