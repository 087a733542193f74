/** Which instances had a part in an answer. */
export interface ServedBy {
  readonly gateway: string;
  readonly catalog: string;
  readonly pricing: string;
}

/** A product as the gateway shows it. */
export interface Product {
  readonly id: string;
  readonly price: { readonly amount: string; readonly currency: string };
}

/** What the gateway answers on /products. */
export interface Products {
  readonly products: readonly Product[];
  readonly servedBy: ServedBy;
}

/** One call of the gateway; throws on any status but 200. */
export async function products(gatewayUrl: string): Promise<Products> {
  const response = await fetch(`${gatewayUrl}/products`, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Products;
}

/** The instances of `service` that served, over a number of calls, none of which may fail. */
export async function servers(gatewayUrl: string, service: keyof ServedBy, calls: number): Promise<string[]> {
  const served = new Set<string>();
  for (let call = 0; call < calls; call++) served.add((await products(gatewayUrl)).servedBy[service]);
  return [...served].sort();
}
