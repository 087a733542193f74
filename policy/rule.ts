import type {
  EnforcementLevel,
  ResourceValidationArgs,
  ResourceValidationPolicy,
  StackValidationPolicy,
} from "@pulumi/policy";
import { Secret } from "@pulumi/policy";
import { plain, type Resource } from "./resource";
import { asContainer } from "./swarm-service";

/** What a rule is called, and what it asks for. */
interface Named {
  /** Name of the policy. */
  readonly name: string;
  /** What is asked for, in one sentence. */
  readonly description: string;
  /** What a fault does. @default the level of the pack */
  readonly enforcementLevel?: EnforcementLevel;
}

/** A rule that looks at one resource before it is created or changed. */
export interface ResourceRule extends Named {
  /** What is wrong with the resource, one message a fault. */
  readonly faults: (resource: Resource) => string[];
}

/** A rule that looks at all resources of the stack together. */
export interface StackRule extends Named {
  /** What is wrong with the stack, by the URN of the resource that it shows at. */
  readonly faults: (resources: readonly Resource[]) => (readonly [message: string, urn: string])[];
}

/** `rule` as Pulumi runs it. */
export function resourcePolicy({ faults, ...named }: ResourceRule): ResourceValidationPolicy {
  return {
    ...named,
    validateResource: (args, report) => {
      for (const message of faults(asContainer(seen(args)))) report(message);
    },
  };
}

/** `rule` as Pulumi runs it, after all resources are known: a preview's end, or an update's. */
export function stackPolicy({ faults, ...named }: StackRule): StackValidationPolicy {
  return {
    ...named,
    validateStack: ({ resources }, report) => {
      for (const [message, urn] of faults(resources.map((resource) => asContainer(seen(resource)))))
        report(message, urn);
    },
  };
}

/**
 * `rule` as Pulumi runs it, with SECRET for all that is marked as secret. A validation is given secrets in plain, and
 * only a remediation, which comes first, can tell them from the rest: this one changes nothing, and leaves what it
 * found to the validation.
 */
export function secretsPolicy({ name, description, faults }: ResourceRule): ResourceValidationPolicy {
  const found = new Map<string, string[]>();
  return {
    name,
    description,
    enforcementLevel: "remediate",
    remediateResource: (args) => {
      found.set(args.urn, faults(seen(args, isSecret)));
    },
    validateResource: ({ urn }, report) => {
      for (const message of found.get(urn) ?? []) report(message);
      found.delete(urn);
    },
  };
}

function seen(
  { type, name, urn, props }: Pick<ResourceValidationArgs, "type" | "name" | "urn" | "props">,
  secret?: typeof isSecret,
): Resource {
  return { type, name, urn, props: plain(props, secret) as Resource["props"] };
}

/** Reading a property takes the mark off; its descriptor has it. */
function isSecret(holder: object, key: string): boolean {
  return Object.getOwnPropertyDescriptor(holder, key)?.value instanceof Secret;
}
