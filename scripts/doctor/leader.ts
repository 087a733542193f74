import { containerProblem, type Container } from "./containers";
import { found, type Finding, type Problem } from "./finding";
import type { DeclaredContainer } from "./state";

/** How an agent sees the cluster. */
export interface View {
  /** Name of the agent. */
  readonly from: string;
  /** Address of the leader; empty where it knows none. */
  readonly leader: string;
  /** Addresses of the raft peers. */
  readonly peers: readonly string[];
}

/** `servers` are those of the stack; one without a view did not answer. */
export function examineLeader(
  servers: readonly DeclaredContainer[],
  containers: readonly Container[] | undefined,
  views: readonly View[],
): Finding {
  const nameOf = (address: string) =>
    servers.find((server) => `${server.address ?? ""}:8300` === address)?.alias ?? address;
  const leaders = [...new Set(views.map(({ leader }) => leader).filter((leader) => leader !== ""))];
  const [leader] = leaders;
  if (leader === undefined) return found("leader", "none", [noLeader(servers, containers, views)]);
  if (leaders.length === 1) return found("leader", nameOf(leader));
  return found("leader", leaders.map(nameOf).join(", "), [
    {
      what: `the servers do not agree: ${views.map((view) => `${view.from} follows ${view.leader === "" ? "nobody" : nameOf(view.leader)}`).join(", ")}`,
      advice: `npm run doctor again in 10 s; if it stays so, docker restart ${servers.map(({ name }) => name).join(" ")}, one after the other`,
    },
  ]);
}

function noLeader(
  servers: readonly DeclaredContainer[],
  containers: readonly Container[] | undefined,
  views: readonly View[],
): Problem {
  // A peer whose server is gone for good still counts.
  const peers = Math.max(...views.map((view) => view.peers.length), servers.length);
  const needed = Math.floor(peers / 2) + 1;
  const answering = servers.filter(({ alias }) => views.some(({ from }) => from === alias));
  const count = `${answering.length} of ${peers} servers ${answering.length === 1 ? "answers" : "answer"}, ${needed} must`;
  const remedies = servers
    .filter((server) => !answering.includes(server))
    .map((server) => containerProblem(server, containers)?.advice ?? `docker restart ${server.name}`);
  return {
    what: answering.length < needed ? `the quorum is lost: ${count}` : `no leader, though ${count}`,
    advice:
      remedies.length > 0
        ? remedies.join("; ")
        : `npm run doctor again in 10 s, or docker logs --tail 20 ${servers[0]?.name ?? ""}`,
  };
}
