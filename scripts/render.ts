import { styleText } from "node:util";
import type { CertificateStatus } from "./expiry";
import type { SnapshotStatus } from "./snapshots";
import {
  instanceStatus,
  isHealthy,
  type CheckStatus,
  type DatacenterStatus,
  type InstanceStatus,
} from "./datacenter";

const COLOUR: Record<CheckStatus, "red" | "yellow" | "green"> = {
  critical: "red",
  warning: "yellow",
  passing: "green",
};

/** The datacenter at a glance, in lines of text; in colour when `colour` is set. */
export function renderDatacenter(status: DatacenterStatus, colour: boolean): string {
  const paint = painter(colour);
  const members = columns(
    status.members.map(({ name, role, address, version, status: state, leader }) => [
      name,
      leader ? `${role}, leader` : role,
      address,
      version,
      paint(state === "alive" ? "green" : "red", state),
    ]),
  );
  const leader = status.members.find((member) => member.leader);
  const services = status.services.flatMap(({ name, instances }) => {
    const passing = instances.filter((instance) => instanceStatus(instance) === "passing").length;
    return [
      paint("bold", `${name}  ${passing} of ${instances.length} passing`),
      ...columns(instances.map((instance) => instanceRow(instance, paint))),
    ];
  });
  return [
    paint("bold", `datacenter ${status.datacenter}`) +
      (isHealthy(status) ? paint("green", "  healthy") : paint("red", "  not healthy")) +
      (leader === undefined ? paint("red", "  no leader") : `  leader ${leader.name}`),
    "",
    ...members,
    "",
    ...services,
    ...status.monitorFaults.map((fault) => paint("red", fault)),
  ].join("\n");
}

/** A line for each certificate, with the days that it is still valid; in colour when `colour` is set. */
export function renderCertificates(certificates: readonly CertificateStatus[], colour: boolean): string {
  const paint = painter(colour);
  return [
    paint("bold", "certificates"),
    ...columns(
      certificates.map(({ name, expires, daysLeft, soon }) => {
        const rest = daysLeft < 0 ? "expired" : `${daysLeft} days left`;
        const advice = name === "ca" ? "it needs a successor" : "npm run rotate -- certificates";
        return [
          name,
          expires.slice(0, 10),
          soon ? paint(daysLeft < 0 ? "red" : "yellow", `${rest}: ${advice}`) : rest,
        ];
      }),
    ),
  ].join("\n");
}

/** How old the newest snapshot is, in one line; in colour when `colour` is set. */
export function renderSnapshots({ newest, overdue }: SnapshotStatus, colour: boolean): string {
  const paint = painter(colour);
  const age =
    newest === undefined ? "none yet" : `newest ${duration(newest.ageMinutes)} old, ${newest.kept} kept`;
  return `${paint("bold", "snapshots")}  ${overdue ? paint("red", `${age}: docker logs of the container snapshots says why`) : age}`;
}

/** In minutes as long as a person counts in them. */
function duration(minutes: number): string {
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

function painter(colour: boolean) {
  return (format: Parameters<typeof styleText>[0], value: string) =>
    colour ? styleText(format, value, { validateStream: false }) : value;
}

function instanceRow(
  instance: InstanceStatus,
  paint: (format: "red" | "yellow" | "green", value: string) => string,
): string[] {
  const state = instanceStatus(instance);
  const worst = instance.checks.find((check) => check.status === state);
  return [
    instance.name,
    instance.address,
    paint(COLOUR[state], state),
    state === "passing" ? "" : `${worst?.name ?? ""}: ${worst?.output ?? ""}`,
  ];
}

/** Lines, indented, in which each cell is as wide as the widest of its column. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => (row[column] ?? "").length));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(width(column))).join("  ")}`.trimEnd());
}
