import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Owner } from "./components/container";
import { fault } from "./fault";

/** An engine, as the settings name it. */
export interface Engine {
  /** Name of the Swarm node that it is. @default none: it is the only engine there is */
  readonly name?: string;
  /** Where it listens. @default what the docker command talks to */
  readonly endpoint?: string;
  /** Folder with the files for TLS. @default none */
  readonly certPath?: string | undefined;
  /** Address of its host that published ports listen on. */
  readonly address: string;
  /** Whether it is to be the manager of a Swarm. @default false */
  readonly manager?: boolean;
}

/** How a docker command is told of an engine. */
export type Endpoint = Pick<Engine, "name" | "endpoint" | "certPath">;

/** A container as the engine describes it, as far as it is read here. */
export interface Container {
  readonly Id: string;
  readonly Name: string;
  readonly Config: {
    readonly Hostname: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Env: readonly string[];
  };
  readonly State: { readonly Running: boolean };
  readonly HostConfig: {
    readonly PortBindings: Readonly<
      Record<string, readonly { HostIp: string; HostPort: string }[] | null>
    > | null;
  };
}

/** Every object of a kind that `docker LIST` names; throws one RunError when the engine does not answer. */
export async function inspectAll<T>(engine: Endpoint, kind: string, list: readonly string[]): Promise<T[]> {
  try {
    const ids = (await docker(list, engine)).split("\n").filter(Boolean);
    return ids.length === 0 ? [] : (JSON.parse(await inspect(kind, ids, engine)) as T[]);
  } catch (error) {
    throw fault(
      engine.name === undefined
        ? `the Docker Engine does not answer (${reason(error)}); start it, or set DOCKER_HOST to one that runs`
        : `the Docker Engine of ${engine.name} does not answer (${reason(error)}); start it, or correct its endpoint in consul-docker:hosts`,
    );
  }
}

/** What is gone since it was listed, as Swarm's containers and networks come and go, is left out. */
function inspect(kind: string, ids: readonly string[], engine: Endpoint): Promise<string> {
  return docker([kind, "inspect", ...ids], engine).catch((error: unknown) => {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    if (/^(Error( response from daemon)?: (No such \w+: \w+|network \w+ not found)\s*)+$/.test(stderr))
      return stdout;
    throw error;
  });
}

/** Standard output of a Docker command. */
export async function docker(args: readonly string[], engine: Endpoint = {}): Promise<string> {
  const options = { maxBuffer: 64 * 1024 * 1024 };
  return (await promisify(execFile)("docker", [...endpointOptions(engine), ...args], options)).stdout;
}

/** How a command ended. */
export interface Ended {
  /** Whether it succeeded. */
  readonly success: boolean;
  /** What it wrote to standard output. */
  readonly output: string;
}

// As long as a health check may take.
const EXEC_TIMEOUT_MS = 30_000;

/** Runs a command in a container that runs. */
export async function execute(engine: Endpoint, id: string, command: readonly string[]): Promise<Ended> {
  const args = [...endpointOptions(engine), "exec", id, ...command];
  try {
    const { stdout } = await promisify(execFile)("docker", args, { timeout: EXEC_TIMEOUT_MS });
    return { success: true, output: stdout };
  } catch (error) {
    return { success: false, output: (error as { stdout?: string }).stdout ?? "" };
  }
}

/** The options by which the docker command talks to an engine. */
export function endpointOptions({ endpoint, certPath }: Endpoint): string[] {
  return [
    ...(endpoint === undefined ? [] : ["-H", endpoint]),
    ...(certPath === undefined
      ? []
      : [
          "--tlsverify",
          "--tlscacert",
          join(certPath, "ca.pem"),
          "--tlscert",
          join(certPath, "cert.pem"),
          "--tlskey",
          join(certPath, "key.pem"),
        ]),
  ];
}

/** Why a Docker command failed, in one line. */
export function reason(error: unknown): string {
  const { code, stderr = "" } = error as { code?: unknown; stderr?: string };
  if (code === "ENOENT") return "the docker command is not installed";
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return last === "" ? "it gave no reason" : last;
}

/** Whether labels are those of the stack. */
export function isOwn({ project, stack }: Owner, labels: Readonly<Record<string, string>>): boolean {
  return labels["consul-docker.project"] === project && labels["consul-docker.stack"] === stack;
}
