import { SECRETS_FOLDER } from "../../components/agent";
import { containerProblem, type Container } from "./containers";
import { found, type Finding, type Problem } from "./finding";
import { quoted } from "./shell";
import type { DeclaredContainer } from "./state";

/** What Consul answers at operator/autopilot/state, as far as it is read here. */
export interface Autopilot {
  readonly FailureTolerance: number;
  readonly Servers: Readonly<Record<string, RaftServer>>;
}

interface RaftServer {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  /** What the other agents think of it: alive, failed, left or leaving. */
  readonly NodeStatus: string;
  readonly Healthy: boolean;
  /** leader, voter, non-voter or staging. */
  readonly Status: string;
}

/** `secured` says whether the datacenter asks for tokens. */
export function examineVoters(
  servers: readonly DeclaredContainer[],
  containers: readonly Container[] | undefined,
  autopilot: Autopilot,
  secured: boolean,
): Finding {
  const peers = Object.values(autopilot.Servers);
  const faults = servers.flatMap((server) => {
    const what = fault(
      server.alias,
      peers.find(({ Name }) => Name === server.alias),
    );
    if (what === undefined) return [];
    const remedy = containerProblem(server, containers)?.advice ?? `docker logs --tail 20 ${server.name}`;
    return [{ what, advice: remedy }];
  });
  const strangers = peers.filter(({ Name }) => !servers.some(({ alias }) => alias === Name));
  const tolerance = autopilot.FailureTolerance === 0 ? "none" : autopilot.FailureTolerance;
  return found(
    "voters",
    `${servers.length - faults.length} of ${servers.length} healthy, ${tolerance} may fail`,
    [...faults, ...strangers.map((stranger) => removal(stranger, servers[0]?.name ?? "", secured))],
  );
}

function fault(alias: string, peer: RaftServer | undefined): string | undefined {
  if (peer === undefined) return `${alias} is no raft peer`;
  if (!peer.Healthy) return `${alias} is no healthy voter, the other agents call it ${peer.NodeStatus}`;
  return peer.Status === "leader" || peer.Status === "voter"
    ? undefined
    : `${alias} is healthy, but not a voter: ${peer.Status}`;
}

function removal({ ID, Name, Address }: RaftServer, through: string, secured: boolean): Problem {
  const token = secured ? ` -token-file=${SECRETS_FOLDER}/management-token` : "";
  return {
    what: `${Name} at ${Address} is a raft peer, but no server of the stack`,
    advice: `docker exec ${through} consul operator raft remove-peer${token} -id=${quoted(ID)}`,
  };
}
