/** What is examined, from the outside in. */
export type Area =
  | "engine"
  | "stack"
  | "network"
  | "containers"
  | "leader"
  | "voters"
  | "clock"
  | "certificates"
  | "advisories"
  | "monitors"
  | "registrations"
  | "ports";

/** Something that is wrong. */
export interface Problem {
  /** What is wrong, and where. */
  readonly what: string;
  /** What to do: a command, as far as one helps. */
  readonly advice: string;
}

/** What the examination of an area found. */
export interface Finding {
  readonly area: Area;
  /** Whether all is well; null where an earlier problem left nothing to examine. */
  readonly ok: boolean | null;
  /** What was seen, one line. */
  readonly seen: string;
  readonly problems: readonly Problem[];
}

/** An examined area: all is well unless there are problems. */
export function found(area: Area, seen: string, problems: readonly Problem[] = []): Finding {
  return { area, ok: problems.length === 0, seen, problems };
}

/** An area that an earlier problem hides. */
export function notExamined(area: Area, because: string): Finding {
  return { area, ok: null, seen: `not examined: ${because}`, problems: [] };
}
