import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { toHttpError } from "./errors";
import type { Logger } from "./logger";

/** What a request may bring, and how long it may take to arrive, in Node.js's words. */
export const limits = {
  /** Bytes of all headers, the first line included. */
  maxHeaderSize: 16 * 1_024,
  /** Milliseconds until all headers have arrived, from the first byte or, without one, from the connection. */
  headersTimeout: 5_000,
  /** Milliseconds until the whole request has arrived. Must be the longer one: Node.js takes the two the other way round. */
  requestTimeout: 10_000,
  /** Milliseconds between two looks for requests that are late. By Node.js's own 30 s each could stay that much longer. */
  connectionsCheckingInterval: 500,
};

/** Node.js counts the bytes of the headers but not the headers, and drops what is more than it keeps. */
const maxHeaders = 100;

/** An error that the caller is told about. */
class Refusal extends Error {
  constructor(
    readonly statusCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** Why a request that Node.js takes is refused all the same; `undefined` when it is not. */
export function refusalOf({ headers, rawHeaders }: IncomingMessage): Error | undefined {
  if (rawHeaders.length / 2 > maxHeaders) {
    return new Refusal(431, `expected at most ${maxHeaders} headers`);
  }
  // Of a list of codings Node.js minds only the last; what stands in front of it may see another end of the body.
  return headers["transfer-encoding"]?.includes(",") === true
    ? new Refusal(400, "expected no transfer coding but chunked")
    : undefined;
}

/** Answers what Node.js cannot read as a request, and ends the connection: nobody knows where the next one begins. */
export function refuseUnreadable(log: Logger) {
  return ({ code }: { code?: string }, socket: Socket): void => {
    if (code === "ECONNRESET" || socket.destroyed) {
      return;
    }
    const { status, ...error } = toHttpError(unreadable(code));
    // The code alone: the error holds the bytes that were received.
    log.info({ status, reason: code }, "request refused");
    if (socket.writable) {
      socket.write(bareAnswer(status, JSON.stringify({ error })));
    }
    socket.destroy();
  };
}

function unreadable(code: string | undefined): Refusal {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new Refusal(408, "the request did not arrive in time");
    case "HPE_HEADER_OVERFLOW":
      return new Refusal(431, `expected at most ${limits.maxHeaderSize / 1_024} KiB of headers`);
    default:
      return new Refusal(400, "expected an HTTP request");
  }
}

/** There is no response object for what is no request. */
function bareAnswer(status: number, body: string): string {
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "connection: close",
    "content-type: application/json; charset=utf-8",
    `content-length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}
