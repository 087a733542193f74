import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { table, type Parts } from "./page";

/** What of a package.json is read here. */
interface Manifest {
  readonly name: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** What for: an installation, or a change of the project alone. */
type Use = "runs" | "builds and tests";

/** The licences of the npm packages that the project's own name, each as its own package.json says. */
export function licenceParts(): Parts {
  const own = manifests();
  const names = new Set(own.map(({ manifest }) => manifest.name));
  const uses = new Map<string, { use: Use; licence: string }>();
  for (const { folder, manifest } of own)
    for (const [use, dependencies] of [
      ["runs", manifest.dependencies],
      ["builds and tests", manifest.devDependencies],
    ] as const)
      for (const name of Object.keys(dependencies ?? {}))
        if (!names.has(name) && uses.get(name)?.use !== "runs")
          uses.set(name, { use, licence: licenceOf(name, folder) });
  const rows = [...uses]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { use, licence }]) => [`\`${name}\``, licence, use]);
  return { packages: table(["Package", "Licence", "Used where the project"], rows) };
}

function manifests(): { readonly folder: string; readonly manifest: Manifest }[] {
  return [".", "policy", ...readdirSync("services").map((name) => join("services", name))]
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder) => ({ folder, manifest: readManifest(join(folder, "package.json")) }));
}

/** The package as Node.js finds it from that folder: two of the project's own may have two versions of it. */
function licenceOf(name: string, folder: string): string {
  const places = createRequire(join(process.cwd(), folder, "package.json")).resolve.paths(name) ?? [];
  const file = places.map((place) => join(place, name, "package.json")).find(existsSync);
  const licence = file === undefined ? undefined : readManifest(file).license;
  if (licence === undefined) throw new Error(`the package ${name} does not say its licence`);
  return licence;
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, "utf8")) as Manifest;
}
