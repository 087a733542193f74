import { Code, ConnectError, type ConnectRouter, type Interceptor } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance } from "fastify";
import type { Logger } from "./logger";
import { requestIdHeader } from "./context";

/** Longest body of a request, in bytes. */
export const maxBodyBytes = 64 * 1024;

/** Serves Connect services; what a handler throws that is no `ConnectError` is logged, and hidden as `Internal`. */
export function serveRpc(app: FastifyInstance, routes: (router: ConnectRouter) => void): void {
  void app.register(fastifyConnectPlugin, {
    routes,
    grpc: false,
    grpcWeb: false,
    readMaxBytes: maxBodyBytes,
    interceptors: [logFaults(app.log)],
  });
}

/** What the caller did wrong it is told; of the rest, only what this service did wrong needs a stack. */
function logFaults(log: Logger): Interceptor {
  return (next) => async (call) => {
    try {
      return await next(call);
    } catch (error) {
      const { code, message } = ConnectError.from(error, Code.Internal);
      const about = { requestId: call.header.get(requestIdHeader), method: call.method.name };
      if (code === Code.Internal) {
        log.error({ ...about, err: error }, "call failed");
      } else if (code === Code.Unavailable || code === Code.DeadlineExceeded) {
        log.warn({ ...about, reason: message }, "call failed");
      }
      throw error;
    }
  };
}
