import { setTimeout as sleep } from "node:timers/promises";

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

/** Calls the gateway again and again until it is stopped. */
export class Caller {
  readonly #failures: string[] = [];
  #calls = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(private readonly gatewayUrl: string) {
    this.#done = this.#call();
  }

  /** Stops; resolves to the number of calls, and what those that failed got. */
  async stop(): Promise<{ calls: number; failures: readonly string[] }> {
    this.#stopped = true;
    await this.#done;
    return { calls: this.#calls, failures: this.#failures };
  }

  async #call(): Promise<void> {
    while (!this.#stopped) {
      this.#calls++;
      await products(this.gatewayUrl).catch((error: unknown) => this.#failures.push(String(error)));
      await sleep(20);
    }
  }
}
