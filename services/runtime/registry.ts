import { z } from "zod";
import type { Consul } from "./consul";
import type { Logger } from "./logger";
import { type Followed, Watch } from "./watch";

/** One running copy of a service. */
export interface Instance {
  /** ID of the registration, such as `catalog-1`. */
  readonly id: string;
  /** Name of the node that carries the registration. */
  readonly node: string;
  /** Host name or IP address. */
  readonly address: string;
  /** TCP port. */
  readonly port: number;
}

/** Knows which instances of a service can be called. */
export interface Registry {
  /** Begins to follow a service, once however often it is asked; resolves with the first view. */
  follow(service: string): Promise<void>;
  /** The passing instances, sorted by id; none when the service is not followed or has no first view. */
  instances(service: string): readonly Instance[];
}

/** The registry that Consul's health checks keep; shows the last known instances while no agent answers. */
export class ConsulRegistry implements Registry, Followed {
  readonly #consul: Consul;
  readonly #log: Logger;
  readonly #watches = new Map<string, Watch>();
  readonly #instances = new Map<string, readonly Instance[]>();

  constructor(consul: Consul, log: Logger) {
    this.#consul = consul;
    this.#log = log;
  }

  follow(service: string): Promise<void> {
    let watch = this.#watches.get(service);
    if (watch === undefined) {
      watch = new Watch({
        consul: this.#consul,
        path: `/v1/health/service/${encodeURIComponent(service)}?passing=true`,
        log: this.#log,
        onValue: (value) => {
          this.#update(service, toInstances(value));
        },
      });
      this.#watches.set(service, watch);
    }
    return watch.first;
  }

  instances(service: string): readonly Instance[] {
    return this.#instances.get(service) ?? [];
  }

  /** Whether each followed service has a first view, with or without instances. */
  isReady(): boolean {
    return [...this.#watches.values()].every((watch) => watch.isReady());
  }

  stop(): void {
    this.#watches.forEach((watch) => {
      watch.stop();
    });
  }

  #update(service: string, instances: readonly Instance[]): void {
    this.#instances.set(service, instances);
    this.#log.info({ target: service, instances: instances.map(({ id }) => id) }, "passing instances");
  }
}

const healthEntries = z.array(
  z.object({
    Node: z.object({ Node: z.string(), Address: z.string() }),
    Service: z.object({ ID: z.string(), Address: z.string(), Port: z.number().int().positive() }),
  }),
);

/** A registration without an address of its own is reached at its node's. */
function toInstances(value: unknown): Instance[] {
  return healthEntries
    .parse(value)
    .map(({ Node, Service }) => ({
      id: Service.ID,
      node: Node.Node,
      address: Service.Address === "" ? Node.Address : Service.Address,
      port: Service.Port,
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}
