import { answeringUrl } from "../api-url";
import { enginesOf } from "../clients";
import { ConsulApi } from "../consul-api";
import { askAgents } from "./agents";
import { answer, valueOf, type Answer } from "./answer";
import { tryPorts } from "./attempts";
import type { Reading } from "./clock";
import { readAutopilot, readCatalog, readMonitors } from "./consul-facts";
import type { Ask, Monitoring } from "../monitoring";
import type { Container } from "./containers";
import { readContainers, readEngines, readNetworks, type EngineFacts } from "./engine-facts";
import { askInside } from "./inside";
import type { View } from "./leader";
import type { Attempt } from "./ports";
import type { Catalog } from "./registrations";
import { parseState, type StackState } from "./state";
import { pulumi } from "./tool";
import type { Autopilot } from "./voters";

/** All that the examinations need to know. */
export interface Facts {
  readonly engine: Answer<EngineFacts>;
  readonly state: Answer<StackState>;
  /** Undefined where the state, which says what to look for, is unknown. */
  readonly stack?: StackFacts;
}

/** What there is of the stack. */
export interface StackFacts {
  readonly containers: Answer<readonly Container[]>;
  readonly networks: Answer<readonly string[]>;
  /** Clocks of the agents that answered. */
  readonly clocks: readonly Reading[];
  /** How the agents that answered see the cluster. */
  readonly views: readonly View[];
  readonly autopilot: Answer<Autopilot>;
  readonly monitors: Answer<Monitoring>;
  readonly catalog: Answer<Catalog>;
  readonly ports: readonly Attempt[];
}

const API_TIMEOUT_MS = 3_000;

/** Asks all there is to ask, at the same time as far as it can be; never rejects. */
export async function collectFacts(): Promise<Facts> {
  const [only, state] = await Promise.all([answer(readEngines([{}])), answer(readState())]);
  const hosts = valueOf(state)?.outputs.hosts;
  const engine = hosts === undefined ? only : await answer(readEngines(hosts));
  return "value" in state ? { engine, state, stack: await stackFacts(state.value) } : { engine, state };
}

async function readState(): Promise<StackState> {
  const [exported, stack] = await Promise.all([
    pulumi("stack", "export", "--show-secrets"),
    pulumi("stack", "--show-name"),
  ]);
  return parseState(exported, stack.trim());
}

async function stackFacts(state: StackState): Promise<StackFacts> {
  const engines = enginesOf(state.outputs);
  const listed = answer(readContainers(engines, state.owner));
  const published = askPublished(state);
  const [containers, networks, ports, agents, fromApi] = await Promise.all([
    listed,
    answer(readNetworks(engines, state.owner)),
    tryPorts(state),
    listed.then((containers) => askAgents(state.containers, valueOf(containers) ?? [])),
    answer(viewThrough(published)),
  ]);
  const api = valueOf(fromApi);
  const views = [...agents.flatMap(({ view }) => view ?? []), ...(api === undefined ? [] : [api])];
  const server = agents.find(({ view }) => view !== undefined)?.container;
  const ask = api === undefined && server !== undefined ? askThrough(server) : published;
  // Without a leader, each question takes seconds and has no answer.
  const read = <T>(reader: (ask: Ask) => Promise<T>) =>
    answer(views.some(({ leader }) => leader !== "") ? reader(ask) : Promise.reject(new Error("no leader")));
  const [autopilot, monitors, catalog] = await Promise.all([
    read(readAutopilot),
    read(readMonitors),
    read((ask) => readCatalog(ask, state)),
  ]);
  return {
    containers,
    networks,
    clocks: agents.map(({ clock }) => clock),
    views,
    autopilot,
    monitors,
    catalog,
    ports,
  };
}

async function viewThrough(ask: Ask): Promise<View> {
  const [leader, peers] = await Promise.all([ask("status/leader"), ask("status/peers")]);
  return { from: "the API", leader: leader as string, peers: peers as string[] };
}

/** Through the port on the host, which the first client serves. */
function askPublished({ outputs }: StackState): Ask {
  const { httpApiUrl, caCertificate, managementToken } = outputs;
  if (httpApiUrl === undefined) return () => Promise.reject(new Error("the stack has no API yet"));
  const api = answeringUrl({ ...outputs, httpApiUrl }).then(
    (url) => new ConsulApi({ httpApiUrl: url, caCertificate, managementToken, timeoutMs: API_TIMEOUT_MS }),
  );
  return async (path) => (await api).get(path);
}

/** Through a server, inside its container. */
function askThrough(container: Container): Ask {
  return async (path) => (await askInside(container, [path])).bodies[0];
}
