import { writeFile } from "node:fs/promises";
import { benchDiscovery } from "../bench/discovery";

const BENCHES: Readonly<Record<string, () => Promise<string>>> = { discovery: benchDiscovery };

// npm run bench -- NAME: measures, prints a table and keeps it in docs/.
void run(process.argv[2]).then((code) => {
  process.exitCode = code;
});

async function run(name: string | undefined): Promise<number> {
  const bench = name === undefined ? undefined : BENCHES[name];
  if (bench === undefined) {
    console.error(`error: npm run bench -- ${Object.keys(BENCHES).join(" | ")}`);
    return 1;
  }
  const report = await bench();
  console.log(report);
  await writeFile(`docs/bench-${name ?? ""}.md`, report);
  return 0;
}
