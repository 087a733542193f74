import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { grow, serviceName, type State } from "./preview/grow";
import { machine } from "./machine";
import { bar, plot } from "./plot";
import { Program } from "./program";
import { median, spread, table, type Report } from "./report";

const ROUNDS = Number(process.env["ROUNDS"] ?? "7");
/** Numbers of services; the first one is deployed. */
const SIZES = (process.env["SIZES"] ?? "3,30,300").split(",").map(Number);
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
  stashes: {
    label: "it registers 100 resources of no plugin",
    code: `const pulumi = require("@pulumi/pulumi");
for (let number = 1; number <= 100; number++) new pulumi.Stash(\`stash-\${number}\`, { input: number });`,
  },
} as const;
type Round = ReadonlyMap<string, number>;

const sized = (services: number) => `${services} services`;

/** A service that answers its health checks, and does nothing else. */
const SERVICE = `import { Runtime, createServer } from "@consul-docker/runtime";

const runtime = new Runtime();
void runtime.run(createServer(runtime.server));
`;

/** What a preview without a change takes, beside that of empty programs. */
export async function benchPreview(): Promise<Report> {
  const programs = new Map<string, Program>();
  try {
    for (const [way, { code }] of Object.entries(EMPTY)) programs.set(way, await empty(way, code));
    const [few = 3, ...more] = SIZES;
    const smallest = await datacenter(few);
    programs.set(sized(few), smallest);
    for (const size of more) programs.set(sized(size), await datacenter(size));
    const state = await deployed(smallest);
    for (const size of SIZES) await programs.get(sized(size))?.import(JSON.stringify(grow(state, few, size)));

    const rounds: Round[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const times = new Map<string, number>();
      for (const [way, program] of programs) times.set(way, await program.preview());
      const shown = [...times].map(([way, time]) => `${way} ${Math.round(time)} ms`);
      console.error(`round ${round} of ${ROUNDS}: ${shown.join(", ")}`);
      // The first one warms the machine up, and bundles the services.
      if (round > 0) rounds.push(times);
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
  const labels = new Map([
    ...Object.entries(EMPTY).map(([way, { label }]) => [way, label] as const),
    ...SIZES.map((size) => [sized(size), sized(size)] as const),
  ]);
  const of = (round: Round, way: string) => round.get(way) ?? Number.NaN;
  const ratios = (way: string, to: string) => rounds.map((round) => of(round, way) / of(round, to));
  const shown = (values: readonly number[]) => `${median(values).toFixed(2)} (${spread(values)})`;
  const further = SIZES.slice(1).map((many, index) => {
    const few = SIZES[index] ?? 0;
    const each = rounds.map((round) => (of(round, sized(many)) - of(round, sized(few))) / (many - few));
    return [`from ${few} to ${many}`, shown(each)];
  });
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
        [...labels].map(([way, label]) => [
          label,
          (median(rounds.map((round) => of(round, way))) / 1000).toFixed(2),
          shown(ratios(way, "empty")),
          shown(ratios(way, "plugins")),
        ]),
      ),
      "",
      table(["each further service", "ms"], further),
      "",
      "The first state is that of a deployment. The others are made from it, each further service as a copy of one that was deployed, and every measured preview fails unless it finds nothing to change. The smallest datacenter is about 100 resources, each further service is 11 further ones, 7 of which are compared by a plugin.",
      "",
    ].join("\n"),
    svg: plot(
      "A preview without a change, as a multiple of an empty program's; red: the goal",
      [...labels]
        .slice(1)
        .map(([way, label]) =>
          bar(label, ratios(way, "empty"), SIZES.map(sized).includes(way) ? GOAL : undefined),
        ),
    ),
  };
}
