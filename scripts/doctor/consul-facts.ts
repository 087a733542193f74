import { setTimeout as sleep } from "node:timers/promises";
import type { Autopilot } from "./voters";
import type { Catalog } from "./registrations";
import { EXTERNAL_NODES, readMonitoring, type Ask, type Monitoring } from "../monitoring";
import type { StackState } from "./state";

export async function readAutopilot(ask: Ask): Promise<Autopilot> {
  return (await ask("operator/autopilot/state")) as Autopilot;
}

// What the monitors take to divide the nodes anew, and to run a check for the first time after that.
const SETTLING_SECONDS = 15;
const LONGEST_WAIT_SECONDS = 60;

/**
 * What is to be read of the monitors. Where somebody is to watch and a share or a check stands still, it is read once
 * more when that should be over: while nodes are divided anew, some are nobody's.
 */
export async function readMonitors(
  ask: Ask,
  wait: (ms: number) => Promise<unknown> = sleep,
): Promise<Monitoring> {
  const first = await readMonitoring(ask);
  const { passing, unwatched, unrun } = first;
  if (unwatched.length + unrun.length === 0 || !Object.values(passing).includes(true)) return first;
  const interval = Math.max(0, ...unrun.map(({ intervalSeconds }) => intervalSeconds));
  await wait(Math.min(interval + SETTLING_SECONDS, LONGEST_WAIT_SECONDS) * 1_000);
  const second = await readMonitoring(ask);
  return {
    passing: second.passing,
    unwatched: second.unwatched.filter((node) => unwatched.includes(node)),
    unrun: second.unrun.filter(({ node, name }) =>
      unrun.some((one) => one.node === node && one.name === name),
    ),
  };
}

export async function readCatalog(ask: Ask, { services }: StackState): Promise<Catalog> {
  const names = [...new Set(services.map(({ name }) => name))];
  const [nodes, checks, ...listed] = await Promise.all([
    ask(EXTERNAL_NODES),
    ask("health/state/any"),
    ...names.map((name) => ask(`catalog/service/${name}`) as Promise<Catalog["services"]>),
  ]);
  return {
    nodes: nodes as Catalog["nodes"],
    checks: checks as Catalog["checks"],
    services: listed.flat(),
  };
}
