import { dnsRules, monitorRules } from "../../components/policies";

/** A resource as `pulumi stack export` writes it, as far as it is read here. */
interface Resource {
  readonly urn: string;
  readonly inputs?: Record<string, unknown>;
  readonly outputs?: Record<string, unknown>;
  readonly dependencies?: readonly string[];
}

/** A state as `pulumi stack export` writes it. */
export interface State {
  readonly deployment: { readonly resources: readonly Resource[] };
}

/** Name of a service of the bench, from 1. */
export const serviceName = (number: number) => `svc-${number}`;

// Of svc-1: not of svc-10.
const FIRST = new RegExp(`${serviceName(1)}(?!\\d)`);
const ALL_OF_FIRST = new RegExp(FIRST, "g");

/**
 * The state of a stack with `to` services, made from that of one with `from` of them, whose deployment was real: each
 * further service is a copy of the first one under its own name. A preview that finds a difference says where this is wrong.
 */
export function grow(state: State, from: number, to: number): State {
  const further = Array.from({ length: to - from }, (_, index) => from + 1 + index);
  const services = Array.from({ length: to }, (_, index) => ({
    name: serviceName(index + 1),
    discovers: [],
  }));
  const rules: Readonly<Record<string, string>> = {
    dns: dnsRules(services),
    monitor: monitorRules(services),
  };
  const resources = state.deployment.resources.flatMap((resource): Resource[] => {
    const name = resource.urn.split("::").at(-1) ?? "";
    if (FIRST.test(name)) return [resource, ...further.map((number) => copied(resource, number))];
    const text = resource.urn.includes("AclPolicy::") ? rules[name] : undefined;
    return [
      text === undefined
        ? (withCopies(resource, further) as Resource)
        : {
            ...resource,
            inputs: { ...resource.inputs, rules: text },
            outputs: { ...resource.outputs, rules: text },
          },
    ];
  });
  return { ...state, deployment: { ...state.deployment, resources } };
}

/** The same of another service. */
function copied<T>(value: T, number: number): T {
  return JSON.parse(JSON.stringify(value).replace(ALL_OF_FIRST, serviceName(number))) as T;
}

/** In whatever lists the services, the further ones behind those that are there. */
function withCopies(value: unknown, further: readonly number[]): unknown {
  if (Array.isArray(value)) {
    const entries = value as unknown[];
    const first = entries.filter((entry) => FIRST.test(JSON.stringify(entry)));
    return [...entries, ...further.flatMap((number) => copied(first, number))];
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).flatMap(([key, entry]) => {
      // How a list was converted, entry by entry: without it, the provider's bridge works that out anew.
      if (key === "__pulumi_raw_state_delta") return [];
      if (!FIRST.test(key)) return [[key, grown(key, entry, further)] as const];
      return [
        [key, entry] as const,
        ...further.map((number) => [copied(key, number), copied(entry, number)] as const),
      ];
    }),
  );
}

/** A secret's plain text is a value in JSON. */
function grown(key: string, entry: unknown, further: readonly number[]): unknown {
  return key === "plaintext"
    ? JSON.stringify(withCopies(JSON.parse(entry as string), further))
    : withCopies(entry, further);
}
