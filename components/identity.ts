import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import type { Datacenter } from "./cluster";
import { keptSecret } from "./kept-secret";

/** Who somebody is to Consul. */
export type IdentityArgs = {
  /** The datacenter whose token it is. */
  readonly datacenter: Datacenter;
} & (
  | {
      /** Rules of a policy of its own. */
      readonly rules: string;
    }
  | {
      /** The node that an agent with this identity registers, and may write no other. */
      readonly node: string;
    }
);

/** An ACL token, and the policy that says what it may do. */
export class Identity extends pulumi.ComponentResource {
  /** The secret half of the token. */
  public readonly secretId: pulumi.Output<string>;
  /** The public half of the token. */
  public readonly accessorId: pulumi.Output<string>;

  /** `name` is also the policy's name. */
  constructor(name: string, args: IdentityArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Identity", name, {}, opts);
    const { datacenter } = args;
    const { provider } = datacenter;
    const registered = {
      parent: this,
      provider,
      dependsOn: datacenter.ready,
      deletedWith: datacenter.store,
    };

    const token = new consul.AclToken(
      name,
      {
        description: `consul-docker: ${name}`,
        ...("rules" in args
          ? { policies: [new consul.AclPolicy(name, { name, rules: args.rules }, registered).name] }
          : { nodeIdentities: [{ nodeName: args.node, datacenter: datacenter.datacenter }] }),
      },
      registered,
    );

    // Consul is asked for the secret, but not by a preview, which needs no Consul: that takes what the state holds.
    const preview = pulumi.runtime.isDryRun();
    const secret = token.accessorId.apply(async (accessorId) =>
      preview ? "" : (await consul.getAclTokenSecretId({ accessorId }, { provider, parent: this })).secretId,
    );
    this.secretId = keptSecret(name, { value: secret, follows: !preview, parent: this });
    this.accessorId = token.accessorId;
    this.registerOutputs({});
  }
}
