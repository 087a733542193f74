import { setTimeout as sleep } from "node:timers/promises";
import type { ConsulApi } from "../../scripts/consul-api";

/** How the writes went. */
export interface WriterReport {
  readonly acknowledged: number;
  readonly lost: readonly string[];
  /** Writes that nobody had acknowledged when the writer gave them up, each with the last error. */
  readonly failures: readonly string[];
  /** Errors after which another agent was asked. */
  readonly askedAgain: readonly string[];
  /** Longest time between two acknowledged writes, in milliseconds. */
  readonly longestGapMs: number;
}

// An agent that is gone is asked again at once, one that has no leader waits for it itself.
const PAUSE_MS = 20;

/** Writes keys one after the other until it is stopped, and remembers those that Consul acknowledged. */
export class Writer {
  readonly #acknowledged: string[] = [];
  readonly #failures: string[] = [];
  readonly #askedAgain: string[] = [];
  #agent = 0;
  #lastAt = performance.now();
  #longestGapMs = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  /** `patienceMs` is how long a write is tried with one agent after the other; by default once, with the first. */
  constructor(
    private readonly agents: readonly [ConsulApi, ...ConsulApi[]],
    private readonly prefix: string,
    private readonly patienceMs = 0,
  ) {
    this.#done = this.#write();
  }

  /** Stops writing, reads back what was acknowledged, and removes it. */
  async stop(): Promise<WriterReport> {
    this.#stopped = true;
    await this.#done;
    const consul = this.agents[0];
    const kept = new Set(await consul.get<string[]>(`kv/${this.prefix}/?keys`));
    await consul.send("DELETE", `kv/${this.prefix}/?recurse`);
    return {
      acknowledged: this.#acknowledged.length,
      lost: this.#acknowledged.filter((key) => !kept.has(key)),
      failures: this.#failures,
      askedAgain: this.#askedAgain,
      longestGapMs: Math.round(this.#longestGapMs),
    };
  }

  async #write(): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      const key = `${this.prefix}/${number}`;
      const deadline = Date.now() + this.patienceMs;
      for (;;) {
        const error = await this.#put(key);
        if (error === undefined) break;
        if (Date.now() >= deadline) {
          this.#failures.push(error);
          break;
        }
        this.#askedAgain.push(error);
        this.#agent = (this.#agent + 1) % this.agents.length;
        await sleep(PAUSE_MS);
      }
      await sleep(PAUSE_MS);
    }
  }

  /** Resolves to what went wrong; undefined when the write was acknowledged. */
  async #put(key: string): Promise<string | undefined> {
    try {
      const agent = this.agents[this.#agent] ?? this.agents[0];
      if (!(await agent.send<boolean>("PUT", `kv/${key}`, "x"))) return `${key}: refused`;
    } catch (error) {
      return (error as Error).message;
    }
    this.#acknowledged.push(key);
    const now = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAt);
    this.#lastAt = now;
    return undefined;
  }
}
