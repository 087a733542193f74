import { Pricing } from "@consul-docker/protocol";
import { createClient } from "@connectrpc/connect";
import { serviceTransport } from "../call";
import { Health } from "../health";
import { createServer } from "../server";
import { startTracing } from "../tracing";
import { closeAll, recordedLog, serve } from "./helpers";
import { fixedRegistry, instanceAt } from "./registry";

/** A gateway that calls pricing; returns the header that pricing got, and the gateway's lines of log. */
export async function tracedRequest(headers: Record<string, string>) {
  let received: string | null = null;
  const pricing = createServer({
    log: recordedLog().log,
    health: new Health({}),
    rpc: (router) =>
      router.service(Pricing, {
        getPrices: (_input, { requestHeader }) => {
          received = requestHeader.get("traceparent");
          return {};
        },
      }),
  });
  const registry = fixedRegistry(instanceAt("pricing-1", await serve(pricing)));
  const client = createClient(Pricing, serviceTransport({ service: "pricing", registry }));
  const { log, lines } = recordedLog();
  const gateway = createServer({ log, health: new Health({}) });
  gateway.get("/prices", async (request) => {
    request.log.info("asking");
    return client.getPrices({});
  });
  await fetch(`http://127.0.0.1:${await serve(gateway)}/prices`, { headers });
  return { received: String(received), lines: lines.filter(({ msg }) => msg === "asking") };
}

/** As a program: one request with spans, which go to the collector at the first argument; prints what pricing got. */
async function main(endpoint: string, traceparent: string): Promise<void> {
  const stop = await startTracing({ serviceName: "gateway", instanceName: "gateway-1", endpoint });
  const { received } = await tracedRequest({ traceparent });
  // The span of a request ends with its connection.
  await closeAll();
  await stop();
  console.log(received);
  process.exit();
}

if (require.main === module) {
  const [endpoint = "", traceparent = ""] = process.argv.slice(2);
  void main(endpoint, traceparent);
}
