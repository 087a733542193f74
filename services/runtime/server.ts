import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import { toHttpError } from "./errors";
import type { Health } from "./health";
import type { Logger } from "./logger";
import { limits, refusalOf, refuseUnreadable } from "./refusals";
import { asRequest, requestIdHeader, requestIdOf } from "./request-id";

/** What a server is made of. */
export interface ServerArgs {
  readonly log: Logger;
  readonly health: Health;
}

/** Longest body of a request, in bytes. */
export const maxBodyBytes = 64 * 1024;

/** An HTTP server with `/live` and `/ready`, request ids, one log line a request, and JSON for every error. */
export function createServer({ log, health }: ServerArgs): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new OneLineARequest({ requestIdLogLabel: "requestId" }),
    bodyLimit: maxBodyBytes,
    http: limits,
    // Fastify would set its own, which is none.
    requestTimeout: limits.requestTimeout,
    clientErrorHandler: refuseUnreadable(log),
    requestIdHeader: false,
    genReqId: requestIdOf,
    // What still arrives on an open connection while the server closes is answered, as the last on it.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1_024 },
    frameworkErrors: answerUnroutable,
  });
  app.addHook("onRequest", (request, reply, done) => {
    reply.header(requestIdHeader, request.id);
    const refusal = refusalOf(request.raw);
    if (refusal !== undefined) {
      reply.header("connection", "close");
    }
    done(refusal);
  });
  app.addHook("preHandler", (request, _reply, done) => {
    asRequest(request.id, done);
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ error: { code: "not_found", message: `no route ${request.method} ${request.url}` } }),
  );
  app.get("/live", { logLevel: "warn" }, () => ({ status: "live" }));
  app.get("/ready", { logLevel: "warn" }, (_request, reply) => {
    const readiness = health.readiness();
    return reply.code(readiness.status === "ready" ? 200 : 503).send(readiness);
  });
  return app;
}

class OneLineARequest extends LogController {
  override incomingRequest(): void {
    // The line at the end says all.
  }

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    logRequest(request, reply, error ?? undefined);
  }
}

function logRequest({ method, url, log }: FastifyRequest, reply: FastifyReply, error?: Error): void {
  const { statusCode: status, elapsedTime } = reply;
  log.info({ method, url, status, ms: Math.round(elapsedTime), ...(error && { err: error }) }, "request");
}

/** Fastify runs no hook and logs no line for an address that it cannot route. */
function answerUnroutable(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.header(requestIdHeader, request.id);
  answerError(error, request, reply);
  logRequest(request, reply);
}

function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const { status, code, message } = toHttpError(error);
  if (status === 500) {
    request.log.error({ err: error }, "request failed");
  } else if (status > 500) {
    request.log.warn({ reason: error.message }, "request failed");
  }
  reply.code(status).send({ error: { code, message } });
}
