import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "./eventually";
import type { Load, LoadReport } from "./load";
import type { Report } from "./report";
import type { Writer, WriterReport } from "./writer";

/** Runs `fault` under a writer and a caller that have begun, and tells what they saw of it; both end, whatever happens. */
export async function seenThrough(
  name: string,
  writer: Writer,
  load: Load,
  fault: () => Promise<void>,
): Promise<Report> {
  let seconds = 0;
  let writes: WriterReport | undefined;
  let calls: LoadReport | undefined;
  try {
    await sleep(1_000);
    const startedAt = performance.now();
    await fault();
    seconds = (performance.now() - startedAt) / 1_000;
    await sleep(1_000);
  } finally {
    calls = await load.stop();
    writes = await eventually(() => writer.stop(), 60);
  }
  return { name, seconds, writes, calls };
}
