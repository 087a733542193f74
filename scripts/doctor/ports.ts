import { containerProblem, type Container } from "./containers";
import { found, type Finding } from "./finding";
import type { DeclaredContainer } from "./state";

/** A port of the host, and what became of an attempt to use it. */
export interface Attempt {
  /** What is there: HTTP API, UI, DNS or the name of a service's instance. */
  readonly what: string;
  /** Where it was sought. */
  readonly at: string;
  /** The container that it leads to. */
  readonly container: DeclaredContainer;
  /** Why there was no answer; undefined when there was. */
  readonly failure?: string | undefined;
}

export function examinePorts(
  attempts: readonly Attempt[],
  containers: readonly Container[] | undefined,
): Finding {
  const silent = attempts.filter(({ failure }) => failure !== undefined);
  const answering = attempts.filter((attempt) => !silent.includes(attempt)).map(({ what }) => what);
  const behind = new Set(silent.map(({ container }) => container));
  return found(
    "ports",
    `${answering.length} of ${attempts.length} answer${answering.length === 0 ? "" : `: ${answering.join(", ")}`}`,
    [...behind].map((container) => ({
      what: `${container.alias} does not answer: ${silent
        .filter((attempt) => attempt.container === container)
        .map(({ what, at, failure = "" }) => `${what} at ${at} (${failure})`)
        .join(", ")}`,
      advice: containerProblem(container, containers)?.advice ?? `docker restart ${container.name}`,
    })),
  );
}
