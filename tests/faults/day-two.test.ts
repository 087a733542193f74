import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConsulApi } from "../../scripts/consul-api";
import { isHealthy, readDatacenter } from "../../scripts/datacenter";
import { versionOf } from "../../versions";
import { docker, dockerLines, expectSuccess, run, signal } from "../integration/command";
import { checks } from "../integration/consul";
import { eventually } from "../integration/eventually";
import { Load } from "../integration/load";
import { summary, type Report } from "../integration/report";
import { servicesAt, TEST_STACK, TestStack, type Outputs } from "../integration/test-stack";
import { seenThrough } from "../integration/under-way";
import { Writer } from "../integration/writer";

// What a writer of the KV store and a caller of the gateway see of the second day's work, and of what breaks.
jest.setTimeout(600_000);

const OLD = versionOf("consul_old_version");
const NEW = versionOf("consul_version");
const CONTAINER = (name: string) => `consul-docker-days-${name}`;
const SERVERS = ["server-1", "server-2", "server-3"].map(CONTAINER);
const NETWORK = CONTAINER("network");
const SETTINGS = {
  ...TEST_STACK,
  datacenter: "days",
  subnet: "10.93.0.0/24",
  httpPort: 19511,
  dnsPort: 19611,
  servers: 1,
  consulVersion: OLD,
  serverMemoryMb: 512,
  services: servicesAt(19091),
};

let stack: TestStack;
let outputs: Outputs;
let consul: ConsulApi;
let settings: Record<string, unknown> = SETTINGS;
const reports: Report[] = [];

beforeAll(async () => {
  await provideImage(`hashicorp/consul:${OLD}`);
  stack = await TestStack.create("days");
  await stack.configure(settings);
  expectSuccess(await stack.up());
  outputs = await stack.outputs();
  consul = new ConsulApi(outputs);
  await eventually(expectFullHealth, 90);
});

afterAll(async () => {
  await stack.remove();
});

/** Where the image cannot be pulled, it is built. */
async function provideImage(image: string): Promise<void> {
  if ((await run("docker", ["image", "inspect", image])).code === 0) return;
  if ((await run("docker", ["pull", image])).code === 0) return;
  expectSuccess(await run("toolchain/up", ["--consul", OLD, "images"]));
}

/** Changes the stack file. */
async function change(changes: Record<string, unknown>): Promise<void> {
  settings = { ...settings, ...changes };
  await stack.configure(settings);
}

async function apply(changes: Record<string, unknown>): Promise<void> {
  await change(changes);
  expectSuccess(await stack.up());
}

interface Autopilot {
  readonly Healthy: boolean;
  readonly Voters: readonly string[];
}

/** A leader, as many healthy voters as are declared and no other peer, every member and every check passing. */
async function expectFullHealth(): Promise<void> {
  const servers = Number(settings["servers"]);
  const [autopilot, raft, all, datacenter] = await Promise.all([
    consul.get<Autopilot>("operator/autopilot/state"),
    consul.get<{ Servers: unknown[] }>("operator/raft/configuration"),
    checks(consul),
    readDatacenter(consul, ["monitor-1", "monitor-2"]),
  ]);
  expect(autopilot.Healthy).toBe(true);
  expect(autopilot.Voters).toHaveLength(servers);
  expect(raft.Servers).toHaveLength(servers);
  expect(all.filter(({ Status }) => Status !== "passing")).toEqual([]);
  expect(isHealthy(datacenter)).toBe(true);
  expect(datacenter.members.filter((one) => one.role === "server" && one.status === "alive")).toHaveLength(
    servers,
  );
}

/** The client agents, as whoever is in their network reaches them. */
function agents(): [ConsulApi, ConsulApi] {
  const agent = (address: string) =>
    new ConsulApi({ ...outputs, httpApiUrl: `http://${address}:8500`, timeoutMs: 2_000 });
  return [agent("10.93.0.21"), agent("10.93.0.22")];
}

/** Runs `fault` under a writer and a caller until all is well again; no write may be lost, or given up. */
async function underWay(name: string, fault: () => Promise<void>): Promise<Report> {
  const writer = new Writer(agents(), "days", 30_000);
  const load = new Load(outputs.gatewayUrl, 20);
  const report = await seenThrough(name, writer, load, async () => {
    await fault();
    await eventually(expectFullHealth, 120);
  });
  const { writes } = report;
  reports.push(report);
  mkdirSync("artifacts", { recursive: true });
  writeFileSync("artifacts/day-two.md", `${summary(reports)}\n`);
  writeFileSync(`artifacts/day-two-${reports.length}.json`, JSON.stringify(report, undefined, 1));
  expect(writes).toMatchObject({ lost: [], failures: [] });
  expect(writes.acknowledged).toBeGreaterThan(20);
  return report;
}

/** What callers do not notice. */
async function unnoticed(name: string, fault: () => Promise<void>): Promise<Report> {
  const report = await underWay(name, fault);
  expect(report.calls.failures).toEqual([]);
  return report;
}

/** Planned work, which the writer does not notice either. */
async function planned(name: string, work: () => Promise<void>): Promise<void> {
  const { writes } = await unnoticed(name, work);
  // No time is asserted that a busy machine could not keep: an election takes longer than this.
  expect(writes.longestGapMs).toBeLessThan(2_000);
}

async function leader(): Promise<string> {
  const { members } = await readDatacenter(consul);
  const name = members.find((member) => member.leader)?.name;
  if (name === undefined) throw new Error("no leader");
  return name;
}

async function follower(): Promise<string> {
  return (await leader()) === "server-2" ? "server-3" : "server-2";
}

/** Ends a container as a crash would; the engine, which thinks so, too, starts it again. */
async function crash(...names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => signal(CONTAINER(name), "SIGKILL")));
}

const everything = () =>
  dockerLines("ps", "--format", "{{.Names}}", "--filter", "label=consul-docker.stack=days");

describe("scaling", () => {
  it.each([
    [1, 3],
    [3, 5],
    [5, 3],
    [3, 1],
    [1, 5],
    [5, 1],
    [1, 3],
  ])("goes from %i to %i servers", (from, to) =>
    planned(`scaling, ${from} to ${to} servers`, async () => {
      await apply({ servers: to });
      expect(await docker("exec", CONTAINER("server-1"), "cat", "/consul/secrets/members.json")).toContain(
        `"bootstrap_expect":${to}`,
      );
    }),
  );
});

describe("rolling", () => {
  it("upgrades", () => planned(`upgrade, ${OLD} to ${NEW}`, () => apply({ consulVersion: NEW })));

  it("refuses a downgrade, unless forced", async () => {
    await change({ consulVersion: OLD });
    const { code, output } = await stack.up();
    expect(code).not.toBe(0);
    expect(output).toContain(`consul-docker:consulVersion ${OLD} is older than the ${NEW} of server-1`);
    await change({ consulVersion: NEW });
  });

  it("changes the configuration", () =>
    planned("changed configuration", () => apply({ serverMemoryMb: 500 })));
});

describe("an upgrade that is cut off", () => {
  it.each(["deleting original", "creating replacement"])("while it is %s, goes on", async (step) =>
    planned(`changed configuration, cut off while ${step}`, async () => {
      await change({ serverMemoryMb: Number(settings["serverMemoryMb"]) + 1 });
      const cut = await stack.upUntil(new RegExp(`Container server-\\d ${step}`));
      expect(cut.code).not.toBe(0);
      await stack.cancel();
      expectSuccess(await stack.up());
      const memory = await dockerLines("inspect", "-f", "{{.HostConfig.Memory}}", ...SERVERS);
      expect(new Set(memory)).toEqual(new Set([`${Number(settings["serverMemoryMb"]) * 2 ** 20}`]));
    }),
  );
});

describe("a step that fails", () => {
  it("stops the roll, and the next update goes on from there", () =>
    unnoticed("upgrade to an image that does not start", async () => {
      const image = "hashicorp/consul:1.22.999";
      await docker("tag", `node:${versionOf("node_image_tag")}`, image);
      try {
        await change({ consulVersion: "1.22.999" });
        const failed = await stack.up();
        expect(failed.code).not.toBe(0);
        expect(failed.output).toContain("container failed to be in healthy state");
        const again = await stack.up();
        expect(again.code).not.toBe(0);
        expect(again.output).toMatch(
          /server-\d is not replaced, since the others could not do without it now/,
        );
      } finally {
        await change({ consulVersion: NEW });
        expectSuccess(await stack.up());
        await docker("rmi", image);
      }
    }));
});

describe("loss", () => {
  it("of the leader", () =>
    unnoticed("leader killed", async () => {
      await crash(await leader());
      await sleep(2_000);
    }));

  it("of a leader that stands still", () =>
    unnoticed("leader paused for 15 s", async () => {
      const name = CONTAINER(await leader());
      await docker("pause", name);
      try {
        await sleep(15_000);
      } finally {
        await docker("unpause", name);
      }
    }));

  it("of the leader's network", () =>
    unnoticed("leader without network for 15 s", async () => {
      const name = await leader();
      const address = `10.93.0.1${name.slice(-1)}`;
      await docker("network", "disconnect", NETWORK, CONTAINER(name));
      try {
        await sleep(15_000);
      } finally {
        await docker(
          "network",
          "connect",
          "--ip",
          address,
          "--alias",
          name,
          "--alias",
          "server",
          NETWORK,
          CONTAINER(name),
        );
      }
    }));

  it("of a follower's data", () =>
    unnoticed("follower's volume lost", async () => {
      const name = await follower();
      await docker("rm", "-f", CONTAINER(name));
      await docker("volume", "rm", CONTAINER(`${name}-data`));
      expectSuccess(await stack.refresh());
      expectSuccess(await stack.up());
    }));

  it("of all servers at once", () =>
    unnoticed("all servers killed", async () => {
      await crash("server-1", "server-2", "server-3");
      await sleep(2_000);
    }));

  it("of the leader's disk space", async () => {
    const name = "server-2";
    const disk = await smallDisk(name);
    try {
      await eventually(expectFullHealth, 90);
      await unnoticed("leader's disk full for 20 s", async () => {
        await eventually(() => lead(name));
        await disk.fill();
        await writeMuch();
        await sleep(20_000);
        expect((await run("docker", ["logs", CONTAINER(name)])).output).toContain("no space left on device");
        await disk.free();
      });
    } finally {
      await disk.remove();
      await eventually(expectFullHealth, 90);
    }
  });

  it("of the monitor that divides the nodes", () =>
    unnoticed("leading monitor killed", async () => {
      const lock = await consul.get<[{ Session?: string }]>("kv/consul-esm/leader");
      const { 0: session } = await consul.get<[{ Node: string }]>(`session/info/${lock[0].Session ?? ""}`);
      await crash(session.Node === "client-1" ? "monitor-1" : "monitor-2");
      await sleep(2_000);
    }));

  it("of both monitors", () =>
    unnoticed("both monitors killed", async () => {
      await crash("monitor-1", "monitor-2");
      await sleep(2_000);
    }));
});

/** Puts a server's data on a small disk, as long as that is not removed. */
async function smallDisk(name: string) {
  const folder = await docker("volume", "inspect", "-f", "{{.Mountpoint}}", CONTAINER(`${name}-data`));
  const disk = mkdtempSync(join(tmpdir(), "small-disk-"));
  const shell = async (script: string) => {
    expectSuccess(await run("sh", ["-ec", script], { folder, disk }));
  };
  const stopped = async (script: string) => {
    await docker("stop", CONTAINER(name));
    await shell(script);
    await docker("start", CONTAINER(name));
  };
  await stopped(`
    mount -t tmpfs -o size=256m tmpfs "$disk"
    cp -a "$folder/." "$disk"
    chown --reference="$folder" "$disk"
    mount --bind "$disk" "$folder"`);
  return {
    fill: () => shell(`dd if=/dev/zero of="$disk/filler" bs=64k 2>/dev/null || true`),
    free: () => shell(`rm "$disk/filler"`),
    remove: () =>
      stopped(`
        umount "$folder"
        rm -rf "$folder"/* "$disk/filler"
        cp -a "$disk/." "$folder"
        umount "$disk"
        rmdir "$disk"`),
  };
}

/** Writes more than raft has reserved room for. */
async function writeMuch(): Promise<void> {
  const [agent] = agents();
  const value = "x".repeat(500_000);
  for (let count = 0; count < 200; count++)
    await agent.send("PUT", "kv/filler", value).catch(() => undefined);
}

/** Makes a server the leader. */
async function lead(name: string): Promise<void> {
  const { Servers } = await consul.get<{ Servers: { ID: string; Node: string }[] }>(
    "operator/raft/configuration",
  );
  const id = Servers.find(({ Node }) => Node === name)?.ID ?? "";
  if ((await leader()) !== name) await consul.send("POST", `operator/raft/transfer-leader?id=${id}`);
  expect(await leader()).toBe(name);
}

describe("a reboot", () => {
  it("of the engine alone, which is killed", () =>
    underWay("engine killed and started", async () => {
      const engine = Number(readFileSync("/var/run/docker.pid", "utf8"));
      process.kill(engine, "SIGKILL");
      await eventually(() => {
        expect(existsSync(`/proc/${engine}`)).toBe(false);
      });
      expectSuccess(await run("bash", ["scripts/setup"]));
    }));

  it("of everything", () =>
    underWay("all containers stopped and started", async () => {
      const all = await everything();
      await docker("stop", ...all);
      await docker("start", ...all.reverse());
    }));
});

/** One line for each fault: what a writer and a caller saw of it. */
