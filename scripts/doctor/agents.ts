import { answer } from "./answer";
import type { Reading } from "./clock";
import type { Container } from "./containers";
import { askInside } from "./inside";
import type { View } from "./leader";
import type { DeclaredContainer } from "./state";

/** What an agent answered inside its container. */
export interface Agent {
  readonly container: Container;
  readonly clock: Reading;
  /** Undefined for clients, which only pass on what servers say. */
  readonly view?: View;
}

// Each is a process of the Docker CLI, of which two cores do not bear a hundred.
const AT_ONCE = 8;

/** Asks those agents that run for their clocks, and servers for their view; those that do not answer are left out. */
export async function askAgents(
  declared: readonly DeclaredContainer[],
  containers: readonly Container[],
): Promise<Agent[]> {
  const running = declared.flatMap((agent) => {
    const container = containers.find(({ name, status }) => name === agent.name && status === "running");
    const isAgent = agent.role === "server" || agent.role === "client";
    return isAgent && container !== undefined ? [{ agent, container }] : [];
  });
  const agents: Agent[] = [];
  for (let first = 0; first < running.length; first += AT_ONCE) {
    const answers = await Promise.all(
      running.slice(first, first + AT_ONCE).map(({ agent, container }) => answer(askAgent(agent, container))),
    );
    agents.push(...answers.flatMap((one) => ("value" in one ? [one.value] : [])));
  }
  return agents;
}

async function askAgent({ alias, name, role }: DeclaredContainer, container: Container): Promise<Agent> {
  const asked = Date.now();
  const { shown, bodies } = await askInside(
    container,
    role === "server" ? ["status/leader", "status/peers"] : [],
  );
  const of = { agent: alias, container: name };
  const clock = { of, shown, resolutionMs: 1000, asked, answered: Date.now() };
  if (role !== "server") return { container, clock };
  const [leader, peers] = bodies as [string, string[]];
  return { container, clock, view: { from: alias, leader, peers } };
}
