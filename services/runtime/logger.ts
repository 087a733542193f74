import { type DestinationStream, pino, stdTimeFunctions } from "pino";
import type { FastifyBaseLogger } from "fastify";
import type { Env } from "./env";

/** Writes one JSON object a line. */
export type Logger = FastifyBaseLogger;

/** A logger that names the service and the instance in every line; writes to stdout unless told otherwise. */
export function createLogger(
  env: Pick<Env, "serviceName" | "instanceName" | "logLevel">,
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      level: env.logLevel,
      base: { service: env.serviceName, instance: env.instanceName },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
