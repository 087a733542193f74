import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { ImpatientAgent } from "./connection";
import type { Instance, Registry } from "./registry";
import { passRequestId } from "./request-id";

/** How a service is called. */
export interface ServiceTransportArgs {
  /** Name of the service in Consul. */
  readonly service: string;
  readonly registry: Registry;
  /** Time for a call with all its attempts, in milliseconds, unless the call says its own. @default 2000 */
  readonly timeoutMs?: number;
  /** Time to connect to an instance before the next one is tried, in milliseconds. @default 500 */
  readonly connectTimeoutMs?: number;
}

/** The first instance and at most two others. */
const maxAttempts = 3;

/**
 * A Connect transport to the passing instances of a service, each call to the next one in turn. A call that found no
 * connection goes to another instance; so does one that lost its connection, if the method has no side effects or is
 * idempotent. Errors name the instance and the service; without instances the code is `Unavailable`.
 */
export function serviceTransport(args: ServiceTransportArgs): Transport {
  const { service, registry, timeoutMs: defaultTimeoutMs = 2_000, connectTimeoutMs = 500 } = args;
  const transportTo = cachedTransports(new ImpatientAgent(connectTimeoutMs));
  let turn = 0;
  void registry.follow(service);

  async function attempt<T>(
    attempts: number,
    timeoutMs: number | undefined,
    method: DescMethod,
    run: (transport: Transport, remainingMs: number) => Promise<T>,
  ): Promise<T> {
    const deadline = performance.now() + (timeoutMs ?? defaultTimeoutMs);
    const candidates = rotated(registry.instances(service), turn++).slice(0, attempts);
    let failure = new ConnectError(`no passing instance of ${service}`, Code.Unavailable);
    for (const instance of candidates) {
      try {
        return await run(transportTo(instance), Math.ceil(deadline - performance.now()));
      } catch (error) {
        const fault = connectionFault(error);
        failure = named(error, fault, `${instance.id} of ${service}`);
        if (fault === undefined || (fault === "lost" && !isRepeatable(method))) {
          break;
        }
      }
    }
    throw failure;
  }

  return {
    unary: (method, signal, timeoutMs, ...rest) =>
      attempt(maxAttempts, timeoutMs, method, (transport, remainingMs) =>
        transport.unary(method, signal, remainingMs, ...rest),
      ),
    // What a stream has sent cannot be sent again.
    stream: (method, signal, timeoutMs, ...rest) =>
      attempt(1, timeoutMs, method, (transport, remainingMs) =>
        transport.stream(method, signal, remainingMs, ...rest),
      ),
  };
}

/** One transport an address; the agent closes the connections of those that are gone. */
function cachedTransports(agent: ImpatientAgent): (instance: Instance) => Transport {
  const transports = new Map<string, Transport>();
  return ({ address, port }) => {
    const baseUrl = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
    const transport =
      transports.get(baseUrl) ??
      createConnectTransport({
        baseUrl,
        httpVersion: "1.1",
        nodeOptions: { agent },
        interceptors: [passRequestId],
      });
    transports.set(baseUrl, transport);
    return transport;
  };
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

const notMade = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"];
const lost = ["ECONNRESET", "EPIPE"];

/** What happened to the connection, by the code of the system error; `undefined` when the instance answered. */
function connectionFault(error: unknown): "not made" | "lost" | undefined {
  const { cause } = ConnectError.from(error);
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
  if (notMade.includes(code)) {
    return "not made";
  }
  return lost.includes(code) ? "lost" : undefined;
}

function isRepeatable({ idempotency }: DescMethod): boolean {
  return idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
}

/** Without the metadata of the answer, which a service that lets the error pass would send on as its own. */
function named(error: unknown, fault: string | undefined, who: string): ConnectError {
  const { rawMessage, code } = ConnectError.from(error);
  const message = `${rawMessage} (${who})`;
  return new ConnectError(
    message,
    fault === undefined ? code : Code.Unavailable,
    undefined,
    undefined,
    error,
  );
}
