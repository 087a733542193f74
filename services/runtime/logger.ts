import { type DestinationStream, pino, stdTimeFunctions } from "pino";
import type { FastifyBaseLogger } from "fastify";
import type { Env } from "./env";
import { traceId } from "./tracing";

/** Writes one JSON object a line. */
export type Logger = FastifyBaseLogger;

/**
 * A logger that names the service and the instance in every line, and while a request is answered its id and its trace;
 * writes to stdout unless told otherwise.
 */
export function createLogger(
  env: Pick<Env, "serviceName" | "instanceName" | "logLevel">,
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      level: env.logLevel,
      base: { service: env.serviceName, instance: env.instanceName },
      timestamp: stdTimeFunctions.isoTime,
      mixin: () => {
        const trace = traceId();
        return trace === undefined ? {} : { traceId: trace };
      },
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
