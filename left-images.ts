import { setTimeout as sleep } from "node:timers/promises";
import { labelFilters, type Owner } from "./components/container";
import { docker, type Endpoint } from "./engine";

// An instance may take its whole time to stop.
const GONE_SECONDS = 60;

/**
 * Removes the stack's images that have no name any more. Where containerd stores the images, one that a container has
 * when it is removed only loses its name, though the container has exited; and Swarm keeps those of ended tasks.
 */
export async function removeLeftImages(owner: Owner, engines: readonly Endpoint[]): Promise<void> {
  await Promise.all(
    engines.map((engine) =>
      // An engine that cannot be asked says so elsewhere, and the next time finds what this time left.
      docker(["image", "prune", "-f", ...labelFilters(owner)], engine).catch(() => undefined),
    ),
  );
}

/** Waits until the engines have no container of the stack any more: Swarm removes those of a service after it. */
export async function containersGone(owner: Owner, engines: readonly Endpoint[]): Promise<void> {
  const deadline = Date.now() + GONE_SECONDS * 1000;
  const list = ["ps", "-a", "-q", ...labelFilters(owner)];
  const left = () => Promise.all(engines.map((engine) => docker(list, engine).catch(() => "")));
  while ((await left()).some((ids) => ids !== "") && Date.now() < deadline) await sleep(500);
}
