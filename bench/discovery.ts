import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { cpus } from "node:os";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { versionOf } from "../versions";
import { median, spread, table, type Report } from "./report";
import type { Measured } from "./discovery/load";

/** The image of the agent, as the stack uses it. */
const IMAGE = `hashicorp/consul:${versionOf("consul_version")}`;
const NAME = "consul-docker-bench";
const ROUNDS = Number(process.env["ROUNDS"] ?? "9");
const SECONDS = Number(process.env["SECONDS"] ?? "4");

const WAYS = {
  fixed: "fixed addresses, same client",
  runtime: "this runtime",
  lookup: "a lookup before each call",
  moleculer: "moleculer 0.15, TCP",
} as const;
type Way = keyof typeof WAYS;

const execute = promisify(execFile);
const children: ChildProcess[] = [];

/** What discovery costs a caller: each way in turn, so that whatever else the machine does meets all of them. */
export async function benchDiscovery(): Promise<Report> {
  try {
    const consul = await startConsul();
    const ports = await freePorts(3);
    const others = await freePorts(4);
    const servers = await Promise.all(ports.map((port) => serve("server", { port })));
    await Promise.all(others.slice(0, 3).map((port) => serve("moleculer-server", { port, ports: others })));
    for (const port of ports) {
      await put(consul, "agent/service/register", {
        Name: "pricing",
        ID: `pricing-${port}`,
        Address: "127.0.0.1",
        Port: port,
      });
    }

    const rounds: Record<Way, Measured>[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const measured: Partial<Record<Way, Measured>> = {};
      const ways = Object.keys(WAYS) as Way[];
      // Another one begins each time: the first of a round may find a cooler machine.
      for (const way of [...ways.slice(round % ways.length), ...ways.slice(0, round % ways.length)]) {
        const task = way === "moleculer" ? { port: others[3] ?? 0, ports: others.slice(0, 3) } : { ports };
        measured[way] = await work<Measured>(way, { ...task, consul, seconds: SECONDS });
        console.error(
          `round ${round + 1} of ${ROUNDS}: ${way} ${Math.round(measured[way].callsPerSecond)} calls/s`,
        );
      }
      rounds.push(measured as Record<Way, Measured>);
    }

    const watches: [number, { memoryKb: number; cpuMsPerSecond: number }][] = [];
    for (const services of [10, 100, 1_000]) {
      console.error(`following ${services} services`);
      watches.push([services, await work("watch", { consul, services, seconds: 10 })]);
    }
    console.error("killing an instance");
    const victim = servers[0];
    const death = await work<{ lastCallMs: number; changeMs: number; failures: number }>("death", {
      consul,
      port: victim?.pid ?? 0,
      name: `pricing-${ports[0]}`,
    });
    return { markdown: report(rounds, watches, death) };
  } finally {
    children.forEach((child) => child.kill("SIGKILL"));
    await execute("docker", ["rm", "-fv", NAME]).catch(() => undefined);
  }
}

function report(
  rounds: readonly Record<Way, Measured>[],
  watches: readonly (readonly [number, { memoryKb: number; cpuMsPerSecond: number }])[],
  death: { lastCallMs: number; changeMs: number; failures: number },
): string {
  const ratio = (way: Way, of: (measured: Measured) => number) => {
    const ratios = rounds.map((round) => of(round[way]) / of(round.fixed));
    return `${median(ratios).toFixed(2)} (${spread(ratios)})`;
  };
  const rows = (Object.keys(WAYS) as Way[]).map((way) => [
    WAYS[way],
    String(Math.round(median(rounds.map((round) => round[way].callsPerSecond)))),
    ratio(way, ({ callsPerSecond }) => callsPerSecond),
    ratio(way, ({ p50 }) => p50),
    ratio(way, ({ p99 }) => p99),
    ratio(way, ({ memoryMb }) => memoryMb),
  ]);
  return [
    "# Discovery: what it costs a caller",
    "",
    `\`npm run bench -- discovery\` on ${cpus().length} cores of ${cpus()[0]?.model ?? "?"}, Node.js ${process.version}: one caller, 32 calls at a time, three instances, ${ROUNDS} rounds of ${SECONDS} s each way. Ratios to fixed addresses in the same round: median (lowest to highest).`,
    "",
    table(["way", "calls/s", "throughput", "p50", "p99", "memory"], rows),
    "",
    table(
      ["services followed", "memory for each, KiB", "CPU while nothing changes, ms a second"],
      watches.map(([services, { memoryKb, cpuMsPerSecond }]) => [
        String(services),
        (memoryKb / services).toFixed(1),
        cpuMsPerSecond.toFixed(1),
      ]),
    ),
    "",
    `An instance is killed: its last attempt comes ${Math.max(0, Math.round(death.lastCallMs))} ms later, and ${death.failures} calls fail. It is taken out of Consul: callers know ${Math.round(death.changeMs)} ms later.`,
    "",
  ].join("\n");
}

async function startConsul(): Promise<string> {
  await execute("docker", ["rm", "-fv", NAME]).catch(() => undefined);
  const config = JSON.stringify({ limits: { http_max_conns_per_client: 5_000 }, log_level: "warn" });
  await execute("docker", [
    ...["run", "-d", "--name", NAME, "--label", "consul-docker.bench=discovery", "-p", "127.0.0.1::8500"],
    ...["-e", `CONSUL_LOCAL_CONFIG=${config}`, IMAGE, "agent", "-dev", "-client=0.0.0.0"],
  ]);
  const { stdout } = await execute("docker", ["port", NAME, "8500/tcp"]);
  const consul = `http://${stdout.trim()}`;
  for (let attempt = 0; ; attempt++) {
    const answer = fetch(`${consul}/v1/status/leader`).then(
      (response) => response.text(),
      () => "",
    );
    // A connection that Docker took before the agent listens is never answered.
    const leader = await Promise.race([answer, sleep(1_000, "")]);
    if (leader.includes(":8300")) return consul;
    if (attempt > 100) throw new Error("the agent has not become ready in 20 s");
    await sleep(200);
  }
}

async function put(consul: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${consul}/v1/${path}`, { method: "PUT", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

/** A process that stays; resolves once it serves. */
async function serve(role: string, task: object): Promise<ChildProcess> {
  const child = start(role, task);
  await firstLine(child);
  return child;
}

/** A process that measures, and ends. */
async function work<T>(role: string, task: object): Promise<T> {
  return JSON.parse(await firstLine(start(role, task))) as T;
}

function start(role: string, task: object): ChildProcess {
  const args = ["--expose-gc", "--import", "tsx", "bench/discovery/worker.ts", role, JSON.stringify(task)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
    });
    child.on("exit", (code) => {
      reject(new Error(`a process of the bench ended with ${code}`));
    });
  });
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => {
            resolve(server);
          });
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
