import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { labelFilters } from "../components/container";
import { inspectAll } from "../engine";
import { machine } from "./machine";
import { Program } from "./program";
import { median, table, type Report } from "./report";

const SECONDS = Number(process.env["SECONDS"] ?? "60");
/** Numbers of client agents. */
const SIZES = (process.env["SIZES"] ?? "2,20").split(",").map(Number);
const STACK = "bcha";
// Certificates are signed, members join and raft settles after an update.
const SETTLE_SECONDS = 30;
const MIB = 2 ** 20;
const SETTINGS = {
  datacenter: "bench",
  subnet: "10.100.3.0/24",
  httpPort: 19_563,
  dnsPort: 19_663,
  services: [
    { name: "gateway", port: 8080, hostPort: 19_763, discovers: ["catalog"] },
    { name: "catalog", port: 8080, instances: 2, discovers: ["pricing"] },
    { name: "pricing", port: 8080, instances: 2 },
  ],
};
/** The roles whose containers have a row each. */
const ROLES = ["server", "client", "monitor", "service"];

/** A container of the stack. */
interface Agent {
  readonly Id: string;
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
}

/** What the engine has counted for a container since its start. */
interface Stats {
  readonly cpu_stats: { readonly cpu_usage: { readonly total_usage: number } };
  readonly memory_stats: { readonly usage: number; readonly stats?: { readonly inactive_file?: number } };
  readonly networks: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>>;
}

/** What one agent takes while nobody asks it for anything. */
interface Cost {
  readonly role: string;
  readonly cpuMsPerSecond: number;
  readonly memoryMib: number;
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
}

/** What a whole machine does: with a stack at rest, all of it for the stack, engine included, beyond what it did before. */
interface Work {
  /** Cores that are not idle. */
  readonly cores: number;
  /** Processes and threads that start. */
  readonly startsPerSecond: number;
}

/** A stack at rest. */
interface Watched {
  readonly clients: number;
  readonly costs: readonly Cost[];
  readonly work: Work;
  /** The same containers, but for their health checks. */
  readonly unchecked: Work;
}

/** What idle agents cost, in datacenters of several sizes. */
export async function benchAgents(): Promise<Report> {
  console.error(`watching the machine at rest for ${SECONDS} s: nothing else may run meanwhile`);
  const { work: idle } = await during(() => sleep(SECONDS * 1000));
  const watched: Watched[] = [];
  for (const clients of SIZES) watched.push(await benchSize(clients));
  return report(idle, watched);
}

async function benchSize(clients: number): Promise<Watched> {
  const program = await Program.copy(STACK);
  try {
    console.error(`bringing up 3 servers and ${clients} clients, to watch them for ${SECONDS} s`);
    await program.configure({ ...SETTINGS, clients });
    await program.up();
    await sleep(SETTLE_SECONDS * 1000);
    const { work, result: costs } = await during(watch);
    console.error("replacing all by containers without health checks, to watch those");
    await takeHealthChecksOut(program);
    await program.up();
    await sleep(SETTLE_SECONDS * 1000);
    const { work: unchecked } = await during(() => sleep(SECONDS * 1000));
    return { clients, costs, work, unchecked };
  } finally {
    await program.destroy().catch(() => undefined);
    await program.remove();
  }
}

async function takeHealthChecksOut(program: Program): Promise<void> {
  const file = join(program.folder, "components/container.ts");
  const text = await readFile(file, "utf8");
  const changed = text
    .replace(/tests: \["CMD", .*\]/, 'tests: ["NONE"]')
    .replace("wait: true", "wait: false");
  await writeFile(file, changed);
}

/** What the machine did while this lasted. */
async function during<T>(what: () => Promise<T>): Promise<{ work: Work; result: T }> {
  const [since, before] = [performance.now(), await counted()];
  const result = await what();
  const after = await counted();
  const seconds = (performance.now() - since) / 1000;
  return {
    result,
    work: {
      cores: (after.cpuSeconds - before.cpuSeconds) / seconds,
      startsPerSecond: (after.starts - before.starts) / seconds,
    },
  };
}

/** What the kernel has counted since it started. */
async function counted(): Promise<{ cpuSeconds: number; starts: number }> {
  const text = await readFile("/proc/stat", "utf8");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (/^cpu +(.*)$/m.exec(text)?.[1] ?? "")
    .split(" ")
    .map(Number);
  // In hundredths of a second on every architecture.
  return {
    cpuSeconds: (user + nice + system + irq + softirq) / 100,
    starts: Number(/^processes (\d+)$/m.exec(text)?.[1]),
  };
}

async function watch(): Promise<Cost[]> {
  const own = labelFilters({ project: "consul-docker", stack: STACK });
  const containers = await inspectAll<Agent>({}, "container", ["ps", "-q", ...own]);
  const all = () => Promise.all(containers.map(({ Id }) => stats(Id)));
  const before = await all();
  await sleep(SECONDS * 1000);
  const after = await all();
  return containers.flatMap(({ Config }, index) => {
    const [was, is] = [before[index], after[index]];
    if (was === undefined || is === undefined) return [];
    const bytes = (of: Stats, way: "rx_bytes" | "tx_bytes") =>
      Object.values(of.networks).reduce((sum, network) => sum + network[way], 0);
    const { usage, stats: pages } = is.memory_stats;
    return [
      {
        role: Config.Labels["consul-docker.role"] ?? "",
        cpuMsPerSecond:
          (is.cpu_stats.cpu_usage.total_usage - was.cpu_stats.cpu_usage.total_usage) / 1e6 / SECONDS,
        memoryMib: (usage - (pages?.inactive_file ?? 0)) / MIB,
        sentBytesPerSecond: (bytes(is, "tx_bytes") - bytes(was, "tx_bytes")) / SECONDS,
        receivedBytesPerSecond: (bytes(is, "rx_bytes") - bytes(was, "rx_bytes")) / SECONDS,
      },
    ];
  });
}

/** The engine's own counters; its command line rounds them. */
function stats(container: string): Promise<Stats> {
  return new Promise((resolve, reject) => {
    const path = `/containers/${container}/stats?stream=false&one-shot=true`;
    request({ socketPath: "/var/run/docker.sock", path }, (response) => {
      let text = "";
      response
        .setEncoding("utf8")
        .on("data", (chunk: string) => (text += chunk))
        .on("end", () => {
          resolve(JSON.parse(text) as Stats);
        });
    })
      .on("error", reject)
      .end();
  });
}

async function report(idle: Work, watched: readonly Watched[]): Promise<Report> {
  const rows = ROLES.flatMap((role) =>
    watched.map(({ clients, costs }) => {
      const own = costs.filter((cost) => cost.role === role);
      const of = (what: Exclude<keyof Cost, "role">) => {
        const values = own.map((cost) => cost[what]);
        return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;
      };
      return [
        role,
        String(clients),
        of("cpuMsPerSecond"),
        of("memoryMib"),
        of("sentBytesPerSecond"),
        of("receivedBytesPerSecond"),
      ];
    }),
  );
  const beyondIdle = ({ cores, startsPerSecond }: Work) => [
    (cores - idle.cores).toFixed(3),
    (startsPerSecond - idle.startsPerSecond).toFixed(1),
  ];
  return {
    markdown: [
      "# Agents: what they cost while nobody asks for anything",
      "",
      `\`npm run bench -- agents\` on ${await machine()}: encrypted and with access control, with two monitors and five instances of services, watched for ${SECONDS} s each.`,
      "",
      "One container: median (lowest to highest). CPU includes the health check, but not what the engine does for it.",
      "",
      table(
        ["role", "clients", "CPU, ms a second", "memory, MiB", "sent, bytes/s", "received, bytes/s"],
        rows,
      ),
      "",
      `The whole stack with the engine's part: what the machine does more than before (${idle.cores.toFixed(3)} cores, ${idle.startsPerSecond.toFixed(1)} starts a second). Starts are of processes and threads.`,
      "",
      table(
        [
          "servers",
          "clients",
          "cores busy",
          "starts a second",
          "without health checks: cores busy",
          "starts a second",
        ],
        watched.map(({ clients, work, unchecked }) => [
          "3",
          String(clients),
          ...beyondIdle(work),
          ...beyondIdle(unchecked),
        ]),
      ),
      "",
    ].join("\n"),
  };
}
