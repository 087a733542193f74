import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { hasRole, labelFilters, type InTurn, type Owner } from "./components/container";
import { healthTest } from "./components/agent";
import { FINGERPRINT_LABEL, serverHealth } from "./components/server";
import { execute, inspectAll, type Container, type Engine } from "./engine";
import { fault } from "./fault";

/** How a rolling change proceeds. */
export interface Roll {
  /** Whom a container waits for before it is changed. */
  readonly inTurn: InTurn;
  /** The servers that run, in the order in which a change is to replace them: sick ones first, the leader last. */
  readonly rollOrder: readonly string[];
  /** Resolves when the server may be replaced by one with this fingerprint; rejects where that could cost the majority. */
  readonly mayReplace: (server: string, fingerprint: string) => Promise<void>;
}

/** What a server's health check says now. The engine's own last one may have been before the last replacement. */
interface ServerHealth {
  readonly name: string;
  readonly fingerprint: string | undefined;
  readonly healthy: boolean;
  readonly leads: boolean;
  /** Whether autopilot finds every voter in order, too. */
  readonly allHealthy: boolean;
  /** What the check printed. */
  readonly output: string;
}

const PATIENCE_MS = 60_000;
// An election makes every server look sick for a check or two.
const SETTLED_MS = 20_000;

/** Asks the engines how the servers are; a preview, which needs no engine, knows nothing. */
export async function planRoll(owner: Owner, engines: readonly Engine[]): Promise<Roll> {
  const containers = pulumi.runtime.isDryRun() ? [] : await containersOf(owner, engines);
  const existing = new Set(containers.map(({ Config }) => Config.Hostname));
  const servers = await healthOfServers(containers);
  const rank = ({ healthy, leads }: ServerHealth) => (healthy ? (leads ? 2 : 1) : 0);
  return {
    inTurn: (name, before) => (existing.has(name) ? [...before] : []),
    rollOrder: servers
      .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
      .map(({ name }) => name),
    mayReplace: async (server, fingerprint) => {
      const running = servers.find(({ name }) => name === server);
      if (running !== undefined && running.fingerprint !== fingerprint)
        await mayReplace(owner, engines, server);
    },
  };
}

/**
 * Waits until all others are healthy. A server that is sick all the time may be replaced without that, and so may each
 * where the majority is lost all the time: there is nothing to lose any more.
 */
async function mayReplace(owner: Owner, engines: readonly Engine[], name: string): Promise<void> {
  const since = Date.now();
  let worked = false;
  for (;;) {
    const servers = await healthOfServers(await containersOf(owner, engines));
    const sick = servers.filter(({ healthy }) => !healthy);
    worked ||= sick.length * 2 < servers.length && sick.every((server) => server.name !== name);
    const others = servers.filter((server) => server.name !== name);
    if (others.every(({ allHealthy }) => allHealthy)) return;
    const waited = Date.now() - since;
    if (!worked && waited > SETTLED_MS) return;
    if (waited > PATIENCE_MS) throw refusal(name, sick);
    await sleep(500);
  }
}

function refusal(name: string, sick: readonly ServerHealth[]): pulumi.RunError {
  return fault(
    `${name} is not replaced, since the others could not do without it now:`,
    sick.length === 0
      ? ["autopilot does not find every server healthy; npm run status shows them"]
      : sick.map(
          (server) =>
            `${server.name} is not healthy (${server.output}); docker logs of its container may say why. Once it is healthy, the next update goes on`,
        ),
  );
}

/** A container, and the engine that it is on. */
type PlacedContainer = Container & { readonly engine: Engine };

async function containersOf(owner: Owner, engines: readonly Engine[]): Promise<PlacedContainer[]> {
  const list = ["ps", "-a", "-q", ...labelFilters(owner)];
  const found = engines.map(async (engine) =>
    (await inspectAll<Container>(engine, "container", list)).map((container) => ({ ...container, engine })),
  );
  return (await Promise.all(found)).flat();
}

function healthOfServers(containers: readonly PlacedContainer[]): Promise<ServerHealth[]> {
  return Promise.all(containers.filter(({ Config }) => hasRole(Config.Labels, "server")).map(healthOf));
}

async function healthOf({ Id, Config, State, engine }: PlacedContainer): Promise<ServerHealth> {
  const name = Config.Hostname;
  const { success, output } = State.Running
    ? await execute(engine, Id, healthTest(...serverHealth(name)))
    : { success: false, output: "it does not run" };
  const said = output.trim();
  return {
    name,
    fingerprint: Config.Labels[FINGERPRINT_LABEL],
    healthy: success,
    leads: success && said.startsWith("leader,"),
    allHealthy: success && said.endsWith(", all servers healthy"),
    output: said === "" ? "it does not stay up, or does not answer" : said,
  };
}
