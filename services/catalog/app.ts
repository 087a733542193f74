import { Catalog, type Pricing, productId } from "@consul-docker/protocol";
import { type ServerArgs, checked, createServer } from "@consul-docker/runtime";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { z } from "zod";
import { type CatalogEntry, entries } from "./products";

/** What the catalog is made of. */
export interface CatalogArgs extends ServerArgs {
  /** Name of this instance. */
  readonly instance: string;
  readonly pricing: Client<typeof Pricing>;
}

const request = z.object({ id: productId });

/** Serves the Catalog service of the protocol. */
export function createApp({ instance, pricing, ...server }: CatalogArgs) {
  /** The caller's signal carries its deadline on. */
  async function priced(products: readonly CatalogEntry[], signal: AbortSignal) {
    const { prices, servedBy: pricingServedBy } = await pricing.getPrices(
      { ids: products.map(({ id }) => id) },
      { signal },
    );
    const moneyOf = new Map(prices.map(({ id, money }) => [id, money]));
    return {
      products: products.map((product) => {
        const price = moneyOf.get(product.id);
        return price === undefined ? product : { ...product, price };
      }),
      pricingServedBy,
    };
  }

  return createServer({
    ...server,
    rpc: (router) =>
      router.service(Catalog, {
        listProducts: async (_input, { signal }) => ({
          ...(await priced(entries, signal)),
          servedBy: instance,
        }),
        getProduct: async (input, { signal }) => {
          const { id } = checked(request, input);
          const entry = entries.find((candidate) => candidate.id === id);
          if (entry === undefined) {
            throw new ConnectError(`no product ${id}`, Code.NotFound);
          }
          const { products, pricingServedBy } = await priced([entry], signal);
          return { ...(products[0] && { product: products[0] }), servedBy: instance, pricingServedBy };
        },
      }),
  });
}
