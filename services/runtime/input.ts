import { Code, ConnectError } from "@connectrpc/connect";
import type { z } from "zod";

/** The input in the schema's type; throws `InvalidArgument` with every fault, which HTTP callers see as 400. */
export function checked<T>(schema: z.ZodType<T>, input: unknown): T {
  const { success, data, error } = schema.safeParse(input);
  if (!success) {
    throw new ConnectError(describeIssues(error), Code.InvalidArgument);
  }
  return data;
}

/** Every fault in one line: `ids.2: expected …; name: expected …`. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`))
    .join("; ");
}
