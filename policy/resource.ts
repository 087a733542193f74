/** A resource as the rules see it. */
export interface Resource {
  /** Its type, as `docker:index/container:Container`. */
  readonly type: string;
  /** Its name in the program. */
  readonly name: string;
  /** Its URN. */
  readonly urn: string;
  /** Its properties, in plain; what a preview cannot know is UNKNOWN. */
  readonly props: Readonly<Record<string, unknown>>;
}

/** Stands for a value that only the update will know. No rule stops at one: the update looks again. */
export const UNKNOWN = Symbol("unknown");

export const CONTAINER = "docker:index/container:Container";

/** Stands for a value that is marked as secret, for the rule that asks for the mark. The others see what it hides. */
export const SECRET = Symbol("secret");

/**
 * What `value` holds, with UNKNOWN where reading it throws, as Pulumi's stand-ins for unknown values do, and SECRET
 * where `isSecret` says so of an object's property.
 */
export function plain(
  value: unknown,
  isSecret: (holder: object, key: string) => boolean = () => false,
): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.keys(value).map((key): [string, unknown] => [
    key,
    isSecret(value, key) ? SECRET : plain(read(value, key), isSecret),
  ]);
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

function read(holder: object, key: string): unknown {
  try {
    return (holder as Record<string, unknown>)[key];
  } catch {
    return UNKNOWN;
  }
}

/** The list of a property; empty where there is none or it is unknown. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The object of a property; empty where there is none or it is unknown. */
export function table(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** What a text property says; undefined where there is none or it is unknown. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** What the user calls the resource: `container web`. */
export function called({ type, name }: Pick<Resource, "type" | "name">): string {
  const kind = type.split(":").at(-1) ?? type;
  return `${kind.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()} ${name}`;
}
