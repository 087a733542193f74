import type { ConsulApi } from "./consul-api";
import { monitorFault, readMonitoring } from "./monitoring";

/** Worst to best, as Consul names them. */
export type CheckStatus = "critical" | "warning" | "passing";

/** A check and what it last found. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** What the check printed, one line. */
  readonly output: string;
}

/** An agent of the datacenter. */
export interface MemberStatus {
  readonly name: string;
  readonly role: "server" | "client";
  readonly address: string;
  readonly version: string;
  /** What the other agents think of it: alive, failed, left or leaving. */
  readonly status: string;
  readonly leader: boolean;
}

/** A registered instance of a service. */
export interface InstanceStatus {
  readonly name: string;
  readonly address: string;
  readonly checks: readonly Check[];
}

/** A registered service. */
export interface ServiceStatus {
  readonly name: string;
  readonly instances: readonly InstanceStatus[];
}

/** A datacenter at one moment. */
export interface DatacenterStatus {
  readonly datacenter: string;
  readonly members: readonly MemberStatus[];
  readonly services: readonly ServiceStatus[];
  /** What is wrong with the monitors and with how they watch the services. */
  readonly monitorFaults: readonly string[];
}

interface AgentMember {
  readonly Name: string;
  readonly Addr: string;
  readonly Status: number;
  readonly Tags: Readonly<Record<string, string>>;
}

interface HealthEntry {
  readonly Node: { readonly Node: string; readonly Address: string };
  /** Consul leaves out a port of 0. */
  readonly Service: { readonly ID: string; readonly Address: string; readonly Port?: number };
  readonly Checks: readonly {
    readonly Name: string;
    readonly Status: CheckStatus;
    readonly Output: string;
  }[];
}

// Serf's numbers: https://pkg.go.dev/github.com/hashicorp/serf/serf#MemberStatus
const MEMBER_STATUS = ["none", "alive", "leaving", "left", "failed"];

/**
 * Reads the datacenter's state, which is to have these monitors; throws an Error of one line when Consul does not answer.
 */
export async function readDatacenter(
  consul: ConsulApi,
  monitors: readonly string[] = [],
): Promise<DatacenterStatus> {
  const [members, leader, catalog, monitoring] = await Promise.all([
    consul.get<AgentMember[]>("agent/members"),
    consul.get<string>("status/leader"),
    // Without a leader the catalog cannot be read consistently; what the servers last knew still helps.
    consul.get<Record<string, string[]>>("catalog/services?stale"),
    readMonitoring((path) => consul.get(path), true),
  ]);
  const names = Object.keys(catalog)
    .filter((name) => name !== "consul")
    .sort();
  const services = await Promise.all(
    names.map(async (name) => ({
      name,
      instances: instances(await consul.get<HealthEntry[]>(`health/service/${name}?stale`)),
    })),
  );
  return {
    datacenter: members[0]?.Tags["dc"] ?? "",
    members: members.map((member) => memberStatus(member, leader)).sort(byRoleAndName),
    services,
    monitorFaults: [
      ...monitors.flatMap((name) => monitorFault(monitoring, name) ?? []),
      ...(monitoring.unwatched.length === 0
        ? []
        : [`no monitor runs the checks of ${monitoring.unwatched.join(", ")}`]),
    ],
  };
}

/** The worst of an instance's checks; an instance without one counts as passing, as it does in Consul. */
export function instanceStatus({ checks }: InstanceStatus): CheckStatus {
  const has = (status: CheckStatus) => checks.some((check) => check.status === status);
  return has("critical") ? "critical" : has("warning") ? "warning" : "passing";
}

/** Whether there is a leader, every member is alive, unless it left in order, and every instance is watched and passes. */
export function isHealthy({ members, services, monitorFaults }: DatacenterStatus): boolean {
  return (
    monitorFaults.length === 0 &&
    members.some((member) => member.leader) &&
    members.every((member) => member.status === "alive" || member.status === "left") &&
    services.every(({ instances }) => instances.every((instance) => instanceStatus(instance) === "passing"))
  );
}

function memberStatus({ Name, Addr, Status, Tags }: AgentMember, leader: string): MemberStatus {
  return {
    name: Name,
    role: Tags["role"] === "consul" ? "server" : "client",
    address: Addr,
    version: (Tags["build"] ?? "").split(":")[0] ?? "",
    status: MEMBER_STATUS[Status] ?? "unknown",
    leader: Tags["role"] === "consul" && leader === `${Addr}:${Tags["port"] ?? ""}`,
  };
}

function byRoleAndName(a: MemberStatus, b: MemberStatus): number {
  return b.role.localeCompare(a.role) || a.name.localeCompare(b.name, "en", { numeric: true });
}

function instances(entries: readonly HealthEntry[]): InstanceStatus[] {
  return entries
    .map(({ Node, Service, Checks }) => ({
      name: Service.ID,
      address: [Service.Address === "" ? Node.Address : Service.Address, Service.Port]
        .filter(Boolean)
        .join(":"),
      checks: Checks.map(({ Name, Status, Output }) => ({
        name: Name,
        status: Status,
        output:
          Output === "" && Status === "critical"
            ? "no monitor has run it yet"
            : (Output.trim().split("\n")[0] ?? ""),
      })),
    }))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}
