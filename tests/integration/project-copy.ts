import { cpSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A copy of what `pulumi up` reads of this project, so that a test can change it. */
export function copyOfTheProject(): string {
  const copy = mkdtempSync(join(tmpdir(), "consul-docker-project-"));
  for (const path of [
    "Pulumi.yaml",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "program.js",
    ...readdirSync(".").filter((file) => file.endsWith(".ts")),
    "settings",
    "components",
    "policy",
    "services",
    "scripts",
  ])
    cpSync(path, join(copy, path), { recursive: true });
  symlinkSync(join(process.cwd(), "node_modules"), join(copy, "node_modules"));
  return copy;
}
