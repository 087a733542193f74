import { z } from "zod";
import type { Consul } from "./consul";
import type { Logger } from "./logger";
import { type Followed, Watch } from "./watch";

/** Which instances are meant. */
export interface Target {
  /** Name of the service in Consul. */
  readonly service: string;
  /** Tags that an instance must have, all of them. @default any */
  readonly tags?: readonly string[];
  /** Metadata that an instance must have. @default any */
  readonly meta?: Readonly<Record<string, string>>;
  /** Consul datacenter. @default the agent's own */
  readonly datacenter?: string;
  /** Whether the follower is of use before there has been an instance. @default false: until then it is not ready */
  readonly optional?: boolean;
}

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
  /** Share of the calls in relation to the other instances', as the registration says for the state of its checks. */
  readonly weight: number;
  /**
   * The worst of its checks: a warning is to be called as well, with a weight of its own. A critical one is for those
   * calls that find no better one.
   */
  readonly status: "passing" | "warning" | "critical";
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
}

/** What is known of a target's instances. */
export interface View {
  /** Those that may be called, sorted by id; the same array until anything changes. None before the first view. */
  readonly instances: readonly Instance[];
  /** Resolves with the first view; stays pending while no agent answers. */
  readonly first: Promise<void>;
  /** Milliseconds since an agent last said what the instances are; 0 before the first view. */
  ageMs(): number;
  /** Calls `listener` after each change. */
  onChange(listener: () => void): void;
}

/** Knows which instances can be called. */
export interface Registry {
  /** Begins to follow a target, with one watch a service however often it is asked. */
  follow(target: Target): View;
}

/** The registry that Consul's health checks keep; shows the last known instances while no agent answers. */
export class ConsulRegistry implements Registry, Followed {
  readonly #consul: Consul;
  readonly #log: Logger;
  readonly #services = new Map<string, FollowedService>();

  constructor(consul: Consul, log: Logger) {
    this.#consul = consul;
    this.#log = log;
  }

  follow({ service, datacenter, tags = [], meta = {}, optional = false }: Target): View {
    const key = `${datacenter ?? ""}/${service}`;
    const followed =
      this.#services.get(key) ?? new FollowedService(service, datacenter, this.#consul, this.#log);
    this.#services.set(key, followed);
    followed.isRequired ||= !optional;
    const wanted = Object.entries(meta);
    return tags.length === 0 && wanted.length === 0
      ? followed
      : new FilteredView(
          followed,
          (instance) =>
            tags.every((tag) => instance.tags.includes(tag)) &&
            wanted.every(([name, value]) => instance.meta[name] === value),
        );
  }

  /** The services that are followed, with what is known of each. */
  views(): ReadonlyMap<string, View> {
    return new Map([...this.#services.values()].map((followed) => [followed.service, followed]));
  }

  /** Whether each followed service has had an instance. Once it has, its loss makes nobody unready. */
  isReady(): boolean {
    return [...this.#services.values()].every(({ isRequired, wasFound }) => wasFound || !isRequired);
  }

  stop(): void {
    this.#services.forEach((followed) => {
      followed.stop();
    });
  }
}

class FollowedService implements View {
  instances: readonly Instance[] = [];
  /** Whether there has been an instance. */
  wasFound = false;
  isRequired = false;
  readonly #watch: Watch;
  readonly #listeners: (() => void)[] = [];

  constructor(
    readonly service: string,
    datacenter: string | undefined,
    consul: Consul,
    log: Logger,
  ) {
    const where = datacenter === undefined ? "" : `?dc=${encodeURIComponent(datacenter)}`;
    this.#watch = new Watch({
      consul,
      path: `/v1/health/service/${encodeURIComponent(service)}${where}`,
      log,
      onValue: (value) => {
        const instances = toInstances(value);
        // What an agent says of a check may change without any of this.
        if (JSON.stringify(instances) === JSON.stringify(this.instances) && this.#watch.isReady()) {
          return;
        }
        this.instances = instances;
        this.wasFound ||= instances.some(({ status }) => status !== "critical");
        log.info(
          { target: service, instances: instances.map(({ id, status }) => `${id} ${status}`) },
          "instances",
        );
        this.#listeners.forEach((listener) => {
          listener();
        });
      },
    });
  }

  get first(): Promise<void> {
    return this.#watch.first;
  }

  ageMs(): number {
    return this.#watch.ageMs();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  stop(): void {
    this.#watch.stop();
  }
}

class FilteredView implements View {
  #all: readonly Instance[] = [];
  #matching: readonly Instance[] = [];

  constructor(
    readonly view: View,
    readonly matches: (instance: Instance) => boolean,
  ) {}

  get instances(): readonly Instance[] {
    if (this.#all !== this.view.instances) {
      this.#all = this.view.instances;
      this.#matching = this.#all.filter(this.matches);
    }
    return this.#matching;
  }

  get first(): Promise<void> {
    return this.view.first;
  }

  ageMs(): number {
    return this.view.ageMs();
  }

  onChange(listener: () => void): void {
    this.view.onChange(listener);
  }
}

const healthEntries = z.array(
  z.object({
    Node: z.object({ Node: z.string(), Address: z.string() }),
    Service: z.object({
      ID: z.string(),
      Address: z.string(),
      Port: z.number().int().positive(),
      Tags: z.array(z.string()).nullish(),
      Meta: z.record(z.string(), z.string()).nullish(),
      Weights: z.object({ Passing: z.number().int(), Warning: z.number().int() }).nullish(),
    }),
    Checks: z.array(z.object({ CheckID: z.string(), Status: z.string() })),
  }),
);

/** Consul's own checks that put a node or a service out of use. */
const maintenance = /^_(node|service)_maintenance/;

/** In maintenance, or with a weight of 0, an instance is never called. */
function toInstances(value: unknown): Instance[] {
  return healthEntries
    .parse(value)
    .flatMap(({ Node, Service, Checks }): Instance[] => {
      const states = new Set(Checks.map(({ Status }) => Status));
      const status = (["critical", "warning"] as const).find((state) => states.has(state)) ?? "passing";
      const { Passing = 1, Warning = 1 } = Service.Weights ?? {};
      const weight = status === "warning" ? Warning : Passing;
      return weight < 1 || Checks.some(({ CheckID }) => maintenance.test(CheckID))
        ? []
        : [
            {
              id: Service.ID,
              node: Node.Node,
              // A registration without an address of its own is reached at its node's.
              address: Service.Address === "" ? Node.Address : Service.Address,
              port: Service.Port,
              weight,
              status,
              tags: Service.Tags ?? [],
              meta: Service.Meta ?? {},
            },
          ];
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}
