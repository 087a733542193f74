import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import { reachableAt } from "./addresses";
import type { InTurn } from "./container";
import type { Scale } from "./platform";
import { RegistrationTurns } from "./registration-turns";
import { serviceImage, serviceImageName, type Bundle } from "./service-image";
import { ServiceInstance, type InstanceArgs } from "./service-instance";

/** What a service needs from the rest of the stack. */
export interface ServiceArgs extends InstanceArgs, Scale {
  /** The program. */
  readonly bundle: Bundle;
  /** Name of the Node.js image to build on. */
  readonly baseImage: string;
  /** Name of its image, where every host has it already. @default none: it is built here */
  readonly image?: pulumi.Input<string> | undefined;
  /** Whom a container waits for before it is changed. */
  readonly inTurn: InTurn;
  /** Live configuration: JSON values under services/NAME/ in the KV store. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** An instance of a service, as others reach it. */
export interface Instance {
  /** Name of the instance, its node, container alias and host name. */
  readonly name: string;
  /** `HOST:PORT` in the network. */
  readonly address: string;
}

/** A TypeScript service: its image, its live configuration and its instances. */
export class Service extends pulumi.ComponentResource {
  /** Name in Consul. */
  public readonly name: string;
  /** The instances, in their order. */
  public readonly instances: pulumi.Output<Instance[]>;
  /** Base URL of the first instance on the host; undefined where the service publishes no port. */
  public readonly url: pulumi.Output<string | undefined>;

  /** `name` is also the service's name in Consul. */
  constructor(name: string, args: ServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Service", name, {}, opts);
    if (args.checks.length === 0) {
      throw new pulumi.ResourceError(`checks of ${name} must hold at least one check, got none`, this, true);
    }

    const { platform } = args;
    const imageId =
      args.image ?? serviceImage(name, serviceImageName(name, args), args, { parent: this }).imageId;

    if (Object.keys(args.config).length > 0) {
      new consul.Keys(
        name,
        {
          keys: Object.entries(args.config).map(([key, value]) => ({
            path: `services/${name}/${key}`,
            value: JSON.stringify(value),
            delete: true,
          })),
        },
        {
          parent: this,
          provider: args.datacenter.provider,
          dependsOn: args.datacenter.ready,
          deletedWith: args.datacenter.store,
        },
      );
    }

    // One after the other, each healthy before the next: a change then never takes two instances at a time.
    const instances: ServiceInstance[] = [];
    const planned = platform.plan(args);
    const turns = new RegistrationTurns(
      name,
      args.datacenter.provider,
      Math.max(...args.checks.map(({ intervalSeconds, timeoutSeconds }) => intervalSeconds + timeoutSeconds)),
    );
    for (const { number, ...placement } of planned) {
      const instance = `${name}-${number}`;
      const before = args.inTurn(instance, instances.slice(-1));
      const [changes] = planned.length === 1 ? [] : args.inTurn(instance, [turns]);
      instances.push(
        new ServiceInstance(
          instance,
          {
            ...args,
            service: name,
            imageId,
            turn: changes && ((node) => changes.after(node, before[0])),
            ...placement,
          },
          { parent: this, dependsOn: before.map(({ container }) => container) },
        ),
      );
    }

    this.name = name;
    this.instances = pulumi.output(instances.map(({ name }) => ({ name, address: `${name}:${args.port}` })));
    const published = planned[0]?.publish;
    this.url = pulumi.output(
      published === undefined ? undefined : `http://${reachableAt(published.address)}:${published.external}`,
    );
    this.registerOutputs({ instances: this.instances, url: this.url });
  }
}
