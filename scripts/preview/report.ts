import { type ComponentChange, componentChanges } from "./components";
import { dangers } from "./dangers";
import { isComponent } from "./kinds";
import { openings } from "./openings";
import { type Operation, planned, type PlannedResource, type PreviewOutput } from "./plan";
import { type RegistrationChange, registrationChanges } from "./registrations";
import type { ImageChange } from "./sources";

/** How a preview ended; each has an exit code of its own. */
export type Verdict = "nothing" | "changes" | "dangerous" | "failed";

/** What a preview says, for a reviewer. */
export interface PreviewReport {
  readonly stack: string;
  readonly verdict: Verdict;
  /** Why it failed, in the program's own lines. */
  readonly faults: readonly string[];
  /** What warns, in the program's own lines. */
  readonly warnings: readonly string[];
  readonly counts: Readonly<Record<Operation, number>>;
  readonly dangers: readonly string[];
  readonly openings: readonly string[];
  readonly images: readonly ImageChange[];
  readonly registrations: readonly RegistrationChange[];
  readonly components: readonly ComponentChange[];
}

/** What Pulumi's preview says in a reviewer's words. */
export function previewReport(
  stack: string,
  output: PreviewOutput,
  failed: boolean,
  images: readonly ImageChange[],
): PreviewReport {
  const resources = planned(output);
  const counts = countsOf(resources);
  const found = dangers(resources);
  const changes = counts.create + counts.update + counts.replace + counts.delete;
  return {
    stack,
    verdict: failed ? "failed" : found.length > 0 ? "dangerous" : changes > 0 ? "changes" : "nothing",
    faults: failed ? messages(output, "error") : [],
    warnings: messages(output, "warning"),
    counts,
    dangers: found,
    openings: openings(resources),
    images,
    registrations: registrationChanges(resources),
    components: componentChanges(resources),
  };
}

function countsOf(resources: readonly PlannedResource[]): Record<Operation, number> {
  const counts = { create: 0, update: 0, replace: 0, delete: 0, same: 0 };
  for (const resource of resources) if (!isComponent(resource)) counts[resource.operation]++;
  return counts;
}

function messages({ diagnostics = [] }: PreviewOutput, severity: string): string[] {
  return diagnostics
    .filter((one) => one.severity === severity)
    .flatMap(({ message }) => message.split("\n"))
    .map((line) => line.replaceAll(/<\{%[^%]*%\}>/g, "").trimEnd())
    .filter((line) => line !== "" && line !== "preview failed");
}
