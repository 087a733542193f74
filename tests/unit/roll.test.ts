import { execute, inspectAll, type Container } from "../../engine";
import { planRoll } from "../../roll";
import { agentHealth, owner } from "./fixtures";
import { mockPulumi } from "./mocks";

jest.mock("../../engine", () => ({ inspectAll: jest.fn(), execute: jest.fn() }));
// Whoever waits finds the time over at once.
jest.mock("node:timers/promises", () => ({
  setTimeout: (milliseconds: number) => {
    jest.setSystemTime(Date.now() + milliseconds);
    return Promise.resolve();
  },
}));

interface State {
  readonly success?: boolean;
  readonly output?: string;
  readonly running?: boolean;
}

const role = (name: string) => name.replace(/-\d+$/, "");
const container = (name: string, { running = true }: State): Container => ({
  Id: `id-of-${name}`,
  Name: `/shop-test-${name}`,
  Config: {
    Hostname: name,
    Labels: { "consul-docker.fingerprint": "old", "consul-docker.role": role(name) },
    Env: [],
  },
  State: { Running: running },
  HostConfig: { PortBindings: null },
});

/** What the engine shows of the servers and what they say, the first time and from then on. */
function servers(...times: readonly Readonly<Record<string, State>>[]): void {
  let next = 0;
  let now: Readonly<Record<string, State>> = {};
  jest
    .mocked(inspectAll)
    .mockReset()
    .mockImplementation(() => {
      now = times[Math.min(next++, times.length - 1)] ?? {};
      return Promise.resolve(Object.entries(now).map(([name, state]) => container(name, state)));
    });
  jest
    .mocked(execute)
    .mockReset()
    .mockImplementation((_, id) => {
      const { success = true, output = "follower, all servers healthy" } =
        now[id.replace("id-of-", "")] ?? {};
      return Promise.resolve({ success, output: `${output}\n` });
    });
}

const LEADER = { output: "leader, all servers healthy" };
const SICK = { success: false, output: "autopilot does not call this server a healthy voter" };
const MISSING = { output: "follower, not all servers healthy" };
const WELL = {};

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

  test("when every other one, asked since, finds all healthy", async () => {
    servers(
      { "server-1": {}, "server-2": {}, "server-3": LEADER },
      { "server-1": {}, "server-2": MISSING, "server-3": LEADER },
      { "server-1": {}, "server-2": {}, "server-3": { output: "leader, not all servers healthy" } },
      { "server-1": {}, "server-2": {}, "server-3": LEADER },
    );
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await mayReplace("server-1", "new");

    expect(asked()).toBe(4);
  });

  test("by what its health check says now, which the engine is not asked for", async () => {
    servers({ "server-1": {}, "client-1": {}, "server-2": { running: false } });

    await planRoll(owner, [ENGINE]);

    const check = agentHealth("server-health.sh", "server-1").tests.slice(6);
    expect(jest.mocked(execute).mock.calls).toEqual([[ENGINE, "id-of-server-1", check]]);
  });

  test("not while another one is sick, which is said after a minute", async () => {
    servers({ "server-1": WELL, "server-2": SICK, "server-3": WELL });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-1", "new")).rejects.toThrow(
      "server-1 is not replaced, since the others could not do without it now:\n" +
        "  server-2 is not healthy (autopilot does not call this server a healthy voter); docker logs of its container may say why. Once it is healthy, the next update goes on",
    );
  });

  test("not while another one does not run", async () => {
    servers({ "server-1": WELL, "server-2": { running: false }, "server-3": WELL });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-1", "new")).rejects.toThrow("server-2 is not healthy (it does not run);");
  });

  test("not while another one says nothing", async () => {
    servers({ "server-1": WELL, "server-2": { success: false, output: "" }, "server-3": WELL });
    const { mayReplace } = await planRoll(owner, [ENGINE]);

    await expect(mayReplace("server-1", "new")).rejects.toThrow(
      "server-2 is not healthy (it does not stay up, or does not answer);",
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
    ["the majority is lost", "server-1", { "server-1": WELL, "server-2": SICK, "server-3": SICK }],
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
      { "server-1": SICK, "server-2": SICK, "server-3": WELL },
      { "server-1": WELL, "server-2": SICK, "server-3": WELL },
      { "server-1": WELL, "server-2": SICK, "server-3": SICK },
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
