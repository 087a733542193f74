import { list, nounOf } from "./kinds";
import type { PlannedResource } from "./plan";

/** A registration that changes, as it is and as it will be. */
export interface RegistrationChange {
  readonly instance: string;
  /** A line for each part; none of a new one. */
  readonly before: readonly string[];
  /** A line for each part; none of one that goes. */
  readonly after: readonly string[];
}

/** The registrations that change. */
export function registrationChanges(resources: readonly PlannedResource[]): RegistrationChange[] {
  return registrations(resources)
    .filter(({ operation }) => operation !== "same")
    .map(({ name, before, after }) => ({ instance: name, before: parts(before), after: parts(after) }));
}

/** Instances that stay registered, but lose checks; each with the names of these. */
export function lostChecks(resources: readonly PlannedResource[]): { instance: string; checks: string[] }[] {
  return registrations(resources)
    .map(({ name, before, after }) => {
      const kept = new Set(checks(after).map(({ checkId }) => checkId));
      const lost = after === undefined ? [] : checks(before).filter(({ checkId }) => !kept.has(checkId));
      return { instance: name, checks: lost.map((check) => check.name ?? check.checkId) };
    })
    .filter(({ checks }) => checks.length > 0);
}

interface Check {
  readonly checkId: string;
  readonly name?: string;
  readonly http?: string;
  readonly tcp?: string;
  readonly interval: string;
  readonly timeout: string;
}

type Arguments = PlannedResource["before"];

function registrations(resources: readonly PlannedResource[]): PlannedResource[] {
  return resources.filter((resource) => nounOf(resource) === "registration");
}

const checks = (of: Arguments) => list<Check>(of?.["checks"]);

function parts(of: Arguments): string[] {
  if (of === undefined) return [];
  const tags = list<string>(of["tags"]);
  const meta = Object.entries((of["meta"] ?? {}) as Record<string, string>).filter(
    ([key]) => key !== "__defaults",
  );
  return [
    `${String(of["name"])} at ${String(of["address"])}:${String(of["port"])}`,
    ...(tags.length === 0 ? [] : [`tags ${tags.join(", ")}`]),
    ...(meta.length === 0 ? [] : [`meta ${meta.map(([key, value]) => `${key}=${value}`).join(", ")}`]),
    ...checks(of).map(
      ({ http, tcp, checkId, interval, timeout }) =>
        `check ${http ?? tcp ?? checkId} every ${interval}, within ${timeout}`,
    ),
  ];
}
