import { isReplacedNetwork, isSecrets, nounOf, roleOf } from "./kinds";
import type { PlannedResource } from "./plan";
import { lostChecks } from "./registrations";

/** What a reviewer must know before anything else, a line each: lost data, a quorum at risk, lost checks. */
export function dangers(resources: readonly PlannedResource[]): string[] {
  return [...dataLoss(resources), ...quorum(resources), ...checks(resources)];
}

function dataLoss(resources: readonly PlannedResource[]): string[] {
  const volumes = resources.filter(
    (one) => nounOf(one) === "volume" && one.before !== undefined && !isSecrets(one),
  );
  const gone = volumes.filter(({ operation }) => operation === "replace" || operation === "delete");
  const servers = volumes.filter((volume) => roleOf(volume) === "server");
  return servers.length > 0 && servers.every((volume) => gone.includes(volume))
    ? ["all data is lost: no server keeps its volume"]
    : gone
        // A server that goes leaves the others with all that it had.
        .filter((volume) => volume.operation === "replace" || roleOf(volume) !== "server")
        .map(({ name, operation }) => `data is lost: the volume ${name} is ${operation}d`);
}

function quorum(resources: readonly PlannedResource[]): string[] {
  const network = resources.find(isReplacedNetwork);
  const servers = resources.filter((one) => nounOf(one) === "container" && roleOf(one) === "server");
  const was = servers.filter(({ before }) => before !== undefined).length;
  const is = servers.filter(({ after }) => after !== undefined).length;
  return [
    ...(network === undefined
      ? []
      : [`quorum at risk: the network ${network.name} is replaced, so all servers stop at once`]),
    ...(was >= 3 && is < 3
      ? [`quorum at risk: of ${was} servers ${is} stays, and when that fails, all reads and writes do`]
      : []),
  ];
}

function checks(resources: readonly PlannedResource[]): string[] {
  return lostChecks(resources).map(
    ({ instance, checks }) => `a check is removed: ${instance} loses ${checks.join(", ")}`,
  );
}
