import type * as pulumi from "@pulumi/pulumi";

/** Resolves when the resource is as it is to be. Not by data: what depends on a replaced one by data is replaced, too. */
export function created(resource: pulumi.CustomResource): Promise<void> {
  return new Promise((resolve) =>
    resource.id.apply(() => {
      resolve();
    }),
  );
}
