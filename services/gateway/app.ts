import { type Catalog, type Money, type Product, productId } from "@consul-docker/protocol";
import { type ServerArgs, checked, createServer } from "@consul-docker/runtime";
import type { Client } from "@connectrpc/connect";
import { z } from "zod";

/** What the gateway is made of. */
export interface GatewayArgs extends ServerArgs {
  /** Name of this instance. */
  readonly instance: string;
  readonly catalog: Client<typeof Catalog>;
}

const params = z.object({ id: productId });

/** Serves the products as JSON to browsers and curl. */
export function createApp({ instance, catalog, ...server }: GatewayArgs) {
  const app = createServer(server);

  app.get("/", () => ({
    routes: ["/products", "/products/:id", "/live", "/ready"],
    servedBy: { gateway: instance },
  }));

  app.get("/products", async () => {
    const { products, ...answer } = await catalog.listProducts({});
    return { products: products.map(toJson), servedBy: servedBy(answer) };
  });

  app.get("/products/:id", async (request) => {
    const { product, ...answer } = await catalog.getProduct(checked(params, request.params));
    return { product: product && toJson(product), servedBy: servedBy(answer) };
  });

  function servedBy({
    servedBy: catalog,
    pricingServedBy: pricing,
  }: {
    servedBy: string;
    pricingServedBy: string;
  }) {
    return { gateway: instance, catalog, pricing };
  }

  return app;
}

/** A product without a price has none in JSON either. */
function toJson({ id, name, description, price }: Product) {
  return {
    id,
    name,
    description,
    ...(price && { price: { amount: amountOf(price), currency: price.currency } }),
  };
}

/** In decimal, such as `"12.90"`: a JSON number would be rounded by some readers. */
function amountOf({ minorUnits }: Money): string {
  const digits = String(minorUnits).padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
