import { setTimeout as sleep } from "node:timers/promises";

/** Runs `probe` until it no longer throws, twice a second, for at most `timeoutSeconds`; then throws what it threw last. */
export async function eventually<T>(probe: () => Promise<T> | T, timeoutSeconds = 30): Promise<T> {
  const deadline = Date.now() + timeoutSeconds * 1000;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(500);
    }
  }
}
