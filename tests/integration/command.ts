import { spawn } from "node:child_process";

/** How a command ended. */
export interface Result {
  readonly code: number;
  /** What it wrote, standard output and error as they came. */
  readonly output: string;
  /** Its standard output alone. */
  readonly stdout: string;
}

/**
 * Runs a command to its end; `env` is added to this process's own. With `until`, the command and all that it
 * started are killed as soon as it has written that.
 */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd = process.cwd(),
  until?: string | RegExp,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: until !== undefined,
    });
    let output = "";
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      stdout += chunk.toString();
      if (until !== undefined && stdout.search(until) !== -1) process.kill(-(child.pid ?? 0), "SIGKILL");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on("error", reject).on("close", (code) => {
      resolve({ code: code ?? 1, output, stdout });
    });
  });
}

/** Throws what the command wrote, unless it succeeded. */
export function expectSuccess({ code, output }: Result): void {
  if (code !== 0) throw new Error(`exit code ${code}: ${output}`);
}

/** Standard output of a Docker command, trimmed; throws when it fails. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { code, output, stdout } = await run("docker", args);
  if (code !== 0) throw new Error(`docker ${args.join(" ")}: ${output}`);
  return stdout.trim();
}

/** Sends a signal to a container's first process, past the engine, as whatever ends or stops it would. */
export async function signal(container: string, signal: NodeJS.Signals): Promise<void> {
  process.kill(Number(await docker("inspect", "-f", "{{.State.Pid}}", container)), signal);
}

/** Lines of a Docker listing. */
export async function dockerLines(...args: readonly string[]): Promise<string[]> {
  return (await docker(...args)).split("\n").filter(Boolean).sort();
}
