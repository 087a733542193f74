import { ADVISORIES, GONE_THROUGH } from "../../advisories";
import { table, type Parts } from "./page";

/** The published holes, as doctor and the policy pack know them. */
export function advisoryParts(): Parts {
  const rows = ADVISORIES.map(({ id, part, published, severity, from, mendedIn, here, source }) => [
    `[${id}](${source})`,
    part.replace("hashicorp/", ""),
    published,
    severity,
    from ?? "any",
    mendedIn,
    here,
  ]);
  return {
    advisories: `Gone through on ${GONE_THROUGH}.\n\n${table(
      ["Advisory", "Part", "Published", "Severity", "From", "Mended in", "What it means here"],
      rows,
    )}`,
  };
}
