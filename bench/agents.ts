import { request } from "node:http";
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
const SETTINGS = { datacenter: "bench", subnet: "10.100.3.0/24", httpPort: 19_563, dnsPort: 19_663 };

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

/** What idle agents cost, in datacenters of several sizes. */
export async function benchAgents(): Promise<Report> {
  const program = await Program.copy(STACK);
  const costs = new Map<number, readonly Cost[]>();
  try {
    for (const clients of SIZES) {
      console.error(`bringing up 3 servers and ${clients} clients, to watch them for ${SECONDS} s`);
      await program.configure({ ...SETTINGS, clients });
      await program.up();
      await sleep(SETTLE_SECONDS * 1000);
      costs.set(clients, await watch());
    }
  } finally {
    await program.destroy().catch(() => undefined);
    await program.remove();
  }
  return report(costs);
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

async function report(costs: ReadonlyMap<number, readonly Cost[]>): Promise<Report> {
  const rows = ["server", "client", "monitor"].flatMap((role) =>
    [...costs].map(([clients, all]) => {
      const own = all.filter((cost) => cost.role === role);
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
  return {
    markdown: [
      "# Agents: what they cost while nobody asks for anything",
      "",
      `\`npm run bench -- agents\` on ${await machine()}: encrypted and with access control, watched for ${SECONDS} s each. One container: median (lowest to highest). CPU includes the health check every two seconds.`,
      "",
      table(
        ["role", "clients", "CPU, ms a second", "memory, MiB", "sent, bytes/s", "received, bytes/s"],
        rows,
      ),
      "",
    ].join("\n"),
  };
}
