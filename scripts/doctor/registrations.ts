import { physicalName } from "../../components/container";
import { MONITOR_SERVICE } from "../../components/monitor-entry";
import { endpointOptions } from "../../engine";
import { containerProblem, type Container } from "./containers";
import { found, type Finding, type Problem } from "./finding";
import { quoted } from "./shell";
import type { DeclaredService, StackState } from "./state";

/** What Consul's catalog has, as far as it is read here. */
export interface Catalog {
  /** The external nodes. */
  readonly nodes: readonly { readonly Node: string; readonly Address: string }[];
  readonly services: readonly CatalogService[];
  readonly checks: readonly CatalogCheck[];
}

interface CatalogService {
  readonly Node: string;
  readonly ServiceID: string;
  readonly ServiceAddress: string;
  readonly ServicePort: number;
}

interface CatalogCheck {
  readonly Node: string;
  readonly CheckID: string;
  readonly Name: string;
  readonly Status: string;
  readonly Output: string;
  readonly ServiceName: string;
  readonly Definition?: { readonly HTTP?: string };
}

// Reads what is really there, and writes what the stack file says.
const REPAIR = "npm run up -- --refresh";

export function examineRegistrations(
  state: StackState,
  containers: readonly Container[] | undefined,
  catalog: Catalog,
): Finding {
  const wrong = [
    ...state.nodes.flatMap(({ name, address }) => nodeFaults(name, address, catalog)),
    ...state.services
      // Nothing is left of a service whose node is gone.
      .filter(({ node }) => catalog.nodes.some((one) => one.Node === node))
      .flatMap((service) => serviceFaults(service, catalog)),
  ].map((what): Problem => ({ what, advice: REPAIR }));
  const stale = catalog.nodes.filter(({ Node }) => !state.nodes.some(({ name }) => name === Node));
  const failing = catalog.checks.filter(
    ({ Node, Status, ServiceName }) =>
      Status !== "passing" && ServiceName !== MONITOR_SERVICE && !stale.some((one) => one.Node === Node),
  );
  return found(
    "registrations",
    `${state.services.length} declared, ${catalog.checks.filter(({ Status }) => Status === "passing").length} of ${catalog.checks.length} checks pass`,
    [
      ...wrong,
      ...stale.map(({ Node }) => ({
        what: `${Node} is a stale registration: the stack's state does not know it`,
        advice: deregistration(Node, state),
      })),
      ...failing.map((check) => checkProblem(check, state, containers)),
    ],
  );
}

function nodeFaults(name: string, address: string, { nodes }: Catalog): string[] {
  const node = nodes.find(({ Node }) => Node === name);
  if (node === undefined) return [`${name} is not in the catalog`];
  return node.Address === address ? [] : [`node ${name} has the address ${node.Address}, not ${address}`];
}

function serviceFaults(declared: DeclaredService, { services, checks }: Catalog): string[] {
  const { serviceId, node, address, port } = declared;
  const service = services.find((one) => one.Node === node && one.ServiceID === serviceId);
  if (service === undefined) return [`${serviceId} is not in the catalog, though its node is`];
  const at = `${service.ServiceAddress}:${service.ServicePort}`;
  return [
    ...(at === `${address}:${port}`
      ? []
      : [`${serviceId} is registered at ${at}, not at ${address}:${port}`]),
    ...declared.checks.flatMap(({ checkId, http }) => {
      const check = checks.find((one) => one.Node === node && one.CheckID === checkId);
      if (check === undefined) return [`${serviceId} lacks the check ${checkId}`];
      const asks = check.Definition?.HTTP ?? "nothing";
      return asks === http ? [] : [`the check ${checkId} asks ${asks}, not ${http}`];
    }),
  ];
}

function checkProblem(
  { Node, Name, Status, Output }: CatalogCheck,
  state: StackState,
  containers: readonly Container[] | undefined,
): Problem {
  const [reason = ""] = Output.trim().split("\n");
  const container = state.containers.find(({ alias }) => alias === Node);
  const logs = container === undefined ? tasks(Node, state) : `docker logs --tail 20 ${container.name}`;
  const remedy = container === undefined ? undefined : containerProblem(container, containers)?.advice;
  return {
    what: `${Node}'s check ${Name} is ${Status}${reason === "" ? "" : `: ${reason}`}`,
    advice: remedy ?? logs,
  };
}

/** What shows where Swarm runs an instance, and why it does not. */
function tasks(instance: string, { owner, outputs: { hosts = [] } }: StackState): string {
  const manager = hosts.find((host) => host.manager === true);
  if (manager === undefined) return "npm run status";
  const name = physicalName(owner, instance);
  return ["docker", ...endpointOptions(manager), "service ps --no-trunc", name].join(" ");
}

/** The token goes through a pipe: an argument would be in the host's list of processes. */
function deregistration(node: string, { outputs }: StackState): string {
  const { httpApiUrl = "", caCertificate, managementToken } = outputs;
  const body = quoted(JSON.stringify({ Node: node }));
  const verify =
    caCertificate !== undefined && httpApiUrl.startsWith("https:")
      ? " --cacert <(pulumi stack output caCertificate)"
      : "";
  const curl = `curl -sS -X PUT${verify} -d ${body} ${httpApiUrl}/v1/catalog/deregister`;
  return managementToken === undefined
    ? curl
    : `pulumi stack output managementToken --show-secrets | sed 's/^/X-Consul-Token: /' | ${curl.replace("PUT", "PUT -H @-")}`;
}
