import * as pulumi from "@pulumi/pulumi";

/**
 * An error that ends the program with its message alone: `headline`, then a line for each of `faults`.
 * It carries no stack: nobody is shown it, and Pulumi's attempt to format it takes Node.js 20 a minute and 3 GB
 * (https://github.com/pulumi/pulumi/issues/20567).
 */
export function fault(headline: string, faults: readonly string[] = []): pulumi.RunError {
  const error = new pulumi.RunError([headline, ...faults.map((line) => `  ${line}`)].join("\n"));
  error.stack = "";
  return error;
}
