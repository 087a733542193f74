import { differences, inWords } from "./differences";
import { isComponent, isReplacedNetwork, isSecrets, list, nounOf, roleOf } from "./kinds";
import { nameOf, type PlannedResource } from "./plan";

/** What changes in some components alike. */
export interface ComponentChange {
  /** Their names. */
  readonly components: readonly string[];
  /** A line for each resource that changes. */
  readonly changes: readonly string[];
  /** What that means while it is done. */
  readonly consequences: readonly string[];
}

/** What changes, by component; components that change alike are told together. */
export function componentChanges(resources: readonly PlannedResource[]): ComponentChange[] {
  const changed = resources.filter((one) => one.operation !== "same" && !isComponent(one));
  const byComponent = grouped(changed, componentOf);
  const told = [...byComponent].map(([component, own]) => ({
    component,
    changes: own.map((resource) => line(resource, component)),
    consequences: [...new Set(own.flatMap((resource) => consequence(resource, resources)))],
  }));
  const alike = grouped(told, ({ changes, consequences }) => JSON.stringify([changes, consequences]));
  return [...alike.values()].map((group) => ({
    components: group.map(({ component }) => component),
    changes: group[0]?.changes ?? [],
    consequences: group[0]?.consequences ?? [],
  }));
}

/** The component that a resource belongs to; itself, where that is the whole stack. */
function componentOf({ name, parent }: PlannedResource): string {
  return parent === undefined || parent.includes("::pulumi:pulumi:Stack::") ? name : nameOf(parent);
}

const DONE = { create: "created", update: "updated", replace: "replaced", delete: "deleted", same: "same" };

function line(resource: PlannedResource, component: string): string {
  const { name, operation } = resource;
  const own = name === component ? "" : ` ${name.replace(`${component}-`, "")}`;
  const why = operation === "update" || operation === "replace" ? reasons(resource) : [];
  return `${nounOf(resource)}${own} ${DONE[operation]}${why.length === 0 ? "" : `: ${why.join(", ")}`}`;
}

function reasons({ before, after, replacedFor }: PlannedResource): string[] {
  const found = differences(before, after)
    // It follows from all the others.
    .filter(({ path }) => path !== "labels.consul-docker.fingerprint")
    .map((one) => inWords({ ...one, path: readable(one.path) }));
  return found.length > 0 ? found : replacedFor.map((path) => `${path} changed`);
}

/** An agent's configuration, the environment, checks and keys need no word about where they are passed. */
function readable(path: string): string {
  return path
    .replace(/^envs\.(CONSUL_LOCAL_CONFIG\.|CONFIG\.)?/, "")
    .replace(/^checks\.[^:]*:/, "check ")
    .replace(/^keys\./, "");
}

/** What callers, writers and data see of a change. */
function consequence(resource: PlannedResource, all: readonly PlannedResource[]): string[] {
  const { operation } = resource;
  const noun = nounOf(resource);
  if (isReplacedNetwork(resource)) return ["everything in it stops and starts anew"];
  if (noun === "volume" && operation !== "create" && !isSecrets(resource)) return ["what it holds is lost"];
  if (noun === "service" && operation === "update") return [whileReplaced(resource, all)];
  if (noun !== "container" || all.some(isReplacedNetwork)) return [];
  if (operation === "replace") return [whileReplaced(resource, all)].filter((text) => text !== "");
  if (operation === "delete" && roleOf(resource) === "server") {
    return ["hands leadership over and leaves its peers before it stops"];
  }
  return [];
}

function whileReplaced(resource: PlannedResource, all: readonly PlannedResource[]): string {
  switch (roleOf(resource)) {
    case "server":
      return "rolling: one server at a time, the leader last, each once all are healthy; data is kept";
    case "client":
      return list(resource.after?.["ports"]).length > 0
        ? "restart: the API, the UI and DNS at the host's ports are away for seconds; services use the other client"
        : "restart: services use the other client meanwhile";
    case "monitor":
      return "restart: the other monitor takes over";
    case "service":
      return siblings(resource, all) > 1
        ? "rolling: one instance at a time, callers use the others"
        : "restart: it is the only instance, so calls fail for seconds";
    default:
      return "";
  }
}

/** How many instances the service of this container has afterwards. */
function siblings({ parent }: PlannedResource, all: readonly PlannedResource[]): number {
  const service = all.find(({ urn }) => urn === parent)?.parent;
  return all.filter((one) => one.parent === service && one.operation !== "delete" && isComponent(one)).length;
}

function grouped<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}
