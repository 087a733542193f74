import { staysUp } from "../container";
import { called, CONTAINER, list, table, UNKNOWN } from "../resource";
import type { ResourceRule } from "../rule";

/** A container that stays up says whether it works, and cannot take the host with it. */
export const healthAndLimits: ResourceRule = {
  name: "health-and-limits",
  description: "Containers that stay up have a health check and limits for memory, swap and processes.",
  faults: (resource) => {
    const { type, props } = resource;
    if (type !== CONTAINER || !staysUp(props)) return [];
    const { healthcheck, memory, memorySwap, ulimits } = props;
    return [
      ...(isUnknown(healthcheck) || isTest(list(table(healthcheck)["tests"]))
        ? []
        : [
            'must have a health check, got none; set healthcheck, or mustRun: false and restart: "no" where it is to end',
          ]),
      ...(isLimit(memory) ? [] : ["must have a memory limit, got none; set memory, in MiB"]),
      ...(isLimit(memorySwap)
        ? []
        : ["must have a limit for memory and swap, got none; set memorySwap, to the value of memory"]),
      ...(isUnknown(ulimits) || list(ulimits).some((limit) => table(limit)["name"] === "nproc")
        ? []
        : ["must have a limit for processes, got none; set ulimits, with one named nproc"]),
    ].map((fault) => `${called(resource)} ${fault}`);
  },
};

function isUnknown(value: unknown): boolean {
  return value === UNKNOWN;
}

function isTest(tests: readonly unknown[]): boolean {
  return tests.length > 0 && tests[0] !== "NONE";
}

/** 0 and -1 mean no limit. */
function isLimit(value: unknown): boolean {
  return isUnknown(value) || (typeof value === "number" && value > 0);
}
