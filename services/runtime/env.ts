import { z } from "zod";

/** What a container is told about itself. */
export interface Env {
  /** Name of the service in Consul, such as `catalog`. From `SERVICE_NAME`. */
  readonly serviceName: string;
  /** Name of this instance, such as `catalog-1`. From `INSTANCE_NAME`. */
  readonly instanceName: string;
  /** TCP port to listen on. From `PORT`. */
  readonly port: number;
  /** Base URLs of the Consul client agents, in order of preference. From `CONSUL_HTTP_ADDRS`, comma-separated. */
  readonly consulAddresses: readonly string[];
  /** Path of the file that holds the ACL token for Consul. From `CONSUL_HTTP_TOKEN_FILE`. @default no token */
  readonly consulTokenFile?: string | undefined;
  /** Least severe level that is logged. From `LOG_LEVEL`. @default "info" */
  readonly logLevel: LogLevel;
  /** Base URL of an OpenTelemetry collector. From `OTEL_EXPORTER_OTLP_ENDPOINT`. @default no spans are sent */
  readonly traceEndpoint?: string | undefined;
}

const logLevels = ["trace", "debug", "info", "warn", "error"] as const;

/** One of pino's levels. */
export type LogLevel = (typeof logLevels)[number];

const name = z
  .string(expected("a name"))
  .regex(/^[a-z0-9-]{1,63}$/, expected("lower-case letters, digits and hyphens"));

const variables = z.object({
  SERVICE_NAME: name,
  INSTANCE_NAME: name,
  PORT: z
    .string(expected("a port from 1 to 65535"))
    .regex(/^\d{1,5}$/, expected("a port from 1 to 65535"))
    .transform(Number)
    .refine((port) => port >= 1 && port <= 65_535, expected("a port from 1 to 65535")),
  CONSUL_HTTP_ADDRS: z
    .string(expected("URLs of Consul agents"))
    .transform((list) => list.split(",").map((url) => url.trim()))
    .pipe(z.array(z.url({ protocol: /^https?$/, ...expected("http://HOST:PORT, separated by commas") }))),
  // What is refused here is not shown: it may be the token itself.
  CONSUL_HTTP_TOKEN_FILE: z.string().startsWith("/", "expected the absolute path of a file").optional(),
  LOG_LEVEL: z.enum(logLevels, expected(logLevels.join(", "))).default("info"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, ...expected("http://HOST:PORT") }).optional(),
});

/** Reads the environment of the process; when it is wrong, says so in one line on stderr and exits with 1. */
export function readEnv(): Env {
  try {
    return parseEnv(process.env);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

/** The environment as typed values; throws one error that names every fault. */
export function parseEnv(source: Readonly<Record<string, string | undefined>>): Env {
  const { success, data, error } = variables.safeParse(source);
  if (!success) {
    const faults = error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`);
    throw new Error(`environment: ${faults.join("; ")}`);
  }
  return {
    serviceName: data.SERVICE_NAME,
    instanceName: data.INSTANCE_NAME,
    port: data.PORT,
    consulAddresses: data.CONSUL_HTTP_ADDRS,
    consulTokenFile: data.CONSUL_HTTP_TOKEN_FILE,
    logLevel: data.LOG_LEVEL,
    traceEndpoint: data.OTEL_EXPORTER_OTLP_ENDPOINT,
  };
}

function expected(what: string) {
  return {
    error: ({ input }: { input?: unknown }) =>
      `expected ${what}, got ${input === undefined ? "nothing" : JSON.stringify(input)}`,
  };
}
