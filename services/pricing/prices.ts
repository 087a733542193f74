/** What each product costs before any discount, in hundredths of the currency's unit. */
export const listPrices: ReadonlyMap<string, bigint> = new Map([
  ["espresso-cup", 1_290n],
  ["filter-kettle", 6_450n],
  ["grinder", 11_900n],
  ["house-blend", 1_375n],
  ["paper-filters", 480n],
]);

/** The price less the discount, rounded half up. */
export function discounted(minorUnits: bigint, discountPercent: number): bigint {
  return (minorUnits * BigInt(100 - discountPercent) + 50n) / 100n;
}
