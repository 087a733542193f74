import { writeFile } from "node:fs/promises";
import { benchAgents } from "../bench/agents";
import { benchDiscovery } from "../bench/discovery";
import { benchPreview } from "../bench/preview";
import { benchUp } from "../bench/up";
import type { Report } from "../bench/report";
import { main } from "./stack";

const BENCHES: Readonly<Record<string, () => Promise<Report>>> = {
  agents: benchAgents,
  discovery: benchDiscovery,
  preview: benchPreview,
  up: benchUp,
};

// npm run bench [-- NAME...]: measures, prints a table and keeps it in docs/, with a plot of it.
main(async () => {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(BENCHES);
  const benches = names.map((name) => {
    const bench = BENCHES[name];
    if (bench === undefined)
      throw new Error(`there is no bench ${name}; there are ${Object.keys(BENCHES).join(", ")}`);
    return { name, bench };
  });
  for (const { name, bench } of benches) {
    const { markdown, svg } = await bench();
    console.log(markdown);
    await writeFile(`docs/bench-${name}.md`, markdown);
    if (svg !== undefined) await writeFile(`docs/bench-${name}.svg`, svg);
  }
  return 0;
});
