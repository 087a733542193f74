import type * as docker from "@pulumi/docker";

/** A machine that runs containers. */
export interface Host {
  /** Its name among several; undefined where it is the only one. */
  readonly name: string | undefined;
  /** Address that published ports listen on. */
  readonly address: string;
  /** Creates what runs on it. @default the provider that talks to the only engine there is */
  readonly provider: docker.Provider | undefined;
}

/** What is called `name` where there is one host, and is on each of several, as it is called on this one. */
export function onHost(name: string, host: Host): string {
  return host.name === undefined ? name : `${name}-${host.name}`;
}

/**
 * The label that says on which of several hosts a container is. With another host it differs, and so the container is
 * replaced: to Pulumi, another provider alone is no change.
 */
export function hostLabel(host: string | undefined): Record<string, string> {
  return host === undefined ? {} : { "consul-docker.host": host };
}

/** The option by which a resource, or a component with all that is in it, is created on the host. */
export function through({ provider }: Pick<Host, "provider">): { provider?: docker.Provider } {
  return provider === undefined ? {} : { provider };
}
