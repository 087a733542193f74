import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import type { FastifyInstance } from "fastify";
import type { z } from "zod";
import { type CallArgs, serviceTransport } from "./call";
import { LiveConfig } from "./config";
import { Consul } from "./consul";
import { type Env, readEnv } from "./env";
import { Health } from "./health";
import { start } from "./lifecycle";
import { createLogger, type Logger } from "./logger";
import { Membership } from "./membership";
import { ServiceMetrics } from "./metrics";
import { ConsulRegistry } from "./registry";
import type { ServerArgs } from "./server";
import { startTracing } from "./tracing";

/** Everything that a service needs, from its environment: one for each process. */
export class Runtime {
  readonly env: Env;
  readonly log: Logger;
  readonly registry: ConsulRegistry;
  readonly metrics: ServiceMetrics;
  readonly #consul: Consul;
  readonly #probes: Record<string, { isReady(): boolean }>;
  readonly #health: Health;
  readonly #stops: { stop(): void }[];
  readonly #stopTracing: Promise<() => Promise<void>>;

  /** A wrong environment ends the process with 1 and one line that names every fault. */
  constructor(env: Env = readEnv()) {
    this.env = env;
    this.log = createLogger(env);
    this.#consul = new Consul({ addresses: env.consulAddresses, tokenFile: env.consulTokenFile });
    this.registry = new ConsulRegistry(this.#consul, this.log);
    this.metrics = new ServiceMetrics(() => this.registry.views());
    this.#probes = { registry: this.registry };
    this.#stops = [this.registry];
    this.#health = new Health(this.#probes);
    this.#stopTracing = startTracing({ ...env, endpoint: env.traceEndpoint });
  }

  /** What `createServer` takes. */
  get server(): ServerArgs {
    return { log: this.log, health: this.#health, metrics: this.metrics };
  }

  /** A typed client of another service, which is found by its name. */
  client<S extends DescService>(service: S, args: CallArgs): Client<S> {
    const { registry, metrics } = this;
    return createClient(service, serviceTransport({ ...args, registry, metrics }));
  }

  /** The keys below `services/NAME/` of this service, checked by the schema, which needs a default for each. */
  config<T>(schema: z.ZodType<T>): LiveConfig<T> {
    const { log, env } = this;
    const config = new LiveConfig({ consul: this.#consul, service: env.serviceName, schema, log });
    this.#probes["config"] = config;
    this.#stops.push(config);
    return config;
  }

  /** Serves until the process is told to stop. */
  async run(app: FastifyInstance): Promise<void> {
    const { env, log } = this;
    const stopTracing = await this.#stopTracing;
    app.addHook("onClose", stopTracing);
    await start(app, {
      port: env.port,
      health: this.#health,
      membership: new Membership({
        consul: this.#consul,
        service: env.serviceName,
        instance: env.instanceName,
        log,
      }),
      follows: this.#stops,
    });
  }
}
