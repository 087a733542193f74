import { readFileSync } from "node:fs";
import { join } from "node:path";

const LINES = readFileSync(join(__dirname, "versions.env"), "utf8").matchAll(/^(\w+)=(.*)$/gm);
const VERSIONS = new Map([...LINES].map(([, name = "", version = ""]) => [name, version]));

/** What the file `versions.env` says under a name. */
export function versionOf(name: string): string {
  const version = VERSIONS.get(name);
  if (version === undefined) throw new Error(`versions.env has no ${name}`);
  return version;
}
