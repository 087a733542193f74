import { setTimeout as sleep } from "node:timers/promises";

/** Writes keys one after the other until it is stopped, and remembers those that Consul acknowledged. */
export class Writer {
  readonly #acknowledged: string[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly httpApiUrl: string,
    private readonly prefix: string,
  ) {
    this.#done = this.#write();
  }

  /** Stops writing; resolves to the number of acknowledged writes, and those of them that can't be read back. */
  async stop(): Promise<{ acknowledged: number; lost: string[] }> {
    this.#stopped = true;
    await this.#done;
    const response = await fetch(`${this.httpApiUrl}/v1/kv/${this.prefix}/?keys`);
    const kept = new Set((await response.json()) as string[]);
    await fetch(`${this.httpApiUrl}/v1/kv/${this.prefix}/?recurse`, { method: "DELETE" });
    return {
      acknowledged: this.#acknowledged.length,
      lost: this.#acknowledged.filter((key) => !kept.has(key)),
    };
  }

  async #write(): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      const key = `${this.prefix}/${number}`;
      const answer = await fetch(`${this.httpApiUrl}/v1/kv/${key}`, {
        method: "PUT",
        body: "x",
        signal: AbortSignal.timeout(5000),
      }).then(
        (response) => response.text(),
        () => "false",
      );
      if (answer.trim() === "true") this.#acknowledged.push(key);
      await sleep(20);
    }
  }
}
