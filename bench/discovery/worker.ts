import { Pricing } from "@consul-docker/protocol";
import {
  Consul,
  ConsulRegistry,
  createLogger,
  createServer,
  Health,
  ServiceMetrics,
  serviceTransport,
} from "@consul-docker/runtime";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ServiceBroker } from "moleculer";
import { setTimeout as sleep } from "node:timers/promises";
import { measure } from "./load";

// One process of the bench: `worker.ts ROLE JSON`. It says what it measured, or that it serves, on one line.

interface Task {
  readonly port: number;
  readonly ports: readonly number[];
  readonly consul: string;
  readonly services: number;
  readonly seconds: number;
  readonly name: string;
}

/** Calls at a time: enough to keep two cores busy. */
const AT_A_TIME = 32;
const IDS = ["espresso-cup", "filter-kettle"];

const log = createLogger({ serviceName: "bench", instanceName: "bench-1", logLevel: "error" });
const [role = "", json = "{}"] = process.argv.slice(2);
const task = JSON.parse(json) as Task;

const answer = () => ({
  prices: IDS.map((id) => ({ id, money: { currency: "EUR", minorUnits: 1_290n } })),
  servedBy: String(task.port),
});

function fixed(port: number): Client<typeof Pricing> {
  return createClient(
    Pricing,
    createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "2" }),
  );
}

function registry(): ConsulRegistry {
  return new ConsulRegistry(new Consul({ addresses: [task.consul] }), log);
}

const roles: Readonly<Record<string, () => Promise<unknown>>> = {
  async server() {
    const app = createServer({
      // Not a line for each request: neither do the others.
      log: createLogger({ serviceName: "bench", instanceName: "bench-1", logLevel: "error" }),
      health: new Health({}),
      rpc: (router) => router.service(Pricing, { getPrices: answer }),
    });
    await app.listen({ host: "127.0.0.1", port: task.port });
    return "serving";
  },

  /** Through the runtime, as a service does it. */
  async runtime() {
    const known = registry();
    const metrics = new ServiceMetrics(() => known.views());
    const pricing = createClient(Pricing, serviceTransport({ service: "pricing", registry: known, metrics }));
    await known.follow({ service: "pricing" }).first;
    return measure(() => pricing.getPrices({ ids: IDS }), AT_A_TIME, task.seconds);
  },

  /** To addresses that somebody wrote down, in turn, with the same client below. */
  async fixed() {
    const clients = task.ports.map(fixed);
    let turn = 0;
    const call = async () => clients[turn++ % clients.length]?.getPrices({ ids: IDS });
    return measure(call, AT_A_TIME, task.seconds);
  },

  /** With a lookup before each call. */
  async lookup() {
    const clients = new Map(task.ports.map((port) => [port, fixed(port)]));
    return measure(
      async () => {
        const response = await fetch(`${task.consul}/v1/health/service/pricing?passing`);
        const instances = (await response.json()) as { Service: { Port: number } }[];
        const chosen = instances[Math.floor(Math.random() * instances.length)];
        await clients.get(chosen?.Service.Port ?? 0)?.getPrices({ ids: IDS });
      },
      AT_A_TIME,
      task.seconds,
    );
  },

  async "moleculer-server"() {
    const broker = moleculer();
    broker.createService({
      name: "pricing",
      actions: { getPrices: () => JSON.parse(stringified) as unknown },
    });
    await broker.start();
    return "serving";
  },

  async moleculer() {
    const broker = moleculer();
    await broker.start();
    await broker.waitForServices("pricing", 20_000);
    // All three of them.
    await sleep(3_000);
    return measure(() => broker.call("pricing.getPrices", { ids: IDS }), AT_A_TIME, task.seconds);
  },

  /** What following so many services costs while nothing changes. */
  async watch() {
    const known = registry();
    const before = memory();
    const views = Array.from({ length: task.services }, (_, n) => known.follow({ service: `watched-${n}` }));
    await Promise.all(views.map(({ first }) => first));
    await sleep(2_000);
    const cpu = process.cpuUsage();
    await sleep(task.seconds * 1_000);
    const { user, system } = process.cpuUsage(cpu);
    return {
      memoryKb: (memory() - before) / 1_024,
      cpuMsPerSecond: (user + system) / 1_000 / task.seconds,
    };
  },

  /** How long a killed instance still gets calls, and how long a change in Consul takes to arrive. */
  async death() {
    const known = registry();
    const view = known.follow({ service: "pricing" });
    await view.first;
    let lastAttemptAt = 0;
    let failures = 0;
    const metrics = {
      called: (_target: string, _method: string, code: unknown) => {
        failures += code === undefined ? 0 : 1;
      },
      attempted: (_target: string, kind: string) => {
        if (kind !== "first") lastAttemptAt = performance.now();
      },
      ejected: () => undefined,
      follow: () => undefined,
    };
    const pricing = createClient(Pricing, serviceTransport({ service: "pricing", registry: known, metrics }));
    const stopping = new AbortController();
    const load = (async () => {
      while (!stopping.signal.aborted) {
        await pricing.getPrices({ ids: IDS }).catch(() => undefined);
        await sleep(2);
      }
    })();
    await sleep(1_000);
    process.kill(task.port, "SIGKILL");
    const killedAt = performance.now();
    await sleep(3_000);
    const lastCallMs = lastAttemptAt - killedAt;
    const changed = new Promise<number>((resolve) => {
      view.onChange(() => {
        resolve(performance.now());
      });
    });
    const deregisteredAt = performance.now();
    await fetch(`${task.consul}/v1/agent/service/deregister/${task.name}`, { method: "PUT" });
    const changeMs = (await changed) - deregisteredAt;
    stopping.abort();
    await load;
    return { lastCallMs, changeMs, failures };
  },
};

const stringified = JSON.stringify({
  prices: IDS.map((id) => ({ id, currency: "EUR", minorUnits: "1290" })),
});

/** Bytes in use, garbage aside. */
function memory(): number {
  gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** By TCP, without its broadcasts: this machine need not hear of the bench. */
function moleculer(): ServiceBroker {
  const urls = [...task.ports, task.port].map((port) => `127.0.0.1:${port}/node-${port}`).join(",");
  return new ServiceBroker({
    nodeID: `node-${task.port}`,
    logger: false,
    transporter: { type: "TCP", options: { udpDiscovery: false, urls } },
  });
}

void roles[role]?.().then((result) => {
  console.log(JSON.stringify(result));
  if (result !== "serving") process.exit();
});
