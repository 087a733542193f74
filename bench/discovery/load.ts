import { performance } from "node:perf_hooks";

/** What one client saw. */
export interface Measured {
  readonly callsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Resident memory of the client's process at the end. */
  readonly memoryMb: number;
}

/** Calls as fast as the answers come, so many at a time, and measures after a time to warm up. */
export async function measure(
  call: () => Promise<unknown>,
  atATime: number,
  seconds: number,
): Promise<Measured> {
  await repeat(call, atATime, performance.now() + 2_000, []);
  const latencies: number[] = [];
  const startedAt = performance.now();
  await repeat(call, atATime, startedAt + seconds * 1_000, latencies);
  const elapsed = (performance.now() - startedAt) / 1_000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * (latencies.length - 1))] ?? 0;
  return {
    callsPerSecond: latencies.length / elapsed,
    p50: at(0.5),
    p99: at(0.99),
    memoryMb: process.memoryUsage.rss() / 2 ** 20,
  };
}

async function repeat(
  call: () => Promise<unknown>,
  atATime: number,
  until: number,
  latencies: number[],
): Promise<void> {
  const one = async () => {
    while (performance.now() < until) {
      const startedAt = performance.now();
      await call();
      latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: atATime }, one));
}
