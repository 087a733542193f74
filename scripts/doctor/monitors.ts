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

/** `clients` are the agents of the stack, through which the monitors work in turn. */
export function examineMonitors(
  monitors: readonly DeclaredContainer[],
  clients: readonly DeclaredContainer[],
  containers: readonly Container[] | undefined,
  { passing, locked }: MonitorFacts,
): Finding {
  const faults = monitors.flatMap((monitor, index) => {
    const passes = passing[`consul-esm:${monitor.alias}`];
    if (passes === true) return [];
    const client = clients[index % clients.length];
    const cause =
      (client === undefined ? undefined : containerProblem(client, containers)) ??
      containerProblem(monitor, containers);
    return [
      {
        what: `${monitor.alias} ${passes === undefined ? "is not registered" : "does not pass: Consul misses its heartbeat"}`,
        advice: cause?.advice ?? `docker restart ${monitor.name}`,
      },
    ];
  });
  const passingCount = monitors.length - faults.length;
  // Where none passes, that is why.
  const idle = !locked && passingCount > 0;
  return found(
    "monitors",
    `${passingCount} of ${monitors.length} passing, ${locked ? "one works" : "none works"}`,
    [
      ...faults,
      ...(idle
        ? [
            {
              what: "no monitor holds the lock, so nobody runs the checks",
              advice: `npm run doctor again in 30 s; if it stays so, docker restart ${monitors.map(({ name }) => name).join(" ")}`,
            },
          ]
        : []),
    ],
  );
}
