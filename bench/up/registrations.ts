import { setTimeout as sleep } from "node:timers/promises";

/** An instance of a service as Consul's health endpoint shows it, as far as it is registered again. */
interface Entry {
  readonly Node: { readonly Node: string; readonly Address: string; readonly Meta: object };
  readonly Service: object;
  readonly Checks: readonly object[];
}

const PATIENCE_MS = 120_000;
const RETRY_MS = 100;

/** What Consul's catalog has of these services, in the form in which it takes them. */
export async function registrations(api: string, services: readonly string[]): Promise<object[]> {
  const entries = await Promise.all(
    services.map(
      async (service) => (await (await fetch(`${api}/v1/health/service/${service}`)).json()) as Entry[],
    ),
  );
  return entries.flat().map(({ Node, Service, Checks }) => ({
    Node: Node.Node,
    Address: Node.Address,
    NodeMeta: Node.Meta,
    Service,
    Checks: Checks.map((check) => ({ ...check, Status: "critical", Output: "" })),
  }));
}

/** Registers them as soon as Consul takes them: Compose has no word for it, and services wait for each other. */
export async function register(api: string, entries: readonly object[]): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (const entry of entries) {
    const request = { method: "PUT", body: JSON.stringify(entry) };
    while (!(await succeeds(fetch(`${api}/v1/catalog/register`, request)))) {
      if (Date.now() > end) throw new Error(`Consul at ${api} took no registration for two minutes`);
      await sleep(RETRY_MS);
    }
  }
}

function succeeds(request: Promise<Response>): Promise<boolean> {
  return request.then(
    ({ ok }) => ok,
    () => false,
  );
}
