import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { CONSUL_USER } from "../components/agent";
import { endpointOptions } from "../engine";
import type { PlacedImage } from "./clients";
import { RefusedError, type ConsulApi } from "./consul-api";

// Now and then an agent loses what a server sent it last: the server closes their connection before it has read all
// that TLS had to say, and the network then drops what is on the way. Consul answers 500, or the snapshot is not whole.
export const ATTEMPTS = 5;

/** Verifies a file; resolves to the index of Consul up to which it has everything, throws when it is no snapshot. */
export type Inspect = (file: string) => Promise<number>;

/**
 * Saves a snapshot as `file`, which is not there before all of it is, verified and on the disk; resolves to its index
 * and size.
 */
export async function saveSnapshot(
  consul: ConsulApi,
  file: string,
  inspect: Inspect,
  signal: AbortSignal,
): Promise<{ index: number; bytes: number }> {
  if (existsSync(file)) throw new Error(`${file} is there already; a snapshot takes no file's place`);
  // Whoever reads a snapshot has every token.
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const partial = `${file}.${process.pid}.partial`;
  for (let attempt = 1; ; attempt++) {
    try {
      const snapshot = await consul.download("snapshot", signal);
      const disk = createWriteStream(partial, { flags: "wx", mode: 0o600, flush: true });
      await pipeline(snapshot, disk, { signal });
      const index = await inspect(partial);
      signal.throwIfAborted();
      await rename(partial, file);
      return { index, bytes: (await stat(file)).size };
    } catch (error) {
      if (signal.aborted) throw new Error("interrupted; nothing is saved");
      if (attempt === ATTEMPTS || (error instanceof RefusedError && error.status === 403)) throw error;
    } finally {
      await rm(partial, { force: true });
    }
  }
}

/** Inspects a file with Consul's own command, in a container of this image that has neither network nor rights. */
export async function inspectSnapshot(file: string, { id, engine }: PlacedImage): Promise<number> {
  const handle = await open(file).catch((error: unknown) => {
    throw new Error(`${file} cannot be read: ${String((error as NodeJS.ErrnoException).code)}`);
  });
  try {
    const confined = ["--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    const script = "cat >/tmp/snapshot && consul snapshot inspect -format=json /tmp/snapshot";
    const child = spawn(
      "docker",
      [
        ...endpointOptions(engine),
        "run",
        "--rm",
        "-i",
        "--pull",
        "never",
        "--user",
        CONSUL_USER,
        ...confined,
        "--entrypoint",
        "sh",
        id,
        "-c",
        script,
      ],
      { stdio: [handle.fd, "pipe", "pipe"] },
    ) as ChildProcessByStdio<null, Readable, Readable>;
    const ended = new Promise<number | null>((resolve, reject) =>
      child.on("error", reject).on("exit", resolve),
    );
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    if (code === 0) return (JSON.parse(stdout) as { Meta: { Index: number } }).Meta.Index;
    const lines = stderr.trim().split("\n");
    // What Consul logs comes before what it has to say.
    const reason = lines.find((line) => line.startsWith("Error ")) ?? lines[0] ?? "";
    // Docker's own failures have this code.
    throw new Error(code === 125 ? reason : `${file} is no whole snapshot (${reason})`);
  } finally {
    await handle.close();
  }
}

/** Those of the tokens that are in a snapshot, where Consul writes them as they are. */
export async function tokensWithin(file: string, tokens: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  const overlap = Math.max(...tokens.map((token) => token.length));
  await pipeline(createReadStream(file), createGunzip(), async (unpacked: AsyncIterable<Buffer>) => {
    let end = "";
    for await (const chunk of unpacked) {
      const part = end + chunk.toString("latin1");
      for (const token of tokens) if (part.includes(token)) found.add(token);
      end = part.slice(-overlap);
    }
  });
  return [...found];
}
