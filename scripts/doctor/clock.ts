import { found, type Finding, type Problem } from "./finding";

/** What a clock showed when it was asked; all in milliseconds since 1970. */
export interface Reading {
  /** Whose clock: the engine, or an agent with its container. */
  readonly of: "engine" | { readonly agent: string; readonly container: string };
  /** What it showed; `resolutionMs` more when it does not show fractions. */
  readonly shown: number;
  readonly resolutionMs: number;
  /** This machine's clock just before the question and just after the answer. */
  readonly asked: number;
  readonly answered: number;
}

// Certificates and leases are about seconds.
const THRESHOLD_MS = 2_000;

export function examineClock(readings: readonly Reading[]): Finding {
  const off = readings.filter((reading) => Math.abs(certainSkew(reading)) > THRESHOLD_MS);
  const engine = off.filter((reading) => reading.of === "engine");
  const agents = readings.filter((reading) => reading.of !== "engine").length;
  return found(
    "clock",
    `${agents === readings.length ? "" : "engine and "}${agents} ${agents === 1 ? "agent" : "agents"} compared with this machine`,
    // Containers have the clock of their engine: its own fault is named once.
    (engine.length > 0 ? engine : off).map(problem),
  );
}

/** Milliseconds that the clock is ahead of this machine's at least, negative when behind: the round trip proves no more. */
export function certainSkew({ shown, resolutionMs, asked, answered }: Reading): number {
  const least = shown - answered;
  const most = shown + resolutionMs - asked;
  return least > 0 ? least : Math.min(most, 0);
}

function problem(reading: Reading): Problem {
  const skew = certainSkew(reading);
  const by = `${(Math.abs(skew) / 1000).toFixed(1)} s ${skew > 0 ? "ahead of" : "behind"} this machine's`;
  return reading.of === "engine"
    ? { what: `the engine's clock is ${by}`, advice: "on both machines: sudo timedatectl set-ntp true" }
    : { what: `${reading.of.agent}'s clock is ${by}`, advice: `docker restart ${reading.of.container}` };
}
