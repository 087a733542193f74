import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { labelFilters } from "../components/container";
import { endpointOptions, type Endpoint } from "../engine";

const HEALTHY_SECONDS = 60;

/** An image, and the engine that has it. */
export interface PlacedImage {
  /** Its ID. */
  readonly id: string;
  /** The engine. */
  readonly engine: Endpoint;
}

/** A container of a client agent, and its engine. */
interface PlacedClient {
  readonly id: string;
  readonly engine: Endpoint;
}

/** The engines of a stack: those of its hosts, or the one that the docker command talks to. */
export function enginesOf({ hosts }: { readonly hosts?: readonly Endpoint[] }): readonly Endpoint[] {
  return hosts ?? [{}];
}

/** The image that the client agents of a stack run. */
export async function consulImage(stack: string, engines: readonly Endpoint[]): Promise<PlacedImage> {
  const [client] = await clients(stack, engines);
  if (client === undefined) throw new Error("no client agent runs; npm run up starts it");
  const { id, engine } = client;
  return { id: await docker(engine, "inspect", "-f", "{{.Image}}", id), engine };
}

/** Restarts the client agents of a stack, each healthy before the next. */
export async function restartClients(stack: string, engines: readonly Endpoint[]): Promise<void> {
  for (const { id: client, engine } of await clients(stack, engines)) {
    await docker(engine, "restart", client);
    const deadline = Date.now() + HEALTHY_SECONDS * 1000;
    while ((await docker(engine, "inspect", "-f", "{{.State.Health.Status}}", client)) !== "healthy") {
      if (Date.now() > deadline)
        throw new Error(
          `a client agent is not healthy after ${HEALTHY_SECONDS} s; docker logs ${client} says why`,
        );
      await sleep(500);
    }
  }
}

async function clients(stack: string, engines: readonly Endpoint[]): Promise<PlacedClient[]> {
  const filters = labelFilters({ project: "consul-docker", stack }, "client");
  const found = await Promise.all(
    engines.map(async (engine) =>
      (await docker(engine, "ps", "-q", ...filters))
        .split("\n")
        .filter(Boolean)
        .map((id) => ({ id, engine })),
    ),
  );
  return found.flat();
}

async function docker(engine: Endpoint, ...args: readonly string[]): Promise<string> {
  const command = [...endpointOptions(engine), ...args];
  const { stdout } = await promisify(execFile)("docker", command).catch((error: unknown) => {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error((stderr ?? message).trim().split("\n")[0]);
  });
  return stdout.trim();
}
