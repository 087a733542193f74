import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { labelFilters } from "../components/container";

const HEALTHY_SECONDS = 60;

/** ID of the image that the client agents of a stack run. */
export async function consulImage(stack: string): Promise<string> {
  const [client] = await clients(stack);
  if (client === undefined) throw new Error("no client agent runs; npm run up starts it");
  return docker("inspect", "-f", "{{.Image}}", client);
}

/** Restarts the client agents of a stack, each healthy before the next. */
export async function restartClients(stack: string): Promise<void> {
  for (const client of await clients(stack)) {
    await docker("restart", client);
    const deadline = Date.now() + HEALTHY_SECONDS * 1000;
    while ((await docker("inspect", "-f", "{{.State.Health.Status}}", client)) !== "healthy") {
      if (Date.now() > deadline)
        throw new Error(
          `a client agent is not healthy after ${HEALTHY_SECONDS} s; docker logs ${client} says why`,
        );
      await sleep(500);
    }
  }
}

async function clients(stack: string): Promise<string[]> {
  return (await docker("ps", "-q", ...labelFilters({ project: "consul-docker", stack }, "client")))
    .split("\n")
    .filter(Boolean);
}

async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("docker", args).catch((error: unknown) => {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error((stderr ?? message).trim().split("\n")[0]);
  });
  return stdout.trim();
}
