import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Consul } from "./consul";
import type { Logger } from "./logger";
import { within } from "./within";

/** Whose entry it is. */
export interface MembershipArgs {
  readonly consul: Consul;
  /** Name of the service. */
  readonly service: string;
  /** Name of the instance, which is the ID of its registration. */
  readonly instance: string;
  readonly log: Logger;
  /** Time that entering may take, in milliseconds. @default 20000 */
  readonly enterTimeoutMs?: number;
  /** Time that leaving may take, in milliseconds. @default 3000 */
  readonly leaveTimeoutMs?: number;
  /** Time between two looks at the own entry, in milliseconds. @default 200 */
  readonly pauseMs?: number;
}

/**
 * An instance's own entry in Consul. The stack declares the entry and the monitors run its checks, but a check that runs
 * every few seconds learns late of a start and too late of a stop: of these the instance tells Consul itself.
 */
export class Membership {
  readonly #args: MembershipArgs;
  readonly #leaving = new AbortController();

  constructor(args: MembershipArgs) {
    this.#args = args;
  }

  /**
   * Makes the entry's checks pass, if there is an entry: a new instance has none before it runs. Resolves once they
   * pass, or after 20 s, since the monitors will do it then.
   */
  enter(): Promise<void> {
    // A monitor whose run of the check began before the instance was ready may still write what it saw, after its timeout.
    return within(this.#args.enterTimeoutMs ?? 20_000, this.#leaving.signal, (signal) =>
      this.#bring("passing", "ready, says the instance itself", 6, signal),
    );
  }

  /** Makes the entry's checks fail, so that callers go elsewhere. Resolves once they do, or after 3 s. */
  leave(): Promise<void> {
    this.#leaving.abort();
    return within(this.#args.leaveTimeoutMs ?? 3_000, new AbortController().signal, (signal) =>
      this.#bring("critical", "stopping, says the instance itself", 1, signal),
    );
  }

  /** Writes the checks until they are seen as wanted this many times in a row. */
  async #bring(status: string, output: string, looks: number, signal: AbortSignal): Promise<void> {
    const { consul, log, pauseMs = 200 } = this.#args;
    let seen = 0;
    let reason = "";
    while (!signal.aborted) {
      try {
        const checks = await this.#checks(signal);
        const others = checks.filter(({ Status }) => Status !== status);
        seen = others.length === 0 ? seen + 1 : 0;
        if (checks.length === 0 || seen === looks) {
          return;
        }
        for (const check of others) {
          await consul.put(
            "/v1/catalog/register",
            { Node: check.Node, SkipNodeUpdate: true, Check: { ...check, Status: status, Output: output } },
            signal,
          );
        }
      } catch (error) {
        // Of the last one, the end of the time may be the reason.
        reason = reason === "" ? (error as Error).message : reason;
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    if (status === "passing" && this.#leaving.signal.aborted) {
      return;
    }
    log.warn({ status, reason }, "consul did not take the state of this instance");
  }

  async #checks(signal: AbortSignal) {
    const { consul, service, instance } = this.#args;
    const { value } = await consul.get(`/v1/health/checks/${encodeURIComponent(service)}`, 0, signal);
    return checks.parse(value ?? []).filter(({ ServiceID }) => ServiceID === instance);
  }
}

const checks = z.array(z.looseObject({ Node: z.string(), ServiceID: z.string(), Status: z.string() }));
