import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { TracingArgs } from "./tracing";

/** Makes spans and sends them in batches; a collector that does not answer costs spans, never a call. */
export function createProvider(args: TracingArgs & { readonly endpoint: string }): TracerProvider {
  return new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": args.serviceName,
      "service.instance.id": args.instanceName,
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: new URL("v1/traces", slashed(args.endpoint)).href }),
      }),
    ],
  });
}

function slashed(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
