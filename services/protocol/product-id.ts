import { z } from "zod";

/** The rule for product ids, which the protocol's `string` cannot say. */
export const productId = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, "expected 1 to 64 lower-case letters, digits and hyphens");
