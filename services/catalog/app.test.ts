import { Catalog, Pricing } from "@consul-docker/protocol";
import { Health, roundRobin, serviceTransport } from "@consul-docker/runtime";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createApp as createPricing } from "../pricing/app";
import { closeAll, recordedLog, serve } from "../runtime/testing/helpers";
import { fixedRegistry, instanceAt } from "../runtime/testing/registry";
import { createApp } from "./app";
import { entries } from "./products";

afterEach(closeAll);

function transport(service: string, ...ports: number[]) {
  return serviceTransport({
    service,
    registry: fixedRegistry(...ports.map((port, n) => instanceAt(`${service}-${n + 1}`, port))),
    strategy: roundRobin,
    timeoutMs: 5_000,
    hedgeAfterMs: Infinity,
  });
}

async function pricing(n: number): Promise<number> {
  const config = { current: { discountPercent: 50, currency: "CHF" } };
  const instance = `pricing-${n}`;
  return serve(createPricing({ log: recordedLog().log, health: new Health({}), instance, config }));
}

/** A catalog on a port of its own that calls pricing at the given ports. */
async function setUp(...pricingPorts: number[]) {
  const { log, lines } = recordedLog();
  const app = createApp({
    log,
    health: new Health({}),
    instance: "catalog-1",
    pricing: createClient(Pricing, transport("pricing", ...pricingPorts)),
  });
  return { catalog: createClient(Catalog, transport("catalog", await serve(app))), lines };
}

async function failureOf(call: Promise<unknown>) {
  const { code, rawMessage } = ConnectError.from(await call.catch((reason: unknown) => reason));
  return { code: Code[code], message: rawMessage };
}

test("every product has its price, and the answer names both instances, pricing's in turn", async () => {
  const { catalog } = await setUp(await pricing(1), await pricing(2));
  const answer = await catalog.listProducts({});
  expect(answer.products.map(({ id }) => id)).toEqual(entries.map(({ id }) => id));
  expect(answer.products.map(({ price }) => price?.currency)).toEqual(entries.map(() => "CHF"));
  expect([answer.servedBy, answer.pricingServedBy]).toEqual(["catalog-1", "pricing-1"]);
  expect((await catalog.listProducts({})).pricingServedBy).toBe("pricing-2");
});

test("one product is found by its id", async () => {
  const { catalog } = await setUp(await pricing(1));
  const { product } = await catalog.getProduct({ id: "grinder" });
  expect(product).toMatchObject({ id: "grinder", name: "Hand grinder", price: { minorUnits: 5_950n } });
});

test("an unknown id is not found, and a bad one an invalid argument", async () => {
  const { catalog } = await setUp(await pricing(1));
  expect(await failureOf(catalog.getProduct({ id: "no-such-thing" }))).toEqual({
    code: "NotFound",
    message: "no product no-such-thing (catalog-1 of catalog, attempt 1)",
  });
  expect(await failureOf(catalog.getProduct({ id: "" }))).toEqual({
    code: "InvalidArgument",
    message: "id: expected 1 to 64 lower-case letters, digits and hyphens (catalog-1 of catalog, attempt 1)",
  });
});

test("when no pricing instance can be reached the caller learns which, and the log has a line with the request's id", async () => {
  const { catalog, lines } = await setUp(1);
  const { code, message } = await failureOf(
    catalog.listProducts({}, { headers: { "x-request-id": "id-1" } }),
  );
  expect(code).toBe("Unavailable");
  expect(message).toMatch(
    /ECONNREFUSED.* \(pricing-1 of pricing, attempt 1\) \(catalog-1 of catalog, attempt 1\)$/,
  );
  expect(lines.find(({ msg }) => msg === "call failed")).toMatchObject({ level: "warn", requestId: "id-1" });
});
