import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Owner } from "./container";
import { onHost, through, type Host } from "./host";
import type { Platform } from "./platform";
import { pushedImage } from "./pushed-image";
import { serviceImage, serviceImageName, type Bundle, type ServiceImageArgs } from "./service-image";

/** Tags of the public images that the datacenter runs. */
export interface ImageVersions {
  /** Tag of hashicorp/consul. */
  readonly consulVersion: string;
  /** Tag of hashicorp/consul-esm. */
  readonly monitorVersion: string;
  /** Tag of node. */
  readonly nodeVersion: string;
}

/** References of the public images, by what they are for. */
export function imageReferences({ consulVersion, monitorVersion, nodeVersion }: ImageVersions) {
  return {
    consul: `hashicorp/consul:${consulVersion}`,
    monitor: `hashicorp/consul-esm:${monitorVersion}`,
    node: `node:${nodeVersion}`,
  };
}

/** What is needed of the rest of the stack to have the images on every host. */
export interface ImagesArgs extends ImageVersions {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** The hosts. */
  readonly platform: Platform;
  /** The services, of which the images are built here where the platform says so. */
  readonly services: readonly { readonly name: string; readonly bundle: Bundle }[];
  /** Registry by which those reach the hosts, as `HOST[:PORT][/PATH]`. @default none: each host builds them */
  readonly registry?: string | undefined;
}

/** The images on every host, pulled where its engine does not have them. What depends on this component starts with all of them there. */
export class Images extends pulumi.ComponentResource {
  /** ID of the Consul image on a host. */
  public readonly consulIdOn: (host: Host) => pulumi.Output<string>;
  /** ID of the consul-esm image on a host. */
  public readonly monitorIdOn: (host: Host) => pulumi.Output<string>;
  /** ID of the Node.js image on a host. */
  public readonly nodeIdOn: (host: Host) => pulumi.Output<string>;
  /** Names of the services' images, by the service's; empty where they are not built here. */
  public readonly ofServices: ReadonlyMap<string, pulumi.Input<string>>;
  /** Name of the Node.js image that services are built on. */
  public readonly nodeName: string;

  constructor(name: string, args: ImagesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Images", name, {}, opts);

    const references = imageReferences(args);
    const { owner, platform, registry } = args;
    const images = platform.hosts.map((host) => {
      // Others on the same engine use these images, too: they stay when the stack goes.
      const image = (alias: string, reference: string) =>
        new docker.RemoteImage(
          onHost(alias, host),
          { name: reference, keepLocally: true },
          { parent: this, ...through(host) },
        );
      const consul = image("consul", references.consul);
      const monitor = image("consul-esm", references.monitor);
      const node = image("node", references.node);
      return { host, consul, monitor, node };
    });
    const built = (service: string, image: ServiceImageArgs) => {
      const imageName = serviceImageName(service, image);
      for (const { host, node } of images)
        serviceImage(onHost(`service-${service}`, host), imageName, image, {
          parent: this,
          dependsOn: node,
          ...through(host),
        });
      return imageName;
    };
    const ofService = (service: string, image: ServiceImageArgs) =>
      registry === undefined
        ? built(service, image)
        : pushedImage(
            service,
            { ...image, registry, platform },
            { parent: this, dependsOn: images.map(({ node }) => node) },
          );
    const [first] = images as [(typeof images)[number]];
    const on = (host: Host) => images.find((one) => one.host === host) ?? first;

    this.ofServices = new Map(
      platform.prebuilt
        ? args.services.map(({ name: service, bundle }) => [
            service,
            ofService(service, { owner, bundle, baseImage: references.node }),
          ])
        : [],
    );
    this.nodeName = references.node;
    this.consulIdOn = (host) => on(host).consul.imageId;
    this.monitorIdOn = (host) => on(host).monitor.imageId;
    this.nodeIdOn = (host) => on(host).node.imageId;
    this.registerOutputs({ consulId: first.consul.imageId, monitorId: first.monitor.imageId });
  }
}
