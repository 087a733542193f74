import { table } from "../../bench/report";
import type { LoadReport } from "./load";
import type { WriterReport } from "./writer";

/** What a writer and a caller saw of one fault, or of planned work. */
export interface Report {
  readonly name: string;
  readonly writes: WriterReport;
  readonly calls: LoadReport;
  /** How long it took until all was well again. */
  readonly seconds: number;
}

/** The reports as a table in Markdown. */
export function summary(reports: readonly Report[]): string {
  return table(
    [
      "what",
      "writes acknowledged",
      "lost",
      "failed",
      "asked again",
      "longest gap, ms",
      "gateway calls",
      "failed",
      "to full health, s",
    ],
    reports.map(({ name, writes, calls, seconds }) => [
      name,
      ...[
        writes.acknowledged,
        writes.lost.length,
        writes.failures.length,
        writes.askedAgain.length,
        writes.longestGapMs,
        calls.calls,
        calls.failed,
        Math.round(seconds),
      ].map(String),
    ]),
  );
}
