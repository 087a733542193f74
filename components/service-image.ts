import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { labels, physicalName, type Owner } from "./container";

/** The program of a service, bundled. */
export interface Bundle {
  /** Folder with the bundle and its Dockerfile, relative to the project. */
  readonly context: string;
  /** Hash of the folder's content. */
  readonly hash: string;
}

/** What the image of a service is made of. */
export interface ServiceImageArgs {
  /** Owner, for name and labels. */
  readonly owner: Owner;
  /** The program. */
  readonly bundle: Bundle;
  /** Name of the Node.js image to build on. */
  readonly baseImage: string;
}

/**
 * Name of the image. The tag says all that is in it, program and base: another one is another image, and the old one can
 * be removed by its name.
 */
export function serviceImageName(service: string, { owner, bundle, baseImage }: ServiceImageArgs): string {
  const base = baseImage.slice(baseImage.lastIndexOf(":") + 1);
  return `${physicalName(owner, service)}:${bundle.hash}-${base}`;
}

/** Builds the image of a service under the name `image`; `name` is the resource's. */
export function serviceImage(
  name: string,
  image: string,
  args: ServiceImageArgs,
  options: pulumi.CustomResourceOptions,
): docker.RemoteImage {
  return new docker.RemoteImage(
    name,
    {
      name: image,
      build: {
        context: args.bundle.context,
        buildArgs: { BASE: args.baseImage },
        labels: labels(args.owner, "service"),
        // The other builder asks the engine that the docker command talks to, whichever the provider's is.
        ...(options.provider === undefined ? {} : { useLegacyBuilder: true }),
      },
      forceRemove: true,
    },
    options,
  );
}
