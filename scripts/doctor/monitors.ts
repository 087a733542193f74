import { containerProblem, type Container } from "./containers";
import { found, type Finding } from "./finding";
import type { DeclaredContainer } from "./state";

/** What the catalog has of the health monitors. */
export interface MonitorFacts {
  /** Whether each registered monitor passes, by the ID of its instance. */
  readonly passing: Readonly<Record<string, boolean>>;
  /** Whether one of them holds the lock of the working one. */
  readonly locked: boolean;
}

export function examineMonitors(
  monitors: readonly DeclaredContainer[],
  containers: readonly Container[],
  { passing, locked }: MonitorFacts,
): Finding {
  const faults = monitors.flatMap((monitor) => {
    const passes = passing[`consul-esm:${monitor.alias}`];
    if (passes === true) return [];
    return [
      {
        what: `${monitor.alias} ${passes === undefined ? "is not registered" : "does not pass: Consul misses its heartbeat"}`,
        advice: containerProblem(monitor, containers)?.advice ?? `docker restart ${monitor.name}`,
      },
    ];
  });
  return found(
    "monitors",
    `${monitors.length - faults.length} of ${monitors.length} passing, ${locked ? "one works" : "none works"}`,
    [
      ...faults,
      ...(locked
        ? []
        : [
            {
              what: "no monitor holds the lock, so nobody runs the checks",
              advice: `npm run doctor again in 30 s; if it stays so, docker restart ${monitors.map(({ name }) => name).join(" ")}`,
            },
          ]),
    ],
  );
}
