import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { onHost, through } from "./host";
import type { Platform } from "./platform";
import { serviceImage, serviceImageName, type ServiceImageArgs } from "./service-image";

/** What the image of a service is made of, and where it goes. */
export interface PushedImageArgs extends ServiceImageArgs {
  /** The registry, as `HOST[:PORT][/PATH]`. */
  readonly registry: string;
  /** The hosts. */
  readonly platform: Pick<Platform, "hosts" | "provider">;
}

/** The registry's `HOST[:PORT]`, without the path below which its images are. */
export function registryHost(registry: string): string {
  const [host = ""] = registry.split("/");
  return host;
}

/**
 * Builds the image of a service once, by the manager's engine, pushes it, and pulls it on every host; resolves to its
 * name with its digest, which means the same bytes everywhere.
 */
export function pushedImage(
  service: string,
  args: PushedImageArgs,
  options: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const { platform } = args;
  const name = `service-${service}`;
  const onManager = { ...options, ...through(platform) };
  const image = `${args.registry}/${serviceImageName(service, args)}`;
  const built = serviceImage(`built-${service}`, image, args, onManager);
  const pushed = new docker.RegistryImage(
    name,
    {
      name: built.name,
      // A lost host's successor pulls it anew, at any time; and not every registry lets images be deleted.
      keepRemotely: true,
    },
    onManager,
  );
  const reference = pulumi.interpolate`${pushed.name}@${pushed.sha256Digest}`;
  // Swarm would pull it, too, but later: when an old instance has ended, and with a login that may have run out by then.
  for (const host of platform.hosts)
    new docker.RemoteImage(
      onHost(name, host),
      { name: reference, forceRemove: true },
      { ...options, ...through(host) },
    );
  return reference;
}
