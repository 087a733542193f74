import { readFile } from "node:fs/promises";
import { arch, cpus, release, totalmem } from "node:os";
import { docker } from "../engine";
import { capture } from "../scripts/stack";

/** What a bench ran on, and when, in one line. */
export async function machine(): Promise<string> {
  const [engine, pulumi] = await Promise.all([
    docker(["version", "-f", "{{.Server.Version}}"]),
    capture("version"),
  ]);
  return [
    `${cpus().length} cores of ${(await cpuModel()) ?? arch()}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `kernel ${release()}`,
    `Node.js ${process.version.slice(1)}`,
    `Docker Engine ${engine.trim()}`,
    `Pulumi ${pulumi.trim().replace(/^v/, "")}`,
    new Date().toISOString().slice(0, 10),
  ].join(", ");
}

/** Undefined where neither Node.js nor the kernel knows it, as on some ARM hosts. */
async function cpuModel(): Promise<string | undefined> {
  const known = cpus()[0]?.model.trim();
  if (known !== undefined && known !== "" && known !== "unknown") return known;
  const info = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  return /^(?:model name|Hardware)\s*:\s*(.*)$/m.exec(info)?.[1];
}
