import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker, inspectAll } from "../engine";
import { expectSuccess, run, type Result } from "../tests/integration/command";
import { machine } from "./machine";
import { bar, plot } from "./plot";
import { Program, timed } from "./program";
import { median, spread, table, type Report } from "./report";
import { composeFile, folders, type Deployed } from "./up/compose";
import { register, registrations } from "./up/registrations";

const ROUNDS = Number(process.env["ROUNDS"] ?? "7");
const STACK = "bchu";
const GOAL = 1.2;
const OWN = ["--filter", `label=consul-docker.stack=${STACK}`];
const SETTINGS = {
  datacenter: "bench",
  subnet: "10.100.2.0/24",
  httpPort: 19_561,
  dnsPort: 19_661,
  insecure: true,
  services: [
    { name: "gateway", port: 8080, hostPort: 19_140, tags: ["http"], discovers: ["catalog"] },
    { name: "catalog", port: 8080, instances: 2, tags: ["rpc"], discovers: ["pricing"] },
    {
      name: "pricing",
      port: 8080,
      instances: 2,
      tags: ["rpc"],
      config: { currency: "EUR", discountPercent: 0 },
    },
  ],
};

const API = `http://127.0.0.1:${SETTINGS.httpPort}`;

/** What one way took, in milliseconds: all of it, and from the start of the first server to the election of a leader. */
interface Took {
  readonly all: number;
  readonly leader: number;
}

/** What `pulumi up` takes from nothing, beside `docker compose up --wait` for the same containers. */
export async function benchUp(): Promise<Report> {
  const compose = await findCompose();
  const program = await Program.copy(STACK);
  const folder = await mkdtemp(join(tmpdir(), "consul-docker-compose-"));
  const file = ["--project-name", STACK, "--file", join(folder, "compose.yaml")];
  try {
    await program.configure(SETTINGS);
    console.error("bringing the datacenter up once, to describe its containers to Compose");
    await program.up();
    const containers = await inspectAll<Deployed>({}, "container", ["ps", "-a", "-q", ...OWN]);
    await writeFile(join(folder, "compose.yaml"), JSON.stringify(composeFile(containers, SETTINGS.subnet)));
    for (const { container, path } of folders(containers)) {
      await mkdir(join(folder, container, path), { recursive: true });
      await docker(["cp", "-a", `${container}:${path}/.`, join(folder, container, path)]);
    }
    // Without encryption and access control there is no secret in them.
    expectSuccess(await run("chmod", ["-R", "a+rX", folder]));
    const entries = await registrations(
      API,
      SETTINGS.services.map(({ name }) => name),
    );
    // The images stay when the stack goes, for Compose and for the engine's build cache.
    for (const { Image } of containers) await docker(["tag", Image, tagOf(Image)]);
    await program.destroy();

    const rounds: Record<"pulumi" | "compose", Took>[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const pulumi = { all: await program.up(), leader: await leaderAfter() };
      await program.destroy();
      const [all] = await Promise.all([
        timed(compose(...file, "up", "--wait", "--quiet-pull")),
        register(API, entries),
      ]);
      const byCompose = { all, leader: await leaderAfter() };
      expectSuccess(await compose(...file, "down", "--volumes"));
      console.error(
        `round ${round} of ${ROUNDS}: pulumi ${Math.round(pulumi.all)} ms, compose ${Math.round(byCompose.all)} ms`,
      );
      // The first one warms the machine up.
      if (round > 0) rounds.push({ pulumi, compose: byCompose });
    }
    return await report(rounds, (await compose("version", "--short")).stdout.trim());
  } finally {
    await compose(...file, "down", "--volumes");
    await program.destroy().catch(() => undefined);
    const tags = await docker(["images", "--format", "{{.Repository}}:{{.Tag}}", "consul-docker-bench"]);
    for (const tag of tags.split("\n").filter(Boolean)) await docker(["rmi", tag]);
    await program.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs Compose v2: as docker's plugin, or by itself. */
async function findCompose(): Promise<(...args: readonly string[]) => Promise<Result>> {
  for (const [command, ...first] of [["docker", "compose"], ["docker-compose"]] as const) {
    const { code, stdout } = await run(command, [...first, "version", "--short"]).catch(() => ({
      code: 1,
      stdout: "",
    }));
    if (code === 0 && /^v?[2-9]/.test(stdout)) return (...args) => run(command, [...first, ...args]);
  }
  throw new Error("the bench up needs Docker Compose v2: install its package docker-compose-plugin");
}

/** Milliseconds from the start of the first server to the first leader. */
async function leaderAfter(): Promise<number> {
  const servers = ["1", "2", "3"].map((number) => `consul-docker-${STACK}-server-${number}`);
  const starts = await Promise.all(
    servers.map((server) => docker(["inspect", "-f", "{{.State.StartedAt}}", server])),
  );
  const logs = await Promise.all(servers.map((server) => docker(["logs", "--timestamps", server])));
  const elections = logs.flatMap((log) => /^(\S+) .*cluster leadership acquired/m.exec(log)?.[1] ?? []);
  const earliest = (times: readonly string[]) => Math.min(...times.map((time) => Date.parse(time.trim())));
  return earliest(elections) - earliest(starts);
}

const tagOf = (image: string) => `consul-docker-bench:${image.slice(-12)}`;

async function report(
  rounds: readonly Record<"pulumi" | "compose", Took>[],
  composeVersion: string,
): Promise<Report> {
  const ratios = (of: keyof Took) => rounds.map(({ pulumi, compose }) => pulumi[of] / compose[of]);
  const row = (label: string, of: keyof Took) => [
    label,
    ...(["pulumi", "compose"] as const).map((way) =>
      (median(rounds.map((round) => round[way][of])) / 1000).toFixed(1),
    ),
    `${median(ratios(of)).toFixed(2)} (${spread(ratios(of))})`,
  ];
  return {
    markdown: [
      "# Up: what it takes from nothing",
      "",
      `\`npm run bench -- up\` on ${await machine()}, Compose ${composeVersion}: one after the other, ${ROUNDS} rounds after one that warms up. Ratios within the same round: median (lowest to highest).`,
      "",
      "![The ratio of pulumi up to docker compose up --wait](bench-up.svg)",
      "",
      table(
        ["seconds", "pulumi up", "docker compose up --wait", "ratio"],
        [row("until it is done", "all"), row("from the start of the first server to a leader", "leader")],
      ),
      "",
      "The same containers on both sides, without encryption and access control: the Compose file is written from what the engine says of the deployed ones. It names the same images, commands, volumes, limits, networks and health checks, these with 60 retries, since a server is unhealthy during its first election and Compose gives up then, and `depends_on` with `service_healthy` for clients on servers, and monitors and services on clients. The images are there; Pulumi makes those of the services from the engine's build cache. It also registers the services, for which Compose has no word: here the bench does that for it, as soon as Consul takes a registration.",
      "",
    ].join("\n"),
    svg: plot("pulumi up from nothing, as a multiple of docker compose up --wait; red: the goal", [
      bar("until it is done", ratios("all"), GOAL),
      bar("first server's start to a leader", ratios("leader")),
    ]),
  };
}
