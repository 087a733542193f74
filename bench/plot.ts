import { median } from "./report";

/** Measured ratios of one kind. */
export interface Bar {
  /** What was measured. */
  readonly label: string;
  /** The ratios, of which the plot shows the lowest, the highest and the median. */
  readonly lowest: number;
  readonly highest: number;
  readonly median: number;
  /** What the median shall be at most. @default no such goal */
  readonly goal?: number | undefined;
}

/** These ratios as a line of the plot. */
export function bar(label: string, ratios: readonly number[], goal?: number): Bar {
  return { label, lowest: Math.min(...ratios), highest: Math.max(...ratios), median: median(ratios), goal };
}

const WIDTH = 760;
const LABELS = 300;
const ROW = 34;
const TOP = 56;
const MARGIN = 60;

/** An SVG of ratios: a line a bar with a dot at its median, and a stroke at its goal. Readable in light and in dark. */
export function plot(title: string, bars: readonly Bar[]): string {
  const highest = Math.max(1, ...bars.flatMap(({ highest, goal = 0 }) => [highest, goal]));
  const step = tick(highest);
  const end = Math.ceil(highest / step) * step;
  const x = (ratio: number) => Math.round(LABELS + (ratio / end) * (WIDTH - LABELS - MARGIN));
  const bottom = TOP + bars.length * ROW;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 34}" role="img" aria-label="${escape(title)}">`,
    "<style>",
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}",
    ".grid{stroke:#d0d7de}.range{stroke:#0969da;stroke-width:6;stroke-linecap:round;opacity:.35}.dot{fill:#0969da}.goal{stroke:#cf222e;stroke-width:2}",
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#3d444d}.range{stroke:#4493f8}.dot{fill:#4493f8}.goal{stroke:#ff7b72}}",
    "</style>",
    `<text class="title" x="12" y="24">${escape(title)}</text>`,
    ...ticks.flatMap((ratio) => [
      `<line class="grid" x1="${x(ratio)}" x2="${x(ratio)}" y1="${TOP - 12}" y2="${bottom}"/>`,
      `<text class="middle" x="${x(ratio)}" y="${bottom + 20}">${Number(ratio.toFixed(2))}</text>`,
    ]),
    ...bars.flatMap(({ label, lowest, highest, median, goal }, index) => {
      const y = TOP + index * ROW + 10;
      return [
        `<text class="end" x="${LABELS - 14}" y="${y + 4}">${escape(label)}</text>`,
        `<line class="range" x1="${x(lowest)}" x2="${x(highest)}" y1="${y}" y2="${y}"/>`,
        `<circle class="dot" cx="${x(median)}" cy="${y}" r="5"/>`,
        ...(goal === undefined
          ? []
          : [`<line class="goal" x1="${x(goal)}" x2="${x(goal)}" y1="${y - 11}" y2="${y + 11}"/>`]),
        `<text x="${x(highest) + 10}" y="${y + 4}">${median.toFixed(2)}</text>`,
      ];
    }),
    "</svg>",
    "",
  ].join("\n");
}

/** The distance of the axis' marks: 1, 2 or 5 times a power of ten, so that there are at most eight. */
function tick(highest: number): number {
  const power = 10 ** Math.floor(Math.log10(highest / 8));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => highest / step <= 8) ?? highest;
}

function escape(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}
