import type { Role } from "../../components/container";
import type { Endpoint } from "../../engine";
import { found, type Finding, type Problem } from "./finding";
import type { DeclaredContainer } from "./state";

/** A container as the engine has it. */
export interface Container {
  /** Name on the engine. */
  readonly name: string;
  readonly role: Role;
  /** The engine, where there are several. */
  readonly engine?: Endpoint;
  /** created, running, paused, restarting, removing, exited or dead. */
  readonly status: string;
  readonly exitCode: number;
  /** Whether the kernel killed it at its memory limit. */
  readonly outOfMemory: boolean;
  /** How often the engine has restarted it. */
  readonly restarts: number;
  readonly memoryMb: number;
  /** What its health check says; undefined where it has none. */
  readonly health?: { readonly status: string; readonly output: string } | undefined;
  /** Names of the networks that it is in. */
  readonly networks: readonly string[];
}

export function examineContainers(
  declared: readonly DeclaredContainer[],
  containers: readonly Container[],
): Finding {
  const faults = declared.flatMap((one) => containerProblem(one, containers) ?? []);
  const names = new Set(declared.map(({ name }) => name));
  const leftOver = containers
    .filter(({ name }) => !names.has(name))
    .map(({ name }) => ({
      what: `${name} is left over: the stack's state does not know it`,
      advice: `docker rm -fv ${name}`,
    }));
  return found("containers", `${declared.length - faults.length} of ${declared.length} as they should be`, [
    ...faults,
    ...leftOver,
  ]);
}

/** What is wrong with one container of the stack; undefined when nothing is, or when the engine did not tell. */
export function containerProblem(
  { urn, alias, name, role }: DeclaredContainer,
  containers: readonly Container[] | undefined,
): Problem | undefined {
  if (containers === undefined) return undefined;
  const container = containers.find((one) => one.name === name);
  if (container === undefined)
    return {
      what: `${alias} is missing`,
      advice: `pulumi refresh --yes --target '${urn}' && npm run up`,
    };
  // What carries secrets into volumes never starts.
  if (role === "secrets") return undefined;
  const logs = `docker logs --tail 20 ${name}`;
  if (container.outOfMemory)
    return {
      what: `${alias} ran out of memory at ${container.memoryMb} MiB`,
      advice: moreMemory(container) ?? logs,
    };
  switch (container.status) {
    case "running":
      return unhealthy(alias, logs, container);
    case "paused":
      return { what: `${alias} is paused`, advice: `docker unpause ${name}` };
    case "restarting":
      return {
        what: `${alias} ends again and again, ${container.restarts} times so far, last with exit code ${container.exitCode}`,
        advice: logs,
      };
    case "exited":
    case "created":
      return {
        what:
          container.status === "created"
            ? `${alias} was never started`
            : `${alias} is stopped, exit code ${container.exitCode}`,
        advice: `docker start ${name}`,
      };
    default:
      return {
        what: `${alias} is ${container.status}`,
        advice: `docker rm -fv ${name}, then npm run doctor`,
      };
  }
}

function unhealthy(alias: string, logs: string, { health }: Container): Problem | undefined {
  switch (health?.status) {
    case "starting":
      return {
        what: `${alias} starts, and is not healthy yet`,
        advice: `npm run doctor again in a few seconds, or ${logs}`,
      };
    case "unhealthy":
      return {
        what: `${alias} is unhealthy${health.output === "" ? "" : `: ${health.output}`}`,
        advice: logs,
      };
    default:
      return undefined;
  }
}

/** undefined where no setting says how much it has. */
function moreMemory({ role, memoryMb }: Container): string | undefined {
  switch (role) {
    case "service":
      return `set memoryMb of the service to ${memoryMb * 2} in the stack file, then npm run up`;
    case "server":
    case "client":
    case "monitor":
      return `pulumi config set ${role}MemoryMb ${memoryMb * 2} && npm run up`;
    default:
      return undefined;
  }
}
