import type { RequestListener } from "node:http";
import type { ConnectRouter } from "@connectrpc/connect";
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import { deadlineOf, inRequest, requestIdHeader, requestIdOf } from "./context";
import { createDualServer, type DualServer } from "./dual-server";
import { toHttpError } from "./errors";
import type { Health } from "./health";
import type { Logger } from "./logger";
import type { ServiceMetrics } from "./metrics";
import { limits, refusalOf, refuseUnreadable } from "./refusals";
import { maxBodyBytes, serveRpc } from "./rpc";
import { inTrace } from "./tracing";

/** What a server is made of. */
export interface ServerArgs {
  readonly log: Logger;
  readonly health: Health;
  /** Served under `/metrics`. @default none */
  readonly metrics?: ServiceMetrics | undefined;
}

/** What it serves beside HTTP. */
export interface RpcServerArgs extends ServerArgs {
  /** Connect services, by HTTP/2 or HTTP/1.1. @default none, and HTTP/1.1 alone */
  readonly rpc?: (router: ConnectRouter) => void;
}

/**
 * A server with `/live`, `/startup`, `/ready` and `/metrics`, request ids, one log line a request, and JSON for every
 * error.
 */
export function createServer({ log, health, metrics, rpc }: RpcServerArgs): FastifyInstance {
  let dual: DualServer | undefined;
  const app = Fastify({
    ...(rpc === undefined
      ? {}
      : {
          serverFactory: (handler: RequestListener) => {
            dual = createDualServer(handler);
            return dual.server;
          },
        }),
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
  app.addHook("preHandler", (request, reply, done) => {
    const context = { requestId: request.id, deadline: deadlineOf(request.headers) };
    inTrace(request, reply, () => {
      inRequest(context, done);
    });
  });
  if (metrics !== undefined) {
    app.addHook("onResponse", (request, reply, done) => {
      const route = request.routeOptions.url ?? "none";
      metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime);
      done();
    });
    app.get("/metrics", { logLevel: "warn" }, async (_request, reply) => {
      const { type, text } = await metrics.text();
      return reply.type(type).send(text);
    });
  }
  app.addHook("preClose", (done) => {
    dual?.closeHttp2();
    done();
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ error: { code: "not_found", message: `no route ${request.method} ${request.url}` } }),
  );
  app.get("/live", { logLevel: "warn" }, () => ({ status: "live" }));
  for (const [path, readiness] of [
    ["/ready", () => health.readiness()],
    ["/startup", () => health.startup()],
  ] as const) {
    app.get(path, { logLevel: "warn" }, (_request, reply) => {
      const answer = readiness();
      return reply.code(answer.status === "ready" ? 200 : 503).send(answer);
    });
  }
  if (rpc !== undefined) {
    serveRpc(app, rpc);
  }
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
