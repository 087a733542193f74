import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** The header that carries a request's id from service to service and back. */
export const requestIdHeader = "x-request-id";

/** What a call made while a request is answered inherits from it. */
export interface RequestContext {
  readonly requestId: string;
  /** When the caller gives up, by `performance.now()`. @default never */
  readonly deadline?: number | undefined;
}

const current = new AsyncLocalStorage<RequestContext>();

/** The request that is being answered; `undefined` outside of any. */
export function currentRequest(): RequestContext | undefined {
  return current.getStore();
}

/** Runs a function, and all that it starts, as part of the request. */
export function inRequest(context: RequestContext, run: () => void): void {
  current.run(context, run);
}

/** The caller's id when it is fit for a log line, else a new one. */
export function requestIdOf({ headers }: { readonly headers: IncomingHttpHeaders }): string {
  const id = headers[requestIdHeader];
  return typeof id === "string" && /^[\w.-]{1,64}$/.test(id) ? id : randomUUID();
}

/** When the caller gives up, as the Connect protocol says; its number has at most ten digits. */
export function deadlineOf(headers: IncomingHttpHeaders): number | undefined {
  const timeoutMs = headers["connect-timeout-ms"];
  return typeof timeoutMs === "string" && /^\d{1,10}$/.test(timeoutMs)
    ? performance.now() + Number(timeoutMs)
    : undefined;
}
