import type { Role } from "../../components/container";
import type { Container } from "./containers";
import { found, type Finding } from "./finding";
import type { StackState } from "./state";

/** What has no use for a network: the one only carries files, the other only talks to its engine. */
const APART: readonly Role[] = ["secrets", "starter"];

/** `networks` are the names of those that carry the stack's labels. */
export function examineNetwork(
  state: Pick<StackState, "networks" | "containers">,
  networks: readonly string[],
  containers: readonly Container[],
): Finding {
  const missing = state.networks.filter(({ name }) => !networks.includes(name));
  const leftOver = networks.filter((name) => !state.networks.some((one) => one.name === name));
  const [network] = state.networks.filter((one) => !missing.includes(one));
  const outside = state.containers.filter(({ name, role }) => {
    const container = containers.find((one) => one.name === name);
    return (
      network !== undefined &&
      !APART.includes(role) &&
      container?.status === "running" &&
      !container.networks.includes(network.name)
    );
  });
  return found("network", network?.name ?? "none", [
    ...missing.map(({ urn, name }) => ({
      what: `${name} is missing`,
      advice: `pulumi refresh --yes --target '${urn}' && npm run up`,
    })),
    ...outside.map(({ alias, name, address }) => ({
      what: `${alias} is not in ${network?.name ?? ""}`,
      advice: `docker network connect --alias ${alias} ${address === undefined ? "" : `--ip ${address} `}${network?.name ?? ""} ${name}`,
    })),
    ...leftOver.map((name) => ({
      what: `${name} is left over: the stack's state does not know it`,
      advice: `docker network rm ${name}`,
    })),
  ]);
}
