import { answer } from "./answer";
import type { Reading } from "./clock";
import type { Container } from "./containers";
import { askInside } from "./inside";
import type { View } from "./leader";
import type { DeclaredContainer } from "./state";

/** What an agent answered inside its container. */
export interface Agent {
  readonly container: string;
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
  const running = declared.filter(
    ({ name, role }) =>
      (role === "server" || role === "client") &&
      containers.some((one) => one.name === name && one.status === "running"),
  );
  const agents: Agent[] = [];
  for (let first = 0; first < running.length; first += AT_ONCE) {
    const answers = await Promise.all(
      running.slice(first, first + AT_ONCE).map((one) => answer(askAgent(one))),
    );
    agents.push(...answers.flatMap((one) => ("value" in one ? [one.value] : [])));
  }
  return agents;
}

async function askAgent({ alias, name, role }: DeclaredContainer): Promise<Agent> {
  const asked = Date.now();
  const { shown, bodies } = await askInside(name, role === "server" ? ["status/leader", "status/peers"] : []);
  const of = { agent: alias, container: name };
  const clock = { of, shown, resolutionMs: 1000, asked, answered: Date.now() };
  if (role !== "server") return { container: name, clock };
  const [leader, peers] = bodies as [string, string[]];
  return { container: name, clock, view: { from: alias, leader, peers } };
}
