import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scripts } from "./fixtures";

// What runs every health check, as containers run it; a rest is written down instead of taken.

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rest-"));
  await writeFile(join(folder, "sleep"), `#!/bin/sh\necho "rested $1" >>"${folder}/done"\n`, { mode: 0o755 });
});

afterEach(() => rm(folder, { recursive: true }));

/** Runs a check with this command, and resolves to its exit code, its output and what happened until it had ended. */
async function check(command: string) {
  await writeFile(join(folder, "done"), "");
  const script = scripts("rest.sh").replace("state=/tmp/health", `state=${folder}/health`);
  const test = `echo checked >>"${folder}/done"; ${command}`;
  const child = spawn(
    "sh",
    ["-c", script, "rest.sh", "30", "sh", "-c", `${test} # $*`, "test.sh", "one two"],
    {
      env: { PATH: `${folder}:${process.env["PATH"] ?? ""}` },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  const done = (await readFile(join(folder, "done"), "utf8")).split("\n").filter(Boolean);
  return { end: code ?? signal, output, done };
}

const PASS = 'echo "fine: $1"';
const FAIL = "echo ill; exit 3";

test("the first check of a container comes at once, and says what it finds", async () => {
  expect(await check(PASS)).toEqual({ end: 0, output: "fine: one two\n", done: ["checked"] });
});

test("a check after one that succeeded rests first", async () => {
  await check(PASS);

  expect(await check(PASS)).toEqual({ end: 0, output: "fine: one two\n", done: ["rested 30", "checked"] });
  expect(await check(FAIL)).toEqual({ end: 1, output: "ill\n", done: ["rested 30", "checked"] });
});

test("a check after one that failed comes at once", async () => {
  await check(PASS);
  await check(FAIL);

  expect((await check(FAIL)).done).toEqual(["checked"]);
  expect((await check(PASS)).done).toEqual(["checked"]);
  expect((await check(PASS)).done).toEqual(["rested 30", "checked"]);
});

test("a check after one that was cut off comes at once", async () => {
  await check(PASS);
  expect((await check("kill -KILL $PPID")).end).toBe("SIGKILL");

  expect((await check(PASS)).done).toEqual(["checked"]);
});
