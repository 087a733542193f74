import { spawn } from "node:child_process";
import { once } from "node:events";
import * as pulumi from "@pulumi/pulumi";
import { docker, endpointOptions, type Endpoint, type Engine } from "./engine";

/**
 * Sees to it that an engine has an image: pulls it, or copies it from the first engine that has it, of `others` and the
 * one that the docker command talks to. Rejects with the reason why it cannot be pulled.
 */
export async function provideImage(
  reference: string,
  engine: Engine,
  others: readonly Engine[],
): Promise<void> {
  if (await has(engine, reference)) return;
  const to = engine.name === undefined ? "" : ` to ${engine.name}`;
  void pulumi.log.info(`pulling ${reference}${to}`);
  const failure = await outcome(docker(["pull", "-q", reference], engine));
  if (failure === undefined) return;
  for (const source of [...others, {}].filter((one) => one !== engine)) {
    if (!(await has(source, reference))) continue;
    void pulumi.log.info(`copying ${reference}${to}, since it cannot be pulled`);
    if ((await outcome(copy(reference, source, engine))) === undefined) return;
  }
  throw failure;
}

async function has(engine: Endpoint, reference: string): Promise<boolean> {
  return (await outcome(docker(["image", "inspect", "-f", "ok", reference], engine))) === undefined;
}

/** What went wrong; undefined where nothing did. */
function outcome(attempt: Promise<unknown>): Promise<Error | undefined> {
  return attempt.then(
    () => undefined,
    (error: unknown) => error as Error,
  );
}

async function copy(reference: string, from: Endpoint, to: Endpoint): Promise<void> {
  const save = spawn("docker", [...endpointOptions(from), "save", reference], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const load = spawn("docker", [...endpointOptions(to), "load", "-q"], {
    stdio: [save.stdout, "ignore", "ignore"],
  });
  const codes = await Promise.all([save, load].map((process) => once(process, "exit")));
  if (codes.some(([code]) => code !== 0)) throw new Error(`${reference} cannot be copied`);
}
