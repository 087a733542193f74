import { createHash } from "node:crypto";
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
 * Name of the image. The tag says all that is in it, program, base and labels: another one is another image, and the
 * old one can be removed by its name. Of the base it also says what a person wants to know.
 */
export function serviceImageName(service: string, args: ServiceImageArgs): string {
  const { owner, bundle, baseImage } = args;
  const content = JSON.stringify([bundle.hash, contentArgs(args)]);
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const base = baseImage.slice(baseImage.lastIndexOf(":") + 1);
  return `${physicalName(owner, service)}:${hash}-${base}`;
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
        ...contentArgs(args),
        // What the engine's own API builds is the same image each time. The provider's other way, buildx, adds when it
        // was built, leaves the labels out, and asks the engine that the docker command talks to.
        useLegacyBuilder: true,
      },
      forceRemove: true,
    },
    options,
  );
}

/** What of the build's arguments is in the image. */
function contentArgs({ owner, baseImage }: ServiceImageArgs) {
  return { buildArgs: { BASE: baseImage }, labels: labels(owner, "service") };
}
