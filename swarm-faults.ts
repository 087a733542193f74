import { docker, type Engine } from "./engine";

/** What an engine says about itself. */
interface Info {
  readonly Name: string;
  readonly Swarm: { readonly LocalNodeState: string; readonly ControlAvailable: boolean };
}

/** A node of the Swarm as its manager sees it. */
interface Node {
  readonly Hostname: string;
  readonly Availability: string;
  readonly Status: string;
}

const SETTING = "consul-docker:hosts";

/** Whether the engines are the nodes of one Swarm that they are said to be; without names, none is asked. */
export async function swarmFaults(engines: readonly Engine[]): Promise<string[]> {
  const named = await Promise.all(
    engines.flatMap((engine) => (engine.name === undefined ? [] : [nodeFaults(engine, engine.name)])),
  );
  const faults = named.flat();
  const manager = engines.find((engine) => engine.manager === true);
  if (faults.length > 0 || manager === undefined) return faults;
  const nodes = (await docker(["node", "ls", "--format", "{{json .}}"], manager))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Node);
  const isHost = ({ Hostname }: Node) => engines.some(({ name }) => name === Hostname);
  return [
    ...engines
      .filter(({ name }) => nodes.every(({ Hostname }) => Hostname !== name))
      .map(({ name = "" }) => `${name} is in another Swarm than the manager ${manager.name ?? ""}`),
    // Swarm would have it run services, whose images and credentials it does not have.
    ...nodes
      .filter((node) => !isHost(node) && node.Availability === "Active" && node.Status === "Ready")
      .map(
        ({ Hostname }) =>
          `the Swarm has a node ${Hostname} that is none of the hosts; add it to ${SETTING}, or run docker node update --availability drain ${Hostname}`,
      ),
  ];
}

async function nodeFaults(engine: Engine, name: string): Promise<string[]> {
  const info = JSON.parse(await docker(["info", "-f", "{{json .}}"], engine)) as Info;
  const { LocalNodeState, ControlAvailable } = info.Swarm;
  if (info.Name !== name)
    return [`${engine.endpoint ?? ""} is the engine of ${info.Name}, not of ${name}; correct ${SETTING}`];
  if (LocalNodeState !== "active")
    return [`${name} is in no Swarm (${LocalNodeState}); run docker swarm join on it`];
  return engine.manager === true && !ControlAvailable
    ? [`${name} is no manager of its Swarm; run docker node promote ${name}, or set manager for another host`]
    : [];
}
