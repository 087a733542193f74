import { setTimeout as sleep } from "node:timers/promises";
import type { ConsulApi } from "../../scripts/consul-api";

/** Writes keys one after the other until it is stopped, and remembers those that Consul acknowledged. */
export class Writer {
  readonly #acknowledged: string[] = [];
  readonly #failures: string[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly consul: ConsulApi,
    private readonly prefix: string,
  ) {
    this.#done = this.#write();
  }

  /**
   * Stops writing; resolves to the number of acknowledged writes, those of them that can't be read back, and what the
   * others failed of.
   */
  async stop(): Promise<{ acknowledged: number; lost: string[]; failures: readonly string[] }> {
    this.#stopped = true;
    await this.#done;
    const kept = new Set(await this.consul.get<string[]>(`kv/${this.prefix}/?keys`));
    await this.consul.send("DELETE", `kv/${this.prefix}/?recurse`);
    return {
      acknowledged: this.#acknowledged.length,
      lost: this.#acknowledged.filter((key) => !kept.has(key)),
      failures: this.#failures,
    };
  }

  async #write(): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      const key = `${this.prefix}/${number}`;
      try {
        if (await this.consul.send<boolean>("PUT", `kv/${key}`, "x")) this.#acknowledged.push(key);
        else this.#failures.push(`${key}: refused`);
      } catch (error) {
        this.#failures.push((error as Error).message);
      }
      await sleep(20);
    }
  }
}
