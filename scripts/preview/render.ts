import { table } from "../../bench/report";
import type { PreviewReport } from "./report";

/** A part of the report: what stands below its title. */
interface Section {
  readonly title: string;
  /** A line each. @default none */
  readonly lines?: readonly string[];
  /** Something each, with lines by what they tell of it. @default none */
  readonly entries?: readonly {
    readonly name: string;
    readonly told: Readonly<Record<string, readonly string[]>>;
  }[];
}

/** The report as Markdown, for a comment. */
export function markdown(report: PreviewReport): string {
  return [
    `## ${headline(report)}`,
    ...counted(report),
    ...sections(report).map(({ title, lines = [], entries = [] }) =>
      [`### ${title}`, lines.map((line) => `- ${escaped(line)}`).join("\n"), entriesTable(entries)]
        .filter((part) => part !== "")
        .join("\n\n"),
    ),
  ].join("\n\n");
}

/** The report as text, for a terminal. */
export function text(report: PreviewReport): string {
  return [
    headline(report),
    ...counted(report),
    ...sections(report).map(({ title, lines = [], entries = [] }) =>
      [
        title,
        ...lines.map((line) => `  ${line}`),
        ...entries.flatMap(({ name, told }) => [
          `  ${name}`,
          ...Object.entries(told).flatMap(([what, of]) => of.map((line) => `    ${what}: ${line}`)),
        ]),
      ].join("\n"),
    ),
  ].join("\n\n");
}

function headline({ stack, verdict, dangers, counts }: PreviewReport): string {
  const changes = counts.create + counts.update + counts.replace + counts.delete;
  const words = `${changes} ${changes === 1 ? "change" : "changes"}`;
  switch (verdict) {
    case "failed":
      return `${stack}: the preview failed`;
    case "nothing":
      return `${stack}: nothing changes`;
    case "changes":
      return `${stack}: ${words}`;
    case "dangerous":
      return `${stack}: ${words}, ${dangers.length} DANGEROUS`;
  }
}

function counted({ verdict, counts }: PreviewReport): string[] {
  if (verdict === "failed") return [];
  const { create, update, replace, delete: deleted, same } = counts;
  return [
    `${create} to create, ${update} to update, ${replace} to replace, ${deleted} to delete, ${same} unchanged`,
  ];
}

/** What needs a decision comes first. */
function sections(report: PreviewReport): Section[] {
  const all: Section[] = [
    { title: "Why it failed", lines: report.faults },
    { title: "Dangerous", lines: report.dangers },
    { title: "Opens", lines: report.openings },
    { title: "Warnings", lines: report.warnings },
    {
      title: "Registrations",
      entries: report.registrations.map(({ instance, before, after }) => ({
        name: instance,
        told: {
          before: before.length === 0 ? ["none"] : before,
          after: after.length === 0 ? ["none"] : after,
        },
      })),
    },
    {
      title: "Images",
      entries: report.images.map(({ before, after, files, commits }) => ({
        name: `${before ?? "none"} → ${after ?? "none"}`,
        told: { file: files, commit: commits },
      })),
    },
    {
      title: "Components",
      entries: report.components.map(({ components, changes, consequences }) => ({
        name: components.join(", "),
        told: { change: changes, consequence: consequences },
      })),
    },
  ];
  return all.filter(({ lines = [], entries = [] }) => lines.length + entries.length > 0);
}

function entriesTable(entries: NonNullable<Section["entries"]>): string {
  const [first] = entries;
  if (first === undefined) return "";
  const columns = Object.keys(first.told);
  return table(
    ["", ...columns],
    entries.map(({ name, told }) => [
      escaped(name),
      ...columns.map((column) => (told[column] ?? []).map(escaped).join("<br>")),
    ]),
  );
}

/** Text that Markdown leaves as it is. */
function escaped(line: string): string {
  return line.replace(/[\\`*_|<>[\]]/g, "\\$&");
}
