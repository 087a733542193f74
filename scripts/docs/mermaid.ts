import { kindOf, nameOf, type Box, type Graph } from "./graph";

// The colours of topology.svg, as outlines, which a light and a dark page both bear.
const COLOURS: Readonly<Record<string, string>> = {
  Server: "#c2185b",
  Client: "#1565c0",
  Monitor: "#b26a00",
  ServiceInstance: "#2e7d32",
};

/** The graph as a Mermaid flowchart, which GitHub draws. */
export function mermaid({ boxes, frames, arrows }: Graph): string {
  return [
    "```mermaid",
    "flowchart TB",
    ...boxes.map((box) => `  ${drawBox(box)}`),
    ...frames.flatMap((frame) => [
      `  subgraph ${id(frame.ref)}["${kindOf(frame.ref)} ${nameOf(frame.ref)}"]`,
      ...frame.boxes.map((box) => `    ${drawBox(box)}`),
      "  end",
    ]),
    ...arrows.map(([first, then]) => `  ${id(first)} --> ${id(then)}`),
    ...Object.entries(COLOURS).map(
      ([kind, colour]) => `  classDef ${kind} stroke:${colour},stroke-width:2px`,
    ),
    "```",
  ].join("\n");
}

function drawBox({ refs, resources }: Box): string {
  const [first = ""] = refs;
  const kind = kindOf(first);
  const title = refs.length === 1 ? `${kind} ${nameOf(first)}` : `${refs.length} × ${kind}`;
  const lines = [
    ...(refs.length === 1 ? [] : [refs.map(nameOf).join(", ")]),
    ...resources.filter((resource) => resource !== kind),
  ];
  const label = [`<b>${title}</b>`, ...lines].join("<br/>");
  return `${id(first)}["${label}"]${kind in COLOURS ? `:::${kind}` : ""}`;
}

/** Mermaid takes letters, digits and underscores for a name. */
function id(ref: string): string {
  return ref.replaceAll(/\W/g, "_");
}
