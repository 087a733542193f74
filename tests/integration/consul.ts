import { setTimeout as sleep } from "node:timers/promises";
import type { ConsulApi } from "../../scripts/consul-api";

/** A check as Consul's catalog holds it. */
export interface CatalogCheck {
  readonly Node: string;
  readonly CheckID: string;
  readonly Status: string;
}

/** Every check of the datacenter. */
export function checks(consul: ConsulApi): Promise<CatalogCheck[]> {
  return consul.get<CatalogCheck[]>("health/state/any");
}

/** Status of the one check of an instance's service. */
export async function instanceCheck(consul: ConsulApi, instance: string): Promise<string | undefined> {
  return (await checks(consul)).find((check) => check.CheckID === `${instance}:/ready`)?.Status;
}

/** How many instances of a service passed their checks while `change` was under way: every number that was seen, in order. */
export async function passingDuring(
  consul: ConsulApi,
  service: string,
  change: () => Promise<unknown>,
): Promise<number[]> {
  const seen = new Set<number>();
  const done = new AbortController();
  const watch = (async () => {
    while (!done.signal.aborted) {
      seen.add((await consul.get<unknown[]>(`health/service/${service}?passing`)).length);
      await sleep(50);
    }
  })();
  await change().finally(() => {
    done.abort();
  });
  await watch;
  return [...seen].sort();
}

/** Takes a registration out of the catalog behind Pulumi's back. */
export async function deregister(consul: ConsulApi, node: string): Promise<void> {
  await consul.send("PUT", "catalog/deregister", { Node: node });
}
