import { isStandIn } from "../../preview-engine";

/** A resource as the state knows it, or as it is planned. Secrets are masked. */
export interface ResourceState {
  /** Type, such as `docker:index/container:Container`. */
  readonly type: string;
  /** URN of the component that it belongs to. */
  readonly parent?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** The provider that it goes through, by URN and ID. */
  readonly provider?: string;
}

/** What happens to one resource. */
export type Operation = "create" | "update" | "replace" | "delete" | "same";

/** A resource of the plan. */
export interface PlannedResource {
  readonly urn: string;
  /** Its name in the program. */
  readonly name: string;
  readonly type: string;
  readonly operation: Operation;
  /** URN of the component that it belongs to. */
  readonly parent: string | undefined;
  /** Its arguments now; none of a new one. */
  readonly before: Readonly<Record<string, unknown>> | undefined;
  /** Its arguments afterwards; none of one that goes. */
  readonly after: Readonly<Record<string, unknown>> | undefined;
  /** The arguments that it is replaced for. */
  readonly replacedFor: readonly string[];
}

/** What `pulumi preview --json --show-sames` writes, as far as it is used. */
export interface PreviewOutput {
  readonly steps?: readonly {
    readonly op: string;
    readonly urn: string;
    readonly oldState?: ResourceState;
    readonly newState?: ResourceState;
    readonly replaceReasons?: readonly string[] | null;
  }[];
  readonly diagnostics?: readonly { readonly message: string; readonly severity: string }[];
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  create: "create",
  update: "update",
  delete: "delete",
  same: "same",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
};

/** The resources of a plan, each once: a replacement is several steps to Pulumi. The order is always the same. */
export function planned(output: PreviewOutput): PlannedResource[] {
  const resources = new Map<string, PlannedResource>();
  for (const { op, urn, oldState, newState, replaceReasons } of output.steps ?? []) {
    const known = resources.get(urn);
    const state = newState ?? oldState;
    // A host's engine that was not there: to reach it otherwise is the preview's own doing.
    const operation = isStandIn(newState?.inputs?.["host"]) && op === "update" ? "same" : OPERATIONS[op];
    if (operation === undefined || state === undefined) continue;
    resources.set(urn, {
      urn,
      name: nameOf(urn),
      type: state.type,
      operation,
      parent: state.parent ?? known?.parent,
      before: known?.before ?? (operation === "create" ? undefined : oldState?.inputs),
      after: operation === "delete" ? undefined : (newState?.inputs ?? known?.after),
      replacedFor: replaceReasons ?? known?.replacedFor ?? [],
    });
  }
  return [...resources.values()].sort((a, b) => a.urn.localeCompare(b.urn, "en", { numeric: true }));
}

/** Whether anything goes through the engine that the plugin asks where the program names none. */
export function asksDefaultEngine({ steps = [] }: PreviewOutput): boolean {
  return steps.some(
    ({ newState }) => newState?.provider?.includes("::pulumi:providers:docker::default") === true,
  );
}

/** The name that a URN ends with. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}
