/** What an argument that is known only after the change looks like in a plan. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** Longer texts are not shown. */
const MAX_LENGTH = 60;

/** One argument that changes. */
export interface Difference {
  /** Where, such as `envs.LOG_LEVEL` or `healthcheck.interval`. */
  readonly path: string;
  /** As it is shown; undefined where there was nothing. */
  readonly before: string | undefined;
  /** As it is shown; undefined where there will be nothing. */
  readonly after: string | undefined;
}

/** What differs between two sets of arguments, as deep as both have it, by path. */
export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  const [was, is] = [opened(before), opened(after)];
  if (equal(was, is)) return [];
  if (isRecord(was) && isRecord(is)) {
    const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])].sort();
    return keys
      .filter((key) => key !== "__defaults")
      .flatMap((key) => differences(was[key], is[key], path === "" ? key : `${path}.${key}`));
  }
  return [{ path, before: shown(was), after: shown(is) }];
}

/** A difference in one line. */
export function inWords({ path, before, after }: Difference): string {
  if (before === undefined) return after === "" ? `${path} added` : `${path} ${after ?? ""} added`;
  if (after === undefined) return before === "" ? `${path} removed` : `${path} ${before} removed`;
  return before === "" || after === "" || before === after
    ? `${path} changed`
    : `${path} ${before} → ${after}`;
}

/** Lists by what names their elements, and texts that hold JSON by what they hold. */
function opened(value: unknown): unknown {
  if (typeof value === "string") return openedText(value);
  if (!Array.isArray(value)) return value;
  if (value.length === 1 && isRecord(value[0]) && keyOf(value[0]) === undefined) return value[0];
  const named = value.map((element: unknown) => [keyOf(element), valueOf(element)] as const);
  return named.every(([key]) => key !== undefined) && new Set(named.map(([key]) => key)).size === named.length
    ? Object.fromEntries(named)
    : value;
}

function openedText(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const KEYS = ["label", "file", "containerPath", "checkId", "path"] as const;

/** What an element of a list is called: a variable of the environment, a label, a file, a port. */
function keyOf(element: unknown): string | undefined {
  if (typeof element === "string") {
    return /^[A-Z_]+(?==)/.exec(element)?.[0] ?? (element.length > MAX_LENGTH ? undefined : element);
  }
  if (!isRecord(element)) return undefined;
  if ("external" in element) return `${String(element["external"])}/${String(element["protocol"])}`;
  const key = KEYS.find((name) => typeof element[name] === "string");
  return key === undefined ? undefined : (element[key] as string);
}

function valueOf(element: unknown): unknown {
  if (typeof element === "string") return /^[A-Z_]+=/.test(element) ? element.replace(/^[A-Z_]+=/, "") : "";
  if (!isRecord(element)) return element;
  return "value" in element ? element["value"] : element;
}

/** In one short line; empty where it is too long, secret or not known yet. */
function shown(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text === UNKNOWN || text === "[secret]" || text.length > MAX_LENGTH || text.includes("\n")
    ? ""
    : text;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
