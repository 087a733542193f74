/** Where and how patiently the agents are asked. */
export interface ConsulArgs {
  /** Base URLs of client agents; the one that answered last is asked first, the others when it fails. */
  readonly addresses: readonly string[];
  /** Time an agent may hold a blocking query, in milliseconds. @default 55000 */
  readonly waitMs?: number;
  /** Time an answer that is due may take, in milliseconds. @default 5000 */
  readonly timeoutMs?: number;
}

/** What an agent answered. */
export interface ConsulAnswer {
  /** The decoded JSON body; `undefined` when there is nothing under the path (404). */
  readonly value: unknown;
  /** Where the next blocking query starts; at least 1. */
  readonly index: number;
}

/** A reader of Consul's HTTP API that survives the loss of an agent. */
export class Consul {
  readonly #addresses: readonly string[];
  readonly #waitMs: number;
  readonly #timeoutMs: number;
  #preferred = 0;

  constructor({ addresses, waitMs = 55_000, timeoutMs = 5_000 }: ConsulArgs) {
    this.#addresses = addresses;
    this.#waitMs = waitMs;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Answers when what is under the path is newer than the index, or when the wait is over; at once for index 0.
   * Rejects when no agent gives a usable answer, with a reason for each.
   */
  async get(path: string, index: number, signal: AbortSignal): Promise<ConsulAnswer> {
    const first = this.#preferred;
    const faults: string[] = [];
    for (let turn = 0; turn < this.#addresses.length; turn++) {
      const agent = (first + turn) % this.#addresses.length;
      const address = this.#addresses[agent] ?? "";
      try {
        const answer = await this.#ask(address, path, index, signal);
        this.#preferred = agent;
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        faults.push(`${address}: ${reasonOf(error)}`);
      }
    }
    throw new Error(faults.join("; "));
  }

  async #ask(address: string, path: string, index: number, signal: AbortSignal): Promise<ConsulAnswer> {
    const url = new URL(path, address);
    url.searchParams.set("index", String(index));
    url.searchParams.set("wait", `${this.#waitMs}ms`);
    // An agent adds up to a sixteenth to the wait, so that not all queries end at once.
    const heldMs = index === 0 ? 0 : Math.ceil(this.#waitMs * (1 + 1 / 16));
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(heldMs + this.#timeoutMs)]),
    });
    if (response.status !== 200 && response.status !== 404) {
      await response.body?.cancel();
      throw new Error(`status ${response.status}`);
    }
    const body = await response.text();
    return {
      value: response.status === 404 ? undefined : JSON.parse(body),
      index: indexOf(response.headers.get("x-consul-index")),
    };
  }
}

/** With an index below 1, or none, every following query would be answered at once. */
function indexOf(header: string | null): number {
  const index = Number(header);
  return index >= 1 ? index : 1;
}

/** What went wrong with a fetch is in the error's cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message;
}
