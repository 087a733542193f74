import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { Interceptor } from "@connectrpc/connect";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Where spans go. */
export interface TracingArgs {
  /** Name of the service in every span. */
  readonly serviceName: string;
  /** Name of the instance in every span. */
  readonly instanceName: string;
  /** Base URL of an OpenTelemetry collector that speaks OTLP over HTTP. @default none: spans are not made */
  readonly endpoint?: string | undefined;
}

const scope = "@consul-docker/runtime";

/**
 * Takes W3C trace context over from every request and passes it on with every call. Spans are made and sent only where
 * there is a collector; resolves to what sends the last of them.
 */
export async function startTracing({ endpoint, ...args }: TracingArgs): Promise<() => Promise<void>> {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  if (endpoint === undefined) {
    return () => Promise.resolve();
  }
  const { createProvider } = await import("./tracing-export.js");
  const provider = createProvider({ ...args, endpoint });
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown();
}

/** Answers a request within the trace that it belongs to, as a span of its own. */
export function inTrace(
  { headers, method, routeOptions }: FastifyRequest,
  reply: FastifyReply,
  run: () => void,
): void {
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  const route = routeOptions.url ?? "none";
  const span = trace
    .getTracer(scope)
    .startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes: { "http.route": route } }, parent);
  if (span.isRecording()) {
    reply.raw.once("close", () => {
      span.setAttribute("http.response.status_code", reply.statusCode);
      if (reply.statusCode >= 500) {
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    });
  }
  context.with(trace.setSpan(parent, span), run);
}

/** Makes a span of every attempt of a call, and passes the trace on with it. */
export const traceCalls: Interceptor = (next) => async (call) => {
  const span = trace.getTracer(scope).startSpan(`${call.service.typeName}/${call.method.name}`, {
    kind: SpanKind.CLIENT,
    attributes: { "server.address": new URL(call.url).host },
  });
  propagation.inject(trace.setSpan(context.active(), span), call.header, {
    set: (header, name, value) => {
      header.set(name, value);
    },
  });
  try {
    return await next(call);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
    throw error;
  } finally {
    span.end();
  }
};

/** The id of the trace that is under way, for log lines; `undefined` outside of any. */
export function traceId(): string | undefined {
  const id = trace.getSpanContext(context.active())?.traceId;
  return id === undefined || /^0*$/.test(id) ? undefined : id;
}
