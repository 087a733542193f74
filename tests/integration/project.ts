import { cpSync, existsSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the program and the npm commands read of this project, so that a test can change it; the folder is the caller's to remove. */
export function copyOfTheProject(): string {
  const copy = mkdtempSync(join(tmpdir(), "consul-docker-project-"));
  const paths = [
    ".gitignore",
    "Pulumi.yaml",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "versions.env",
    "program.js",
    ...readdirSync(".").filter((file) => file.endsWith(".ts")),
    "settings",
    "components",
    "services",
    "policy",
    "scripts",
    "bench",
    ".build",
  ];
  for (const path of paths.filter(existsSync)) {
    // What is bundled is known by the files' times.
    cpSync(path, join(copy, path), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(process.cwd(), "node_modules"), join(copy, "node_modules"));
  return copy;
}
