import { setTimeout as sleep } from "node:timers/promises";
import { products } from "./gateway";

/** How the calls of a time went. */
export interface LoadReport {
  readonly calls: number;
  readonly failed: number;
  /** What the failed calls got: a line for each answer, with how often and when, in seconds from the beginning. */
  readonly failures: readonly string[];
  /** Latencies in milliseconds: half of the calls were as fast, 99 of 100, and all. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Calls the gateway so many times a second, whether the calls before have been answered or not; of several gateways,
 * the next one where one fails.
 */
export class Load {
  readonly #latencies: number[] = [];
  readonly #failures = new Map<string, number[]>();
  readonly #startedAt = performance.now();
  readonly #open = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(gatewayUrl: string | readonly [string, ...string[]], perSecond: number) {
    const gateways = typeof gatewayUrl === "string" ? ([gatewayUrl] as const) : gatewayUrl;
    this.#timer = setInterval(() => {
      const call = this.#call(gateways);
      this.#open.add(call);
      void call.finally(() => this.#open.delete(call));
    }, 1_000 / perSecond);
  }

  /** Stops, waits for the open calls, and tells how all went. */
  async stop(): Promise<LoadReport> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
    const failures = [...this.#failures].map(
      ([error, seconds]) =>
        `${seconds.length} times, ${seconds[0]?.toFixed(1)} to ${seconds.at(-1)?.toFixed(1)} s: ${error}`,
    );
    const failed = [...this.#failures.values()].flat().length;
    return { calls: sorted.length, failed, failures, p50: at(0.5), p99: at(0.99), max: at(1) };
  }

  async #call([first, ...others]: readonly [string, ...string[]]): Promise<void> {
    const startedAt = performance.now();
    const answer = others.reduce<Promise<unknown>>(
      (before, next) => before.catch(() => products(next)),
      products(first),
    );
    await answer.catch((error: unknown) => {
      const seconds = this.#failures.get(String(error)) ?? [];
      this.#failures.set(String(error), [...seconds, (startedAt - this.#startedAt) / 1_000]);
    });
    this.#latencies.push(performance.now() - startedAt);
  }
}

/** Runs `fault` two seconds into a load that lasts at least `seconds`. */
export async function underLoad(
  gatewayUrl: string,
  seconds: number,
  fault: () => Promise<void>,
): Promise<LoadReport> {
  const load = new Load(gatewayUrl, 40);
  const lasts = sleep(seconds * 1_000);
  try {
    await sleep(2_000);
    await fault();
    await lasts;
  } finally {
    // Also where the fault itself failed: nothing may go on calling.
    await load.stop();
  }
  return load.stop();
}
