import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

/** Tags of the public images that the datacenter runs. */
export interface ImagesArgs {
  /** Tag of hashicorp/consul. */
  readonly consulVersion: string;
  /** Tag of hashicorp/consul-esm. */
  readonly monitorVersion: string;
  /** Tag of node. */
  readonly nodeVersion: string;
}

/** References of the public images, by what they are for. */
export function imageReferences({ consulVersion, monitorVersion, nodeVersion }: ImagesArgs) {
  return {
    consul: `hashicorp/consul:${consulVersion}`,
    monitor: `hashicorp/consul-esm:${monitorVersion}`,
    node: `node:${nodeVersion}`,
  };
}

/** The public images, pulled where the engine does not have them. What depends on this component starts with all of them there. */
export class Images extends pulumi.ComponentResource {
  /** ID of the Consul image. */
  public readonly consulId: pulumi.Output<string>;
  /** ID of the consul-esm image. */
  public readonly monitorId: pulumi.Output<string>;
  /** Name of the Node.js image that services are built on. */
  public readonly nodeName: string;

  constructor(name: string, args: ImagesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Images", name, {}, opts);

    // Others on the same engine use these images, too: they stay when the stack goes.
    const image = (alias: string, reference: string) =>
      new docker.RemoteImage(alias, { name: reference, keepLocally: true }, { parent: this });
    const references = imageReferences(args);
    const consul = image("consul", references.consul);
    const monitor = image("consul-esm", references.monitor);
    image("node", references.node);

    this.nodeName = references.node;
    this.consulId = consul.imageId;
    this.monitorId = monitor.imageId;
    this.registerOutputs({ consulId: this.consulId, monitorId: this.monitorId });
  }
}
