import type * as childProcess from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { RefusedError, type ConsulApi } from "../../scripts/consul-api";
import { inspectSnapshot, saveSnapshot, tokensWithin } from "../../scripts/snapshot-file";

// Jest's process.env is a copy of its own, which child processes do not get unless they are handed it.
jest.mock("node:child_process", () => {
  const actual = jest.requireActual<typeof childProcess>("node:child_process");
  const spawn = (command: string, args: readonly string[], options: childProcess.SpawnOptions) =>
    actual.spawn(command, args, { ...options, env: process.env });
  return { ...actual, spawn };
});

const IMAGE = { id: "image", engine: {} };
let folder: string;
const path = process.env["PATH"];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "snapshot-file-"));
});

afterEach(async () => {
  process.env["PATH"] = path;
  await rm(folder, { recursive: true });
});

/** Puts a program in the place of Docker's. */
async function docker(program: string): Promise<void> {
  await writeFile(join(folder, "docker"), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  process.env["PATH"] = `${folder}:${path ?? ""}`;
}

const errorOf = (run: Promise<unknown>) => run.then(String, (error: unknown) => (error as Error).message);

describe("saving", () => {
  const never = new AbortController().signal;
  /** Consul, which answers one after the other of these. */
  const consul = (...answers: (() => Readable | Promise<Readable>)[]) => {
    const asked: string[] = [];
    const api = {
      download: async (what: string) => {
        asked.push(what);
        return (answers.shift() ?? fail("another answer"))();
      },
    };
    return { asked, api: api as unknown as ConsulApi };
  };
  const fail = (what: string): never => {
    throw new Error(`unplanned: ${what}`);
  };
  const whole = () => Readable.from([Buffer.from("sna"), Buffer.from("pshot")]);
  const broken = () =>
    Readable.from(
      (function* () {
        yield Buffer.from("sna");
        throw new Error("ECONNRESET");
      })(),
    );
  const refused = (status: number) => () => {
    throw new RefusedError(status, "url", "no");
  };
  /** Takes what is whole, as Consul's own command does. */
  const inspect = async (file: string) => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    if ((await readFile(file, "utf8")) !== "snapshot") throw new Error("no whole snapshot");
    return 41;
  };

  test("gives a file that its owner alone reads, in a folder that its owner alone enters", async () => {
    const { api, asked } = consul(whole);
    const file = join(folder, "backups", "a.snap");

    expect(await saveSnapshot(api, file, inspect, never)).toEqual({ index: 41, bytes: 8 });
    expect(asked).toEqual(["snapshot"]);
    expect(await readFile(file, "utf8")).toBe("snapshot");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "backups"))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, "backups"))).toEqual(["a.snap"]);
  });

  test("begins again where Consul loses the end", async () => {
    const { api } = consul(refused(500), broken, () => Readable.from([Buffer.from("sna")]), whole);

    expect(await saveSnapshot(api, join(folder, "a.snap"), inspect, never)).toEqual({ index: 41, bytes: 8 });
    expect(await readdir(folder)).toEqual(["a.snap"]);
  });

  test("gives up after five times, and leaves nothing", async () => {
    const { api, asked } = consul(broken, broken, broken, broken, broken);

    expect(await errorOf(saveSnapshot(api, join(folder, "a.snap"), inspect, never))).toBe("ECONNRESET");
    expect(asked).toHaveLength(5);
    expect(await readdir(folder)).toEqual([]);
  });

  test("gives up at once where it is not allowed to", async () => {
    const { api } = consul(refused(403));

    expect(await errorOf(saveSnapshot(api, join(folder, "a.snap"), inspect, never))).toBe(
      "Consul answers 403 at url: no",
    );
  });

  test("leaves nothing when it is interrupted, however far it is", async () => {
    const hanging = () => new Readable({ read: () => undefined });
    for (const during of ["the download", "the inspection"]) {
      const interrupted = new AbortController();
      const { api } = consul(during === "the download" ? hanging : whole);
      const saving = saveSnapshot(
        api,
        join(folder, "a.snap"),
        () => {
          interrupted.abort();
          return Promise.resolve(41);
        },
        interrupted.signal,
      );
      if (during === "the download")
        setTimeout(() => {
          interrupted.abort();
        }, 50);

      expect([during, await errorOf(saving)]).toEqual([during, "interrupted; nothing is saved"]);
      expect(await readdir(folder)).toEqual([]);
    }
  });

  test("takes no file's place", async () => {
    const file = join(folder, "a.snap");
    await writeFile(file, "older");
    const { api, asked } = consul();

    expect(await errorOf(saveSnapshot(api, file, inspect, never))).toBe(
      `${file} is there already; a snapshot takes no file's place`,
    );
    expect([asked, await readFile(file, "utf8")]).toEqual([[], "older"]);
  });
});

describe("inspecting", () => {
  test("shows the file to Consul's own command, in a container that can do nothing else", async () => {
    await docker(
      `echo "$*" >${folder}/args; cat >${folder}/seen; echo '{"Meta":{"ID":"2-41-1","Index":41}}'`,
    );
    const file = join(folder, "a.snap");
    await writeFile(file, "snapshot");

    expect(await inspectSnapshot(file, { id: "sha256:consul", engine: {} })).toBe(41);
    expect(await readFile(join(folder, "seen"), "utf8")).toBe("snapshot");
    expect(await readFile(join(folder, "args"), "utf8")).toBe(
      "run --rm -i --pull never --user 100:1000 --network none --cap-drop ALL --security-opt no-new-privileges --entrypoint sh sha256:consul -c cat >/tmp/snapshot && consul snapshot inspect -format=json /tmp/snapshot\n",
    );
  });

  test("says in one line that it is no whole snapshot, and why", async () => {
    await docker(
      "echo '2026-11-25T15:09:47Z [ERROR] log' >&2; echo 'Error reading snapshot: unexpected EOF' >&2; echo more >&2; exit 1",
    );
    const file = join(folder, "a.snap");
    await writeFile(file, "snap");

    expect(await errorOf(inspectSnapshot(file, IMAGE))).toBe(
      `${file} is no whole snapshot (Error reading snapshot: unexpected EOF)`,
    );
  });

  test("does not blame the file for what Docker cannot do", async () => {
    await docker("echo 'docker: no such image' >&2; exit 125");
    await writeFile(join(folder, "a.snap"), "snap");

    expect(await errorOf(inspectSnapshot(join(folder, "a.snap"), IMAGE))).toBe("docker: no such image");
  });

  test("says that a file is not there", async () => {
    expect(await errorOf(inspectSnapshot(join(folder, "a.snap"), IMAGE))).toBe(
      `${folder}/a.snap cannot be read: ENOENT`,
    );
  });
});

test("a token is found wherever it is in a snapshot, and no other", async () => {
  const token = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
  const other = "11111111-4f89-41d3-9a0c-0305e82c3301";
  const file = join(folder, "a.snap");
  await fc.assert(
    fc.asyncProperty(fc.nat(200_000), fc.uint8Array({ maxLength: 50 }), async (before, after) => {
      await writeFile(file, gzipSync(Buffer.concat([Buffer.alloc(before, 0xff), Buffer.from(token), after])));
      expect(await tokensWithin(file, [other, token])).toEqual([token]);
    }),
    // Where one piece of the file ends and the next one begins.
    { numRuns: 20, examples: [16_384, 16_366, 16_349].map((before) => [before, new Uint8Array()]) },
  );
});
