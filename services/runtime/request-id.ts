import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Interceptor } from "@connectrpc/connect";

/** The header that carries a request's id from service to service and back. */
export const requestIdHeader = "x-request-id";

const current = new AsyncLocalStorage<string>();

/** Runs a function, and all that it starts, as part of the request. */
export function asRequest(id: string, run: () => void): void {
  current.run(id, run);
}

/** The caller's id when it is fit for a log line, else a new one. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const id = headers[requestIdHeader];
  return typeof id === "string" && /^[\w.-]{1,64}$/.test(id) ? id : randomUUID();
}

/** Passes the id of the request being answered on to the service that is called. */
export const passRequestId: Interceptor = (next) => (call) => {
  const id = current.getStore();
  if (id !== undefined) {
    call.header.set(requestIdHeader, id);
  }
  return next(call);
};
