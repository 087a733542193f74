import { type ServerArgs, checked, createServer } from "@consul-docker/runtime";
import { Pricing, productId } from "@consul-docker/protocol";
import { z } from "zod";
import { discounted, listPrices } from "./prices";

/** The keys below `services/pricing/`. */
export const pricingConfig = z.strictObject({
  /** Taken off every price, in percent. @default 0 */
  discountPercent: z.int().min(0).max(90).default(0),
  /** ISO 4217 code. @default "EUR" */
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, "expected three capital letters")
    .default("EUR"),
});

/** What pricing is made of. */
export interface PricingArgs extends ServerArgs {
  /** Name of this instance. */
  readonly instance: string;
  /** The live configuration. */
  readonly config: { readonly current: z.infer<typeof pricingConfig> };
}

const request = z.object({ ids: z.array(productId).min(1).max(100) });

/** Serves the Pricing service of the protocol. */
export function createApp({ instance, config, ...server }: PricingArgs) {
  return createServer({
    ...server,
    rpc: (router) =>
      router.service(Pricing, {
        getPrices: (input) => {
          const { ids } = checked(request, input);
          const { currency, discountPercent } = config.current;
          const prices = ids.flatMap((id) => {
            const price = listPrices.get(id);
            return price === undefined
              ? []
              : [{ id, money: { currency, minorUnits: discounted(price, discountPercent) } }];
          });
          return { prices, servedBy: instance };
        },
      }),
  });
}
