import { Code } from "@connectrpc/connect";
import { Counter, Gauge, Histogram, Registry as Metrics, collectDefaultMetrics } from "prom-client";
import type { View } from "./registry";

/** What calls say about themselves. */
export interface CallMetrics {
  /** A call ended, with all its attempts; without a code it was answered. */
  called(target: string, method: string, code: Code | undefined, ms: number): void;
  /** An attempt begins. */
  attempted(target: string, kind: "first" | "retry" | "hedge"): void;
  /** An instance is ejected. */
  ejected(target: string): void;
  /** Tells, when asked, how many instances of the target are ejected. */
  follow(target: string, ejected: () => number): void;
}

// From a call within one host to the longest deadline that is usual, in seconds.
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** A service's metrics in the text format of Prometheus. */
export class ServiceMetrics implements CallMetrics {
  readonly #metrics = new Metrics();
  readonly #ejected = new Map<string, () => number>();
  readonly #calls: Counter;
  readonly #callSeconds: Histogram;
  readonly #attempts: Counter;
  readonly #ejections: Counter;
  readonly #requestSeconds: Histogram;

  /** `views` are the services that are followed, by name. */
  constructor(views: () => ReadonlyMap<string, View>) {
    const registers = [this.#metrics];
    collectDefaultMetrics({ register: this.#metrics });
    this.#calls = new Counter({
      name: "rpc_client_calls_total",
      help: "Calls to other services, by their result: ok, or the code of the error.",
      labelNames: ["target", "method", "code"],
      registers,
    });
    this.#callSeconds = new Histogram({
      name: "rpc_client_call_seconds",
      help: "Time of a call with all its attempts.",
      labelNames: ["target", "method"],
      buckets,
      registers,
    });
    this.#attempts = new Counter({
      name: "rpc_client_attempts_total",
      help: "Attempts of calls: the first one, retries after a failure, hedges after a silence.",
      labelNames: ["target", "kind"],
      registers,
    });
    this.#ejections = new Counter({
      name: "discovery_ejections_total",
      help: "How often an instance was ejected.",
      labelNames: ["target"],
      registers,
    });
    this.#requestSeconds = new Histogram({
      name: "http_server_request_seconds",
      help: "Time until a request was answered.",
      labelNames: ["method", "route", "status"],
      buckets,
      registers,
    });
    const ejected = this.#ejected;
    new Gauge({
      name: "discovery_instances",
      help: "Known instances, by state: passing, warning, critical; ejected ones are among these.",
      labelNames: ["target", "state"],
      registers,
      collect() {
        this.reset();
        for (const [target, { instances }] of views()) {
          for (const state of ["passing", "warning", "critical"]) {
            this.set({ target, state }, instances.filter(({ status }) => status === state).length);
          }
        }
        ejected.forEach((count, target) => {
          this.set({ target, state: "ejected" }, count());
        });
      },
    });
    new Gauge({
      name: "discovery_view_age_seconds",
      help: "Time since an agent last said which instances there are; above 20 no agent answers.",
      labelNames: ["target"],
      registers,
      collect() {
        for (const [target, view] of views()) {
          this.set({ target }, view.ageMs() / 1_000);
        }
      },
    });
  }

  called(target: string, method: string, code: Code | undefined, ms: number): void {
    this.#calls.inc({ target, method, code: code === undefined ? "ok" : Code[code] });
    this.#callSeconds.observe({ target, method }, ms / 1_000);
  }

  attempted(target: string, kind: "first" | "retry" | "hedge"): void {
    this.#attempts.inc({ target, kind });
  }

  ejected(target: string): void {
    this.#ejections.inc({ target });
  }

  follow(target: string, ejected: () => number): void {
    this.#ejected.set(target, ejected);
  }

  /** A request was answered; `route` is its pattern, not its address. */
  answered(method: string, route: string, status: number, ms: number): void {
    this.#requestSeconds.observe({ method, route, status }, ms / 1_000);
  }

  /** Everything, as Prometheus reads it. */
  async text(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#metrics.contentType, text: await this.#metrics.metrics() };
  }
}
