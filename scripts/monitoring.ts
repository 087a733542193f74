import { MONITOR_SERVICE, monitorId } from "../components/monitor-entry";

/** Asks Consul for what is under `/v1/PATH`; rejects with an Error of one line. */
export type Ask = (path: string) => Promise<unknown>;

/** A check that no monitor has run. */
export interface UnrunCheck {
  readonly node: string;
  readonly name: string;
  /** Seconds between two runs. */
  readonly intervalSeconds: number;
}

/** Who runs the checks of the catalog's external nodes. */
export interface Monitoring {
  /** Whether each registered monitor passes, by the ID of its entry. */
  readonly passing: Readonly<Record<string, boolean>>;
  /** External nodes that are in no passing monitor's share. */
  readonly unwatched: readonly string[];
  /** Checks of external nodes that nobody has run since they were written. */
  readonly unrun: readonly UnrunCheck[];
}

interface HealthEntry {
  readonly Service: { readonly ID: string };
  readonly Checks: readonly { readonly Status: string }[];
}

interface KeyValue {
  readonly Key: string;
  readonly Value: string | null;
}

interface CatalogCheck {
  readonly Node: string;
  readonly CheckID: string;
  readonly Name: string;
  readonly Output: string;
  readonly Definition?: { readonly Interval?: string };
}

const SHARES = `${MONITOR_SERVICE}/agents/`;
/** Where the catalog has the external nodes. */
export const EXTERNAL_NODES = `catalog/nodes?filter=${encodeURIComponent('"external-node" in Meta and Meta["external-node"] == "true"')}`;

/** Reads what the monitors say of themselves, and how they divided the nodes; `stale` answers come without a leader, too. */
export async function readMonitoring(ask: Ask, stale = false): Promise<Monitoring> {
  const option = stale ? "stale" : "";
  const [entries, shares, nodes, critical] = await Promise.all([
    ask(`health/service/${MONITOR_SERVICE}?${option}`) as Promise<HealthEntry[]>,
    readShares(ask, option),
    ask(`${EXTERNAL_NODES}&${option}`) as Promise<{ readonly Node: string }[]>,
    ask(`health/state/critical?${option}`) as Promise<CatalogCheck[]>,
  ]);
  const passing = Object.fromEntries(
    entries.map(({ Service, Checks }) => [Service.ID, Checks.every(({ Status }) => Status === "passing")]),
  );
  const watched = new Set(
    shares.filter(({ monitor }) => passing[monitor] === true).flatMap(({ nodes: share }) => share),
  );
  const external = new Set(nodes.map(({ Node }) => Node));
  return {
    passing,
    unwatched: [...external].filter((node) => !watched.has(node)).sort(),
    unrun: critical
      .filter(
        ({ Node, CheckID, Output }) =>
          external.has(Node) && Output === "" && CheckID !== "externalNodeHealth",
      )
      .map(({ Node, Name, Definition }) => ({
        node: Node,
        name: Name,
        intervalSeconds: seconds(Definition?.Interval),
      })),
  };
}

/** What is wrong with a monitor; undefined where it passes. */
export function monitorFault({ passing }: Monitoring, name: string): string | undefined {
  const passes = passing[monitorId(name)];
  if (passes === true) return undefined;
  return `${name} ${passes === undefined ? "is not registered" : "does not pass: Consul misses its heartbeat"}`;
}

async function readShares(ask: Ask, option: string): Promise<{ monitor: string; nodes: string[] }[]> {
  const keys = await (ask(`kv/${SHARES}?recurse&${option}`) as Promise<KeyValue[]>).catch(
    (error: unknown) => {
      // There are no such keys yet.
      if ((error as Error).message.startsWith("Consul answers 404")) return [];
      throw error;
    },
  );
  return keys.map(({ Key, Value }) => {
    // https://github.com/hashicorp/consul-esm writes null for none.
    const { Nodes, Probes } = JSON.parse(Buffer.from(Value ?? "e30=", "base64").toString()) as {
      readonly Nodes?: string[] | null;
      readonly Probes?: string[] | null;
    };
    return { monitor: Key.slice(SHARES.length), nodes: [...(Nodes ?? []), ...(Probes ?? [])] };
  });
}

/** The seconds of a duration as Consul prints it; 30 where a check names none, as consul-esm has it. */
function seconds(duration = "30s"): number {
  const units: Record<string, number> = { h: 3_600, m: 60, s: 1, ms: 0.001 };
  return [...duration.matchAll(/([\d.]+)(ms|h|m|s)/g)].reduce(
    (sum, [, count, unit = "s"]) => sum + Number(count) * (units[unit] ?? 0),
    0,
  );
}
