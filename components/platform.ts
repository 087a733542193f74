import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { containerArgs, containerOptions, type Attachment, type ContainerSpec } from "./container";
import type { Host } from "./host";

/** A port that an instance is reached by from outside. */
export interface PublishedPort {
  /** Port inside the container. */
  readonly internal: number;
  /** Port of the host. */
  readonly external: number;
  /** Address of the host. */
  readonly address: string;
}

/** One copy of a service's program. */
export interface InstanceSpec extends ContainerSpec {
  readonly attachment: Attachment;
  /** Environment, as `NAME=value`. */
  readonly envs: readonly string[];
  /** Addresses of the DNS that its resolver asks. */
  readonly dns: readonly string[];
  /** Its port on the host. @default none */
  readonly publish?: PublishedPort | undefined;
  /** Names of the hosts that it is kept from. @default none */
  readonly avoid?: readonly string[] | undefined;
}

/** How many instances a service is to have, and where it is published. */
export interface Scale {
  /** Instances. */
  readonly instances: number;
  /** Port of the host. @default none */
  readonly hostPort?: number | undefined;
}

/** One instance of the plan. */
export interface PlannedInstance {
  /** Number of the instance, from 1. */
  readonly number: number;
  /** Its port on the host, and the address there. @default none */
  readonly publish?: Omit<PublishedPort, "internal">;
  /** Name of the host that it may not leave. @default any */
  readonly host?: string;
  /** Names of the hosts that it is kept from. @default none */
  readonly avoid?: readonly string[];
}

/** An engine, as a container on its host reaches it. */
export interface EngineSocket {
  /** The host. */
  readonly host: Host;
  /** Path of the socket that the engine listens on. */
  readonly path: string;
}

/** What the datacenter runs on: all that differs between one engine and several lies behind this. */
export interface Platform {
  /** The hosts. */
  readonly hosts: readonly Host[];
  /** Driver of the network that spans them. */
  readonly networkDriver: "bridge" | "overlay";
  /** Creates what spans them. @default the provider that talks to the only engine there is */
  readonly provider: docker.Provider | undefined;
  /** Whether the images of services are on every host before the datacenter, and known by their names. */
  readonly prebuilt: boolean;
  /** Engines that do not always bring back by themselves what runs on them. */
  readonly unreliable: readonly EngineSocket[];
  /** A host for each of so many of a kind, servers or the like: as evenly as the hosts allow. */
  place(count: number): readonly Host[];
  /** The instances of a service. */
  plan(scale: Scale): PlannedInstance[];
  /** Runs an instance; what it returns is there once the instance is healthy. */
  run(name: string, spec: InstanceSpec, options: pulumi.CustomResourceOptions): pulumi.CustomResource;
}

/** One engine, the one that the docker command talks to: instances are containers. */
export function singleEngine(bindAddress: string): Platform {
  const host: Host = { name: undefined, address: bindAddress, provider: undefined };
  return {
    hosts: [host],
    networkDriver: "bridge",
    provider: undefined,
    prebuilt: false,
    unreliable: [],
    place: (count) => Array.from({ length: count }, () => host),
    plan: ({ instances, hostPort }) =>
      Array.from({ length: instances }, (_, index) => ({
        number: index + 1,
        ...(hostPort === undefined ? {} : { publish: { external: hostPort + index, address: bindAddress } }),
      })),
    run: (name, spec, options) => {
      const { envs, dns, publish } = spec;
      return new docker.Container(
        name,
        {
          ...containerArgs(spec),
          dns: [...dns],
          envs: [...envs],
          ports:
            publish === undefined
              ? []
              : [
                  {
                    internal: publish.internal,
                    external: publish.external,
                    ip: publish.address,
                    protocol: "tcp",
                  },
                ],
        },
        containerOptions(options),
      );
    },
  };
}
