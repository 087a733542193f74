import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Owner } from "./components/container";
import { fault } from "./fault";

/** A container as the engine describes it, as far as it is read here. */
export interface Container {
  readonly Name: string;
  readonly Config: {
    readonly Hostname: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Env: readonly string[];
  };
  readonly State: {
    readonly Running: boolean;
    /** Its last health checks, the oldest first. */
    readonly Health?: {
      readonly Log:
        readonly { readonly Start: string; readonly ExitCode: number; readonly Output: string }[] | null;
    };
  };
  readonly HostConfig: {
    readonly PortBindings: Readonly<
      Record<string, readonly { HostIp: string; HostPort: string }[] | null>
    > | null;
  };
}

/** Every object of a kind that `docker LIST` names; throws one RunError when the engine does not answer. */
export async function inspectAll<T>(kind: string, list: readonly string[]): Promise<T[]> {
  try {
    const ids = (await docker(list)).split("\n").filter(Boolean);
    return ids.length === 0 ? [] : (JSON.parse(await docker([kind, "inspect", ...ids])) as T[]);
  } catch (error) {
    throw fault(
      `the Docker Engine does not answer (${reason(error)}); start it, or set DOCKER_HOST to one that runs`,
    );
  }
}

/** Standard output of a Docker command. */
export async function docker(args: readonly string[]): Promise<string> {
  return (await promisify(execFile)("docker", args, { maxBuffer: 64 * 1024 * 1024 })).stdout;
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
