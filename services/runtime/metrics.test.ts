import { Pricing } from "@consul-docker/protocol";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { serviceTransport } from "./call";
import { Health } from "./health";
import { ServiceMetrics } from "./metrics";
import { roundRobin, type Strategy } from "./selection";
import { createServer } from "./server";
import { closeAll, recordedLog, serve } from "./testing/helpers";
import { fixedRegistry, instanceAt } from "./testing/registry";

afterEach(closeAll);

/** Always the same. */
const first: Strategy = (candidates) => roundRobin(candidates, 0, Math.random);

/** The lines of the metrics that are under test. */
async function lines(metrics: ServiceMetrics): Promise<string[]> {
  const { text } = await metrics.text();
  return text
    .split("\n")
    .filter((line) => /^(rpc_client_(calls|attempts)|discovery_|http_).*[^#]/.test(line));
}

test("calls, attempts, ejections, instances and the age of the view are counted", async () => {
  let calls = 0;
  const app = createServer({
    log: recordedLog().log,
    health: new Health({}),
    rpc: (router) =>
      router.service(Pricing, {
        getPrices: () => {
          if (calls++ < 5) throw new ConnectError("broken", Code.Internal);
          return {};
        },
      }),
  });
  const registry = fixedRegistry(
    instanceAt("a", await serve(app)),
    instanceAt("b", 1, { status: "warning" }),
  );
  const metrics = new ServiceMetrics(() => new Map([["pricing", registry.follow({ service: "pricing" })]]));
  const transport = serviceTransport({
    service: "pricing",
    registry,
    metrics,
    strategy: first,
    maxAttempts: 1,
  });
  const pricing = createClient(Pricing, transport);
  for (let call = 0; call < 5; call++) {
    await expect(pricing.getPrices({})).rejects.toThrow("broken");
  }
  await expect(pricing.getPrices({})).rejects.toThrow("ECONNREFUSED");
  expect(await lines(metrics)).toEqual([
    'rpc_client_calls_total{target="pricing",method="GetPrices",code="Internal"} 5',
    'rpc_client_calls_total{target="pricing",method="GetPrices",code="Unavailable"} 1',
    'rpc_client_attempts_total{target="pricing",kind="first"} 6',
    'discovery_ejections_total{target="pricing"} 1',
    'discovery_instances{target="pricing",state="passing"} 1',
    'discovery_instances{target="pricing",state="warning"} 1',
    'discovery_instances{target="pricing",state="critical"} 0',
    'discovery_instances{target="pricing",state="ejected"} 1',
    'discovery_view_age_seconds{target="pricing"} 0',
  ]);
});

test("a server shows them, with its requests by route and never by address", async () => {
  const metrics = new ServiceMetrics(() => new Map());
  const app = createServer({ log: recordedLog().log, health: new Health({}), metrics });
  app.get("/products/:id", () => "x");
  const url = `http://127.0.0.1:${await serve(app)}`;
  await fetch(`${url}/products/secret-1`);
  await fetch(`${url}/nowhere/secret-2`);
  const answer = await fetch(`${url}/metrics`);
  const text = await answer.text();
  expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(text).toContain(
    'http_server_request_seconds_count{method="GET",route="/products/:id",status="200"} 1',
  );
  expect(text).toContain('http_server_request_seconds_count{method="GET",route="none",status="404"} 1');
  expect(text).toContain("process_resident_memory_bytes");
  expect(text).not.toContain("secret");
});
