import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { table } from "../../bench/report";
import { ConsulApi } from "../../scripts/consul-api";
import { isHealthy, readDatacenter } from "../../scripts/datacenter";
import { versionOf } from "../../versions";
import { docker, dockerLines, expectSuccess, run, signal } from "./command";
import { checks, passingDuring } from "./consul";
import { eventually } from "./eventually";
import { products } from "./gateway";
import { type LoadReport, underLoad } from "./load";
import { copyOfTheProject } from "./project";
import { servicesAt, TEST_STACK, TestStack, type Outputs } from "./test-stack";

// What callers of the gateway see while something breaks behind it, or is replaced: nothing.
jest.setTimeout(300_000);

/** How long each load lasts at least; 60 for figures. */
const SECONDS = Number(process.env["FAULT_SECONDS"] ?? "10");

const CONTAINER = (name: string) => `consul-docker-faults-${name}`;
const SERVERS = ["server-1", "server-2", "server-3"].map(CONTAINER);
const ROGUE = "pricing-9";
const SETTINGS = {
  ...TEST_STACK,
  datacenter: "faults",
  subnet: "10.92.0.0/24",
  httpPort: 19501,
  dnsPort: 19601,
  services: servicesAt(19081),
};

let project: string;
let stack: TestStack;
let outputs: Outputs;
let consul: ConsulApi;
const reports = new Map<string, LoadReport>();

beforeAll(async () => {
  project = copyOfTheProject();
  stack = await TestStack.create("faults", { cwd: project });
  await stack.configure(SETTINGS);
  await up();
  outputs = await stack.outputs();
  consul = new ConsulApi(outputs);
  await calm();
});

afterAll(async () => {
  await run("docker", ["rm", "-fv", ROGUE]);
  await stack.remove();
  rmSync(project, { recursive: true, force: true });
  mkdirSync("artifacts", { recursive: true });
  writeFileSync("artifacts/faults.md", `${summary()}\n`);
});

/** Brings the stack up; resolves to what that wrote. */
async function up(): Promise<string> {
  const update = await stack.up();
  expectSuccess(update);
  return update.output;
}

function expectSome(passing: readonly number[]): void {
  expect(passing).toEqual([1, 2]);
}

/** Waits until everything is as it should be. */
async function calm(): Promise<void> {
  await eventually(async () => {
    expect((await checks(consul)).filter(({ Status }) => Status !== "passing")).toEqual([]);
    expect(isHealthy(await readDatacenter(consul))).toBe(true);
    await products(outputs.gatewayUrl);
  }, 90);
}

async function expectNoFailure(name: string, fault: () => Promise<void>): Promise<void> {
  const report = await underLoad(outputs.gatewayUrl, SECONDS, fault);
  reports.set(name, report);
  const told = report.failed > 0 ? await keepLogs(name) : [];
  expect([...report.failures, ...told]).toEqual([]);
  expect(report.calls).toBeGreaterThan(SECONDS * 20);
  await calm();
}

/**
 * For people: keeps what every container said, in the order of time as far as each line has one. Resolves to what of
 * it was no good news, for where the file is not to be had.
 */
async function keepLogs(name: string): Promise<string[]> {
  const names = await dockerLines(
    "ps",
    "--format",
    "{{.Names}}",
    "--filter",
    "label=consul-docker.stack=faults",
  );
  const logs = await Promise.all(
    names.map(async (container) => {
      const { output } = await run("docker", ["logs", "--timestamps", container]);
      return output.split("\n").map((line) => line.replace(" ", ` ${container} `));
    }),
  );
  mkdirSync("artifacts", { recursive: true });
  const lines = logs.flat().sort();
  writeFileSync(`artifacts/faults-${name.replaceAll(" ", "-")}.log`, lines.join("\n"));
  return lines.filter((line) => /"level":"(warn|error)"|"status":5\d\d/.test(line)).slice(-20);
}

describe("no call fails", () => {
  it("while nothing happens", () => expectNoFailure("nothing", () => Promise.resolve()));

  // Before anything has refreshed the state, which says of every check that it was critical.
  it("when registrations change, and some instance of each service always passes", () =>
    expectNoFailure("registrations changed", async () => {
      const services = SETTINGS.services.map((service) => ({ ...service, meta: { changed: "yes" } }));
      await stack.configure({ ...SETTINGS, services });
      const passing = passingDuring(consul, "catalog", () =>
        passingDuring(consul, "pricing", up).then(expectSome),
      );
      expectSome(await passing);
    }));

  it("when an instance is killed", () =>
    expectNoFailure("instance killed", async () => {
      await signal(CONTAINER("pricing-1"), "SIGKILL");
      await signal(CONTAINER("catalog-2"), "SIGKILL");
    }));

  it("when an instance stands still", () =>
    expectNoFailure("instance paused", async () => {
      await signal(CONTAINER("pricing-2"), "SIGSTOP");
      await signal(CONTAINER("catalog-1"), "SIGSTOP");
      try {
        await sleep((SECONDS - 3) * 1_000);
      } finally {
        await signal(CONTAINER("pricing-2"), "SIGCONT");
        await signal(CONTAINER("catalog-1"), "SIGCONT");
      }
    }));

  it("when an instance answers every other call with 500", async () => {
    await expectNoFailure("instance fails half", async () => {
      await startRogue();
      try {
        await sleep((SECONDS - 3) * 1_000);
        // It did get calls, and the metrics say that it was ejected.
        expect(Number(await docker("exec", ROGUE, "cat", "/tmp/failed"))).toBeGreaterThan(2);
        const metrics = await docker(
          "exec",
          CONTAINER("catalog-1"),
          "node",
          "-e",
          "fetch('http://127.0.0.1:8080/metrics').then(r=>r.text()).then(console.log)",
        );
        expect(metrics).toMatch(/^discovery_ejections_total\{target="pricing"\} [1-9]/m);
      } finally {
        await consul.send("PUT", "catalog/deregister", { Node: ROGUE });
        await docker("rm", "-fv", ROGUE);
      }
    });
  });

  it("when both client agents restart", () =>
    expectNoFailure("clients restarted", async () => {
      await docker("restart", CONTAINER("client-1"), CONTAINER("client-2"));
    }));

  it("when the leader is killed", () =>
    expectNoFailure("leader killed", async () => {
      const { members } = await readDatacenter(consul);
      await signal(CONTAINER(members.find(({ leader }) => leader)?.name ?? ""), "SIGKILL");
    }));

  it("when all servers are away for 20 s", () =>
    expectNoFailure("servers stopped", async () => {
      await Promise.all(SERVERS.map((server) => docker("stop", server)));
      await sleep(20_000);
      await docker("start", ...SERVERS);
    }));

  it("while services are deployed and one grows from two instances to four, and shrinks again", () =>
    expectNoFailure("deployment, 2-4-2", async () => {
      for (const file of ["services/pricing/main.ts", "services/catalog/main.ts"]) {
        appendFileSync(join(project, file), 'console.log("another version");\n');
      }
      for (const instances of [4, 2]) {
        await stack.configure({
          ...SETTINGS,
          services: SETTINGS.services.map((service) =>
            service.name === "pricing" ? { ...service, instances } : service,
          ),
        });
        const replaced = (await up()).match(/Container (catalog|pricing)-[12] created replacement/g);
        expect(replaced ?? []).toHaveLength(instances === 4 ? 4 : 0);
        await eventually(async () => {
          const passing = await consul.get<unknown[]>("health/service/pricing?passing");
          expect(passing).toHaveLength(instances);
        });
      }
    }));
});

/** One line for each fault: calls, failed ones, latencies in milliseconds. */
function summary(): string {
  return table(
    ["while", "calls", "failed", "p50, ms", "p99, ms", "slowest, ms"],
    [...reports].map(([name, { calls, failed, p50, p99, max }]) => [
      name,
      ...[calls, failed, p50, p99, max].map(String),
    ]),
  );
}

/** One more instance of pricing, which passes every other call on to a real one, and answers the rest with 500. */
async function startRogue(): Promise<void> {
  const program = `
    const http2 = require("node:http2"), { writeFileSync } = require("node:fs");
    const real = http2.connect("http://pricing-1:8080");
    real.on("error", console.error);
    let calls = 0, failed = 0;
    http2.createServer().on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      if (calls++ % 2) {
        writeFileSync("/tmp/failed", String(++failed));
        stream.respond({ ":status": 500 });
        stream.end();
        return;
      }
      const { ":authority": authority, ...rest } = headers;
      const call = real.request(rest);
      call.on("error", () => stream.close());
      call.on("response", ({ ":status": status, ...rest }) => {
        // Its caller may have had the answer of another instance by now.
        if (!stream.destroyed) stream.respond({ ":status": status, "content-type": rest["content-type"] });
      });
      stream.pipe(call).pipe(stream);
    }).listen(8080);`;
  const label = "consul-docker-test=faults";
  const network = "consul-docker-faults-network";
  await run("docker", ["rm", "-fv", ROGUE]);
  await docker(
    ...["run", "-d", "--name", ROGUE, "--network", network, "--network-alias", ROGUE, "--label", label],
    ...[`node:${versionOf("node_image_tag")}`, "node", "-e", program],
  );
  await consul.send("PUT", "catalog/register", {
    Node: ROGUE,
    Address: ROGUE,
    Service: { Service: "pricing", ID: ROGUE, Address: ROGUE, Port: 8080 },
  });
}
