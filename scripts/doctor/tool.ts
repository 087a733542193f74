import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { endpointOptions, type Endpoint } from "../../engine";
import { PULUMI } from "../stack";

// The CLI takes a second, a backend far away takes its time.
const PULUMI_TIMEOUT_MS = 20_000;
const DOCKER_TIMEOUT_MS = 8_000;

/** Standard output of a Docker command at an engine; throws an Error of one line when it fails or takes too long. */
export function docker(engine: Endpoint, ...args: readonly string[]): Promise<string> {
  return run("docker", [...endpointOptions(engine), ...args], DOCKER_TIMEOUT_MS);
}

/** Standard output of the Pulumi CLI; throws an Error of one line when it fails or takes too long. */
export function pulumi(...args: readonly string[]): Promise<string> {
  return run(PULUMI, args, PULUMI_TIMEOUT_MS);
}

/** Runs a command for at most `timeoutMs`, then kills it. */
export async function run(command: string, args: readonly string[], timeoutMs: number): Promise<string> {
  const options = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: 256 * 1024 * 1024 } as const;
  const running = promisify(execFile)(command, args, options);
  // Nothing may wait for an answer from this terminal.
  running.child.stdin?.end();
  try {
    return (await running).stdout;
  } catch (error) {
    throw new Error(reason(command, error as ExecError, timeoutMs));
  }
}

interface ExecError {
  readonly code?: unknown;
  readonly killed?: boolean;
  readonly stderr?: string;
}

function reason(command: string, { code, killed, stderr = "" }: ExecError, timeoutMs: number): string {
  if (code === "ENOENT") return `the command ${command} is not installed`;
  if (killed === true) return `no answer within ${timeoutMs / 1000} s`;
  const [first = ""] = stderr.trim().split("\n");
  return first === "" ? `exit code ${String(code)}` : first.replace(/^error: /i, "");
}
