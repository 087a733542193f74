import * as pulumi from "@pulumi/pulumi";

/** A secret that the state keeps. */
export interface KeptSecretArgs<T> {
  /** What the state begins with. */
  readonly value: pulumi.Input<T>;
  /** Whether another value takes its place; else it is ignored, and the state keeps what it has. */
  readonly follows: boolean;
  /** The component that it belongs to. */
  readonly parent: pulumi.Resource;
}

/** The secret that the state holds under `name`, encrypted. A stash keeps its first value: another one is another stash. */
export function keptSecret<T>(name: string, { value, follows, parent }: KeptSecretArgs<T>): pulumi.Output<T> {
  const stash = new pulumi.Stash(
    name,
    { input: pulumi.secret(value) },
    {
      parent,
      additionalSecretOutputs: ["input", "output"],
      replaceOnChanges: ["input"],
      ignoreChanges: follows ? [] : ["input"],
    },
  );
  return stash.output as pulumi.Output<T>;
}
