import type { Answer } from "./answer";
import { found, type Finding } from "./finding";

/** What the engine says of itself. */
export interface Engine {
  /** Version, and the system that it runs on. */
  readonly version: string;
  readonly system: string;
}

/** How this machine calls the engine. */
export interface Caller {
  readonly platform: NodeJS.Platform;
  /** `DOCKER_HOST` of the environment. */
  readonly dockerHost: string | undefined;
}

export function examineEngine(engine: Answer<Engine>, caller: Caller): Finding {
  if ("value" in engine)
    return found("engine", `Docker Engine ${engine.value.version} on ${engine.value.system}`);
  return found("engine", "no answer", [
    { what: `the Docker Engine does not answer: ${engine.failure}`, advice: advice(engine.failure, caller) },
  ]);
}

function advice(failure: string, { platform, dockerHost }: Caller): string {
  if (failure.includes("not installed")) return "npm run setup";
  if (failure.includes("permission denied"))
    return "sudo usermod -aG docker $USER, then log in again; or run this as root";
  if (dockerHost !== undefined) return `start the engine at ${dockerHost}, or: unset DOCKER_HOST`;
  return platform === "darwin"
    ? "open -a Docker"
    : "sudo systemctl start docker; without systemd: npm run setup, as root";
}
