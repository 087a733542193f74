import type { Role } from "../../components/container";
import { examineAdvisories } from "./advisories";
import { valueOf, type Answer } from "./answer";
import { examineCertificates } from "./certificates";
import { examineClock } from "./clock";
import { examineContainers, type Container } from "./containers";
import { examineEngine, type Caller } from "./engine";
import type { EngineFacts } from "./engine-facts";
import type { Facts, StackFacts } from "./facts";
import { found, notExamined, type Area, type Finding } from "./finding";
import { examineLeader } from "./leader";
import { examineMonitors } from "./monitors";
import { examineNetwork } from "./network";
import { examinePorts } from "./ports";
import { examineRegistrations } from "./registrations";
import { examineStack } from "./stack";
import type { StackState } from "./state";
import { examineVoters } from "./voters";

/** A finding for each area, from the outside in; an area that an earlier problem hides is not examined. */
export function examine({ engine, state, stack }: Facts, caller: Caller, now: Date): Finding[] {
  const outside = [examineEngine(engine, caller), examineStack(state)];
  if (!("value" in state) || stack === undefined)
    return [...outside, ...skip("the stack's state is unknown", "network", "containers", ...INSIDE)];
  return [
    ...outside,
    ...examineContainment(engine, state.value, stack),
    ...(state.value.size === 0
      ? skip("the stack is not up", ...INSIDE)
      : examineInside(engine, state.value, stack, now)),
  ];
}

const INSIDE: readonly Area[] = [
  "leader",
  "voters",
  "clock",
  "certificates",
  "advisories",
  "monitors",
  "registrations",
  "ports",
];

function skip(because: string, ...areas: readonly Area[]): Finding[] {
  return areas.map((area) => notExamined(area, because));
}

/** What holds the datacenter. Of a stack that is not up, there may be something left. */
function examineContainment(engine: Facts["engine"], state: StackState, stack: StackFacts): Finding[] {
  if ("failure" in engine) return skip("the engine does not answer", "network", "containers");
  const { containers, networks } = stack;
  if ("failure" in containers)
    return [unanswered("network", containers), unanswered("containers", containers)];
  return [
    "value" in networks
      ? examineNetwork(state, networks.value, containers.value)
      : unanswered("network", networks),
    examineContainers(state.containers, containers.value),
  ];
}

function examineInside(engine: Facts["engine"], state: StackState, stack: StackFacts, now: Date): Finding[] {
  const containers = valueOf(stack.containers);
  const leader = leaderOf(engine, state, stack.views, containers);
  const { autopilot, monitors, catalog } = stack;
  const of = (wanted: Role) => state.containers.filter(({ role }) => role === wanted);
  /** What only a cluster with a leader can be asked for. */
  const led = <T>(area: Area, facts: Answer<T>, examine: (facts: T) => Finding) => {
    if (stack.views.every((view) => view.leader === "")) return notExamined(area, "no leader is known");
    return "value" in facts ? examine(facts.value) : unanswered(area, facts);
  };
  return [
    leader,
    led("voters", autopilot, (facts) =>
      examineVoters(of("server"), containers, facts, state.outputs.managementToken !== undefined),
    ),
    clocks(engine, stack),
    examineCertificates(state.certificates, now),
    examineAdvisories(state.images),
    led("monitors", monitors, (facts) => examineMonitors(of("monitor"), of("client"), containers, facts)),
    led("registrations", catalog, (facts) => examineRegistrations(state, containers, facts)),
    portsOf(engine, stack.ports, containers),
  ];
}

function leaderOf(
  engine: Facts["engine"],
  state: StackState,
  views: StackFacts["views"],
  containers: readonly Container[] | undefined,
): Finding {
  const servers = state.containers.filter(({ role }) => role === "server");
  if (servers.length === 0) return notExamined("leader", "the stack has no servers yet");
  if ("failure" in engine && views.length === 0) return notExamined("leader", "the engine does not answer");
  return examineLeader(servers, containers, views);
}

/** Where the engine is gone, so are its ports; they only count where it refuses this caller alone. */
function portsOf(
  engine: Facts["engine"],
  ports: StackFacts["ports"],
  containers: readonly Container[] | undefined,
): Finding {
  const silent = ports.every(({ failure }) => failure !== undefined);
  return "failure" in engine && silent
    ? notExamined("ports", "the engine does not answer")
    : examinePorts(ports, containers);
}

function clocks(engine: Facts["engine"], stack: StackFacts): Finding {
  if ("failure" in engine) return notExamined("clock", "the engine does not answer");
  return examineClock([engineClock(engine.value), ...stack.clocks]);
}

function engineClock({ shown, asked, answered }: EngineFacts) {
  return { of: "engine", shown, resolutionMs: 0, asked, answered } as const;
}

function unanswered(area: Area, { failure }: { readonly failure: string }): Finding {
  return found(area, "no answer", [{ what: failure, advice: "npm run doctor again" }]);
}
