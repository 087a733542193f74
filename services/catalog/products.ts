/** What can be bought; the price comes from pricing. */
export interface CatalogEntry {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

/** In the order in which they are listed. */
export const entries: readonly CatalogEntry[] = [
  { id: "espresso-cup", name: "Espresso cup", description: "Stoneware, 70 ml, keeps a short drink hot" },
  { id: "filter-kettle", name: "Filter kettle", description: "Gooseneck kettle of steel, 0.9 l" },
  { id: "grinder", name: "Hand grinder", description: "Conical burrs, 40 steps, 30 g a filling" },
  { id: "house-blend", name: "House blend", description: "Whole beans, medium roast, 500 g" },
  { id: "paper-filters", name: "Paper filters", description: "Size 02, unbleached, pack of 100" },
];
