import { monitorFault, type Monitoring } from "../monitoring";
import { containerProblem, type Container } from "./containers";
import { found, type Finding } from "./finding";
import type { DeclaredContainer } from "./state";

/** `clients` are the agents of the stack, through which the monitors work in turn. */
export function examineMonitors(
  monitors: readonly DeclaredContainer[],
  clients: readonly DeclaredContainer[],
  containers: readonly Container[] | undefined,
  monitoring: Monitoring,
): Finding {
  const faults = monitors.flatMap((monitor, index) => {
    const what = monitorFault(monitoring, monitor.alias);
    if (what === undefined) return [];
    const nearby = clients.filter(({ host }) => host === monitor.host);
    const client = nearby[index % nearby.length];
    const cause =
      (client === undefined ? undefined : containerProblem(client, containers)) ??
      containerProblem(monitor, containers);
    return [{ what, advice: cause?.advice ?? `docker restart ${monitor.name}` }];
  });
  const passingCount = monitors.length - faults.length;
  const { unwatched, unrun } = monitoring;
  const restart = `npm run doctor again in a minute; if it stays so, docker restart ${monitors.map(({ name }) => name).join(" ")}`;
  // Where none passes, that is why.
  const idle = passingCount === 0 ? [] : unwatched;
  const late = passingCount === 0 ? [] : unrun.filter(({ node }) => !unwatched.includes(node));
  return found(
    "monitors",
    `${passingCount} of ${monitors.length} passing, ${passingCount === 0 ? "nothing watched" : idle.length === 0 ? "every node watched" : `${idle.length} not watched`}`,
    [
      ...faults,
      ...(idle.length === 0
        ? []
        : [{ what: `no monitor runs the checks of ${idle.join(", ")}`, advice: restart }]),
      ...late.map(({ node, name }) => ({
        what: `no monitor has run ${node}'s check ${name}`,
        advice: restart,
      })),
    ],
  );
}
