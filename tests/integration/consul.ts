/** A check as Consul's catalog holds it. */
export interface CatalogCheck {
  readonly Node: string;
  readonly CheckID: string;
  readonly Status: string;
}

/** Every check of the datacenter. */
export async function checks(httpApiUrl: string): Promise<CatalogCheck[]> {
  return (await (await fetch(`${httpApiUrl}/v1/health/state/any`)).json()) as CatalogCheck[];
}

/** Status of the one check of an instance's service. */
export async function instanceCheck(httpApiUrl: string, instance: string): Promise<string | undefined> {
  return (await checks(httpApiUrl)).find((check) => check.CheckID === `${instance}:/ready`)?.Status;
}

/** Takes a registration out of the catalog behind Pulumi's back. */
export async function deregister(httpApiUrl: string, node: string): Promise<void> {
  await fetch(`${httpApiUrl}/v1/catalog/deregister`, { method: "PUT", body: JSON.stringify({ Node: node }) });
}
