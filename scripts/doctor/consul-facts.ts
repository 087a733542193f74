import type { Autopilot } from "./voters";
import type { Catalog } from "./registrations";
import type { MonitorFacts } from "./monitors";
import type { StackState } from "./state";

/** Asks Consul for what is under `/v1/PATH`; rejects with an Error of one line. */
export type Ask = (path: string) => Promise<unknown>;

export async function readAutopilot(ask: Ask): Promise<Autopilot> {
  return (await ask("operator/autopilot/state")) as Autopilot;
}

interface HealthEntry {
  readonly Service: { readonly ID: string };
  readonly Checks: readonly { readonly Status: string }[];
}

export async function readMonitors(ask: Ask): Promise<MonitorFacts> {
  const [entries, locked] = await Promise.all([
    ask("health/service/consul-esm") as Promise<HealthEntry[]>,
    isLocked(ask),
  ]);
  return {
    passing: Object.fromEntries(
      entries.map(({ Service, Checks }) => [Service.ID, Checks.every(({ Status }) => Status === "passing")]),
    ),
    locked,
  };
}

async function isLocked(ask: Ask): Promise<boolean> {
  const key = "consul-esm/leader";
  // A list of keys that is empty is a 404, as is the value of a missing key.
  const [entry] = await (ask(`kv/${key}`) as Promise<{ Session?: string }[]>).catch((error: unknown) => {
    if ((error as Error).message.startsWith("Consul answers 404")) return [];
    throw error;
  });
  return entry?.Session !== undefined;
}

export async function readCatalog(ask: Ask, { services }: StackState): Promise<Catalog> {
  const names = [...new Set(services.map(({ name }) => name))];
  const [nodes, checks, ...listed] = await Promise.all([
    ask(
      `catalog/nodes?filter=${encodeURIComponent('"external-node" in Meta and Meta["external-node"] == "true"')}`,
    ),
    ask("health/state/any"),
    ...names.map((name) => ask(`catalog/service/${name}`) as Promise<Catalog["services"]>),
  ]);
  return {
    nodes: nodes as Catalog["nodes"],
    checks: checks as Catalog["checks"],
    services: listed.flat(),
  };
}
