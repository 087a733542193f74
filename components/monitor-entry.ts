/** The service that the monitors register themselves as. */
export const MONITOR_SERVICE = "consul-esm";

/** ID of a monitor's entry in Consul. */
export function monitorId(name: string): string {
  return `${MONITOR_SERVICE}:${name}`;
}
