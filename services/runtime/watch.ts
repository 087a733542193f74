import { setTimeout as sleep } from "node:timers/promises";
import type { Consul } from "./consul";
import type { Logger } from "./logger";

/** Something followed in the background for as long as the service runs. */
export interface Followed {
  /** Whether there is a first view; stays true when the agents stop answering. */
  isReady(): boolean;
  /** Ends the following; the last view stays. */
  stop(): void;
}

/** What to follow and whom to tell. */
export interface WatchArgs {
  readonly consul: Consul;
  /** Path of Consul's HTTP API with its parameters, such as `/v1/kv/services/?recurse`. */
  readonly path: string;
  readonly log: Logger;
  /** Called with each new value, `undefined` when there is none; to throw is to refuse an answer as unusable. */
  readonly onValue: (value: unknown) => void;
}

/** Two queries start at least this far apart, however busy the agent or quick its answers. */
const minIntervalMs = 100;

/** Follows one path by blocking queries, from its construction until it is stopped. */
export class Watch implements Followed {
  /** Resolves with the first view; stays pending while no agent answers. */
  readonly first: Promise<void>;
  readonly #stopping = new AbortController();
  #ready = false;
  #answeredAt = 0;

  constructor(args: WatchArgs) {
    this.first = new Promise((resolve) => {
      void this.#follow(args, () => {
        this.#ready = true;
        resolve();
      });
    });
  }

  isReady(): boolean {
    return this.#ready;
  }

  /** Milliseconds since the last answer, which is up to a query's wait ago where nothing changes; 0 before the first. */
  ageMs(): number {
    return this.#ready ? performance.now() - this.#answeredAt : 0;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #follow({ consul, path, log, onValue }: WatchArgs, onView: () => void): Promise<void> {
    const { signal } = this.#stopping;
    let index = 0;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      let pauseMs: number;
      try {
        const answer = await consul.get(path, index, signal);
        if (answer.index > index) {
          onValue(answer.value);
          onView();
        }
        this.#answeredAt = performance.now();
        // An index that goes backwards says that the servers were restored or replaced, or that this agent has lost
        // its stream of changes: after a query's wait it answers with an empty list then. So begin anew, and wait for
        // what that gives.
        index = answer.index < index ? 0 : answer.index;
        if (failures > 0) {
          log.info({ path }, "consul answers again");
        }
        failures = 0;
        pauseMs = minIntervalMs - (performance.now() - startedAt);
      } catch (error) {
        if (this.#stopping.signal.aborted) {
          return;
        }
        if (failures === 0) {
          log.warn({ path, reason: (error as Error).message }, "consul does not answer; what is known stays");
        }
        pauseMs = backoffMs(failures++, Math.random());
      }
      await sleep(Math.max(0, pauseMs), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Pause after a number of earlier failures: 0.2 s, doubled each time up to 5 s, less a random part of up to half. */
export function backoffMs(failures: number, random: number): number {
  return Math.min(5_000, 200 * 2 ** failures) * (1 - random / 2);
}
