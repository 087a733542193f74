import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** One answer of a scripted agent. */
export interface Step {
  /** @default 200 */
  readonly status?: number;
  /** The X-Consul-Index; no header when left out. */
  readonly index?: number | string;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, in place of a body. */
  readonly text?: string;
  /** Breaks the connection, never answers, or sends the answer byte by byte for a minute. */
  readonly fault?: "reset" | "hang" | "trickle";
}

/** A Consul agent that answers as its script says, and holds every query after that. */
export async function scriptedAgent(...script: Step[]) {
  const queries: URL[] = [];
  const tokens: unknown[] = [];
  const writes: unknown[] = [];
  const server = createServer((request, response) => {
    queries.push(new URL(request.url ?? "", "http://agent"));
    tokens.push(request.headers["x-consul-token"]);
    if (request.method === "PUT") {
      void json(request).then((body) => writes.push(body));
    }
    play(script.shift() ?? { fault: "hang" }, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Every query, in order. */
    queries,
    /** The token that each query came with. */
    tokens,
    /** The body of each PUT, in order. */
    writes,
    /** The index that each query asked with. */
    indexes: () => queries.map((query) => query.searchParams.get("index")),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function play(
  { status = 200, index, headers, body, text, fault }: Step,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (fault === "reset") {
    request.socket.destroy();
  } else if (fault === "trickle") {
    response.writeHead(status, { "x-consul-index": String(index) });
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => {
      clearInterval(timer);
    });
  } else if (fault === undefined) {
    response.writeHead(status, {
      ...headers,
      ...(index !== undefined && { "x-consul-index": String(index) }),
    });
    response.end(text ?? JSON.stringify(body));
  }
}
