import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { grow, serviceName, type State } from "./preview/grow";
import { machine } from "./machine";
import { bar, plot } from "./plot";
import { Program } from "./program";
import { median, spread, table, type Report } from "./report";

const ROUNDS = Number(process.env["ROUNDS"] ?? "7");
const SIZES = [3, 30, 300] as const;
const GOAL = 1.25;

const EMPTY = {
  empty: { label: "index.js that exports nothing", code: "module.exports = {};" },
  sdk: { label: "it loads @pulumi/pulumi", code: 'require("@pulumi/pulumi");' },
  plugins: {
    label: "it starts both plugins, too",
    code: `const docker = require("@pulumi/docker");
const consul = require("@pulumi/consul");
new docker.Provider("docker", {});
new consul.Provider("consul", { address: "127.0.0.1:1" });`,
  },
} as const;
type Way = keyof typeof EMPTY | (typeof SIZES)[number];
type Round = Readonly<Record<Way, number>>;

/** A service that answers its health checks, and does nothing else. */
const SERVICE = `import { Runtime, createServer } from "@consul-docker/runtime";

const runtime = new Runtime();
void runtime.run(createServer(runtime.server));
`;

/** What a preview without a change takes, beside that of empty programs. */
export async function benchPreview(): Promise<Report> {
  const programs = new Map<Way, Program>();
  try {
    for (const [way, { code }] of Object.entries(EMPTY)) programs.set(way as Way, await empty(way, code));
    const [few] = SIZES;
    const smallest = await datacenter(few);
    programs.set(few, smallest);
    for (const size of SIZES.slice(1)) programs.set(size, await datacenter(size));
    const state = await deployed(smallest);
    for (const size of SIZES) await programs.get(size)?.import(JSON.stringify(grow(state, few, size)));

    const rounds: Round[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const times: Partial<Record<Way, number>> = {};
      for (const [way, program] of programs) times[way] = await program.preview();
      const shown = Object.entries(times).map(([way, time]) => `${way} ${Math.round(time)} ms`);
      console.error(`round ${round} of ${ROUNDS}: ${shown.join(", ")}`);
      // The first one warms the machine up, and bundles the services.
      if (round > 0) rounds.push(times as Round);
    }
    return await report(rounds);
  } finally {
    for (const program of programs.values()) await program.remove();
  }
}

async function empty(way: string, code: string): Promise<Program> {
  const program = await Program.of(`bch-${way}`, {
    "Pulumi.yaml": "name: consul-docker\nruntime: nodejs\nmain: index.js\n",
    "package.json": JSON.stringify({ dependencies: { "@pulumi/pulumi": "*" } }),
    "index.js": code,
  });
  await program.configure({});
  await program.up();
  return program;
}

/** All of them are called alike: their states differ in the services only. */
async function datacenter(services: number): Promise<Program> {
  const program = await Program.copy("bchp");
  const names = Array.from({ length: services }, (_, index) => serviceName(index + 1));
  for (const name of names) {
    await mkdir(join(program.folder, "services", name));
    await writeFile(join(program.folder, "services", name, "main.ts"), SERVICE);
  }
  await program.configure({
    datacenter: "bench",
    subnet: "10.100.1.0/24",
    httpPort: 19_560,
    dnsPort: 19_660,
    services: names.map((name) => ({ name, port: 8080 })),
  });
  return program;
}

/** The state that the program leaves; its containers go again, since a preview asks neither the engine nor Consul. */
async function deployed(program: Program): Promise<State> {
  console.error("bringing a datacenter up, for its state");
  try {
    await program.up();
    return JSON.parse(await program.exported()) as State;
  } finally {
    await program.destroy();
  }
}

async function report(rounds: readonly Round[]): Promise<Report> {
  const labels: Readonly<Record<Way, string>> = {
    empty: EMPTY.empty.label,
    sdk: EMPTY.sdk.label,
    plugins: EMPTY.plugins.label,
    3: "3 services",
    30: "30 services",
    300: "300 services",
  };
  const ratios = (way: Way, to: Way) => rounds.map((round) => round[way] / round[to]);
  const shown = (values: readonly number[]) => `${median(values).toFixed(2)} (${spread(values)})`;
  const ways: readonly Way[] = [...(Object.keys(EMPTY) as Way[]), ...SIZES];
  const further = ([few, many]: readonly [Way & number, Way & number]) => {
    const each = rounds.map((round) => (round[many] - round[few]) / (many - few));
    return [`from ${few} to ${many}`, shown(each)];
  };
  return {
    markdown: [
      "# Preview: what it takes when nothing changed",
      "",
      `\`npm run bench -- preview\` on ${await machine()}: one preview after the other, ${ROUNDS} rounds after one that warms up. Ratios within the same round: median (lowest to highest).`,
      "",
      "![Each program's ratio to the empty one](bench-preview.svg)",
      "",
      table(
        ["program", "seconds", "to empty", "to empty with both plugins"],
        ways.map((way) => [
          labels[way],
          (median(rounds.map((round) => round[way])) / 1000).toFixed(2),
          shown(ratios(way, "empty")),
          shown(ratios(way, "plugins")),
        ]),
      ),
      "",
      table(
        ["each further service", "ms"],
        (
          [
            [3, 30],
            [30, 300],
          ] as const
        ).map(further),
      ),
      "",
      "The state of the 3 services is that of a deployment. Those of 30 and 300 are made from it, each further service as a copy of one of the 3, and every measured preview fails unless it finds nothing to change. Each further service is 11 further resources, 7 of which are compared by a plugin.",
      "",
    ].join("\n"),
    svg: plot(
      "A preview without a change, as a multiple of an empty program's; red: the goal",
      ways.slice(1).map((way) => bar(labels[way], ratios(way, "empty"), way === 3 ? GOAL : undefined)),
    ),
  };
}
