import { readFile } from "node:fs/promises";
import { within } from "./within";

/** Where and how patiently the agents are asked. */
export interface ConsulArgs {
  /** Base URLs of client agents; the one that answered last is asked first, the others when it fails. */
  readonly addresses: readonly string[];
  /** Path of the file that holds the ACL token; every query reads it anew. @default queries without a token */
  readonly tokenFile?: string | undefined;
  /**
   * Time an agent may hold a blocking query, in milliseconds. An agent whose host is gone says nothing either: what it
   * was asked is known to be lost only when this and `timeoutMs` are over. @default 10000
   */
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

/** Consul's HTTP API, by whichever agent answers. */
export class Consul {
  readonly #addresses: readonly string[];
  readonly #tokenFile: string | undefined;
  readonly #waitMs: number;
  readonly #timeoutMs: number;
  #preferred = 0;

  constructor({ addresses, tokenFile, waitMs = 10_000, timeoutMs = 5_000 }: ConsulArgs) {
    this.#addresses = addresses;
    this.#tokenFile = tokenFile;
    this.#waitMs = waitMs;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Answers when what is under the path is newer than the index, or when the wait is over; for index 0 at once, with
   * what a leader knows that a majority follows. Rejects when no agent gives a usable answer, with a reason for each, or when there is no token to ask with.
   */
  get(path: string, index: number, signal: AbortSignal): Promise<ConsulAnswer> {
    // An agent adds up to a sixteenth to the wait, so that not all queries end at once.
    const heldMs = index === 0 ? 0 : Math.ceil(this.#waitMs * (1 + 1 / 16));
    return this.#anyAgent(heldMs, signal, async (address, headers, signal) => {
      const url = new URL(path, address);
      url.searchParams.set("index", String(index));
      url.searchParams.set("wait", `${this.#waitMs}ms`);
      // A server that has just become the leader may not have read its log yet, and would answer with less or nothing.
      if (index === 0) url.searchParams.set("consistent", "");
      return read(await fetch(url, { headers, redirect, signal }));
    });
  }

  /** Writes `body` as JSON to the path; rejects as `get` does. What is written must be the same when written twice. */
  put(path: string, body: unknown, signal: AbortSignal): Promise<void> {
    return this.#anyAgent(0, signal, async (address, headers, signal) => {
      const init = { method: "PUT", headers, body: JSON.stringify(body), redirect, signal };
      const response = await fetch(new URL(path, address), init);
      await response.body?.cancel();
      if (response.status !== 200) {
        throw new Error(`status ${response.status}`);
      }
    });
  }

  /** Asks the agent that answered last, and the others when it fails; `heldMs` later its answer is due. */
  async #anyAgent<T>(
    heldMs: number,
    signal: AbortSignal,
    ask: (address: string, headers: Record<string, string>, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const first = this.#preferred;
    const faults: string[] = [];
    for (let turn = 0; turn < this.#addresses.length; turn++) {
      const agent = (first + turn) % this.#addresses.length;
      const address = this.#addresses[agent] ?? "";
      // Anew for each agent: the one before may have held its query until the token was revoked.
      const headers =
        this.#tokenFile === undefined ? {} : { "x-consul-token": await tokenIn(this.#tokenFile) };
      try {
        const answer = await within(heldMs + this.#timeoutMs, signal, (signal) =>
          ask(address, headers, signal),
        );
        this.#preferred = agent;
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        faults.push(`${address}: ${reasonOf(error)}`);
      }
    }
    throw new Error(faults.join("; "));
  }
}

/** An agent redirects nothing that is asked here, and fetch would carry the token to wherever it is sent. */
const redirect = "manual" as const;

async function read(response: Response): Promise<ConsulAnswer> {
  if (response.status !== 200 && response.status !== 404) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const body = await response.text();
  const value: unknown = response.status === 404 ? undefined : JSON.parse(body);
  // Without the right to read, Consul answers with an empty list and not with an error. Taken as a view, a policy
  // that is wrong or late would end every call. A list that is merely shorter is a view: whoever wrote the policy
  // may have meant that. Consul sends no such header to the anonymous token, which is why a token is insisted on.
  if (response.headers.get("x-consul-results-filtered-by-acls") === "true" && isNothing(value)) {
    throw new Error("the token does not allow to read all of it");
  }
  return { value, index: indexOf(response.headers.get("x-consul-index")) };
}

/** Never shows what the file holds: half a token is a secret too, and so is what fetch would say about it. */
async function tokenIn(file: string): Promise<string> {
  const content = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Error(`token file ${file}: ${(error as NodeJS.ErrnoException).code ?? "cannot be read"}`);
  });
  const token = content.trim();
  if (!/^[!-~]+$/.test(token)) {
    throw new Error(
      `token file ${file}: expected one token, got ${token === "" ? "nothing" : "something else"}`,
    );
  }
  return token;
}

/** Nothing under the path (404), or an empty list. */
function isNothing(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
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
