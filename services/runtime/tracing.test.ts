import { execFile } from "node:child_process";
import { createServer as createCollector } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { promisify } from "node:util";
import { context, propagation, trace } from "@opentelemetry/api";
import { closeAll } from "./testing/helpers";
import { tracedRequest } from "./testing/traced";
import { startTracing } from "./tracing";

afterEach(async () => {
  await closeAll();
  trace.disable();
  context.disable();
  propagation.disable();
});

const execute = promisify(execFile);
const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

test("a trace goes through a service, and its id is in the log, without a collector", async () => {
  await startTracing({ serviceName: "gateway", instanceName: "gateway-1" });
  const { received, lines } = await tracedRequest({ traceparent });
  expect(received).toBe(traceparent);
  expect(lines).toMatchObject([{ traceId }]);
});

test("without a trace none is begun", async () => {
  await startTracing({ serviceName: "gateway", instanceName: "gateway-1" });
  const { received, lines } = await tracedRequest({});
  expect(received).toBe("null");
  expect(lines[0]).not.toHaveProperty("traceId");
});

test("with a collector every request and every attempt is a span of the same trace", async () => {
  const batches: unknown[] = [];
  const collector = createCollector((request, response) => {
    void json(request).then((batch) => {
      batches.push([request.url, batch]);
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  // In a process of its own: the exporter loads parts of itself in a way that jest cannot follow.
  const program = ["--import", "tsx", require.resolve("./testing/traced.ts"), endpoint, traceparent];
  const received = (await execute(process.execPath, program)).stdout.trim();
  collector.close();
  expect(received).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect(received).not.toBe(traceparent);
  const text = JSON.stringify(batches);
  expect(text).toContain("/v1/traces");
  expect(text).toContain('"service.instance.id","value":{"stringValue":"gateway-1"}');
  const spans = [...text.matchAll(/"traceId":"(\w+)"[^}]*?"name":"([^"]+)"/g)].map(([, id, name]) => [
    id,
    name,
  ]);
  expect(spans.sort()).toEqual([
    [traceId, "GET /prices"],
    [traceId, "POST /consuldocker.pricing.v1.Pricing/GetPrices"],
    [traceId, "consuldocker.pricing.v1.Pricing/GetPrices"],
  ]);
});
