import type { Readable } from "node:stream";
import { Agent, request, type Dispatcher } from "undici";

/** Where Consul's HTTP API is, and how to be let in: the stack's outputs. */
export interface ConsulApiArgs {
  /** Base URL. */
  readonly httpApiUrl: string;
  /** Certificate of the authority that the API's is verified by, in PEM. @default the system's authorities */
  readonly caCertificate?: string | undefined;
  /** ACL token. @default none */
  readonly managementToken?: string | undefined;
  /** How long an answer may take, in milliseconds. @default 10000: an agent itself waits up to 7 s for a leader */
  readonly timeoutMs?: number;
}

/** Consul answered, but did not do what it was asked for. */
export class RefusedError extends Error {
  constructor(
    /** The HTTP status. */
    readonly status: number,
    url: string,
    text: string,
  ) {
    super(`Consul answers ${status} at ${url}: ${text.trim()}`);
  }
}

/** Consul's HTTP API; every call throws an Error of one line when Consul does not answer, or refuses. */
export class ConsulApi {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #dispatcher: Dispatcher;
  readonly #timeoutMs: number;

  constructor({ httpApiUrl, caCertificate, managementToken, timeoutMs = 10_000 }: ConsulApiArgs) {
    this.#url = httpApiUrl;
    this.#headers = managementToken === undefined ? {} : { "x-consul-token": managementToken };
    this.#dispatcher = new Agent({ connect: connecting(caCertificate, timeoutMs) });
    this.#timeoutMs = timeoutMs;
  }

  /** What is under `/v1/PATH`. */
  get<T>(path: string): Promise<T> {
    return this.send<T>("GET", path);
  }

  /** Sends `body` as JSON to `/v1/PATH`; resolves to the decoded answer, undefined where it is empty. */
  async send<T>(method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
    const text = await this.#exchange(
      method,
      path,
      {
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      (answer) => answer.text(),
    );
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** What is under `/v1/PATH`, as it comes, however long that takes. */
  download(path: string, signal: AbortSignal): Promise<Readable> {
    return this.#exchange("GET", path, { signal }, (answer) => answer);
  }

  /** Puts `body` under `/v1/PATH`, as it comes, however long that takes. */
  async upload(path: string, body: Readable): Promise<void> {
    await this.#exchange("PUT", path, { body }, (answer) => answer.text());
  }

  async #exchange<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    options: Pick<Dispatcher.RequestOptions, "body" | "signal">,
    take: (answer: Dispatcher.ResponseData["body"]) => T | Promise<T>,
  ): Promise<T> {
    const url = `${this.#url}/v1/${path}`;
    try {
      const { statusCode, body } = await request(url, {
        method,
        headers: this.#headers,
        dispatcher: this.#dispatcher,
        ...options,
      });
      if (statusCode !== 200) throw new RefusedError(statusCode, url, await body.text());
      return await take(body);
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      const { name, message, code } = error as Error & { code?: unknown };
      const isLate = name === "TimeoutError" || code === "UND_ERR_CONNECT_TIMEOUT";
      const reason = isLate ? `no answer within ${this.#timeoutMs / 1000} s` : code;
      throw new Error(`Consul does not answer at ${url}: ${typeof reason === "string" ? reason : message}`);
    }
  }
}

/**
 * How undici connects: a request that is given up does not end that, and for as long as ten seconds nothing else would.
 * By HTTP/1.1, by which Consul's API is used everywhere.
 */
export function connecting(
  ca: string | undefined,
  timeoutMs: number,
): { ca?: string; timeout: number; allowH2: boolean } {
  return { ...(ca === undefined ? {} : { ca }), timeout: timeoutMs, allowH2: false };
}
