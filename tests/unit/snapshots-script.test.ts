import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { killGroup } from "./kill-group";

// The script as the container runs it, with a stand-in for Consul.

const CONSUL = `#!/bin/sh
echo "$CONSUL_HTTP_ADDR $*" >>"$there/commands"
case "$1 $2" in
  'snapshot save')
    [ ! -e "$there/hangs" ] || exec sleep 20
    [ "$CONSUL_HTTP_ADDR" != http://lost ] && echo 'state' >"$3" ;;
  'snapshot inspect')
    [ ! -e "$there/corrupt" ] || exit 1
    printf '{\\n   "Meta": {\\n      "ID": "2-41-1",\\n      "Index": 41,\\n      "Term": 2\\n   }\\n}\\n' ;;
  'kv put') echo "$4" >"$there/newest" ;;
esac
`;

let folder: string;
let running: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "snapshots-"));
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "consul"), CONSUL, { mode: 0o755 });
});

afterEach(async () => {
  // With the snapshot that it may be taking, which goes on writing for a moment where it was killed just now.
  if (running?.pid !== undefined) killGroup(running.pid);
  await rm(folder, { recursive: true, maxRetries: 10 });
});

/** Starts the script; resolves to its exit code once it has ended. */
async function start(...urls: readonly string[]): Promise<number | null> {
  const text = await readFile("components/snapshots.sh", "utf8");
  const program = text
    .replace("\nfolder=/consul/data\n", `\nfolder=${folder}/data\n`)
    .replace(/sleep \$\(\((.*)\)\)/, 'sleep 0.2; echo "$(($1))" >>"$there/slept"');
  const child = spawn("sh", ["-c", program, "snapshots.sh", "dc7", "60", "2", "the/key", ...urls], {
    env: { PATH: `${folder}:${process.env["PATH"] ?? ""}`, there: folder },
    stdio: "ignore",
    detached: true,
  });
  running = child;
  return new Promise((resolve) => child.on("exit", resolve));
}

const kept = async () => (await readdir(join(folder, "data"))).filter((name) => name !== "partial").sort();
const commands = async () =>
  (await readFile(join(folder, "commands"), "utf8").catch(() => "")).split("\n").filter(Boolean);
const age = (name: string, seconds: number) =>
  utimes(join(folder, "data", name), Date.now() / 1000, Date.now() / 1000 - seconds);

async function until(done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${(await commands()).join(", ")}`);
    await sleep(50);
  }
}

const published = () => readFile(join(folder, "newest"), "utf8").catch(() => undefined);

test("takes one at once, verifies it before it gets its name, and says so under the key", async () => {
  void start("http://a");
  await until(async () => (await published()) !== undefined);

  const [name = ""] = await kept();
  expect(name).toMatch(/^dc7-\d{8}T\d{6}Z\.snap$/);
  const partial = `${folder}/data/partial/${name}`;
  expect(await commands()).toEqual([
    `http://a snapshot save ${partial}`,
    `http://a snapshot inspect -format=json ${partial}`,
    expect.stringContaining("http://a kv put the/key ") as string,
  ]);
  expect(JSON.parse((await published()) ?? "")).toEqual({
    name,
    takenAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    bytes: 6,
    index: 41,
    kept: 1,
  });
});

test("lets nobody else read what it keeps", async () => {
  void start("http://a");
  await until(async () => (await kept()).length === 1);

  const [name = ""] = await kept();
  expect((await stat(join(folder, "data", name))).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, "data", "partial"))).mode & 0o777).toBe(0o700);
});

test("keeps the newest ones alone", async () => {
  const old = ["dc7-20250101T000000Z.snap", "dc7-20260101T000000Z.snap"];
  for (const name of old) {
    await writeFile(join(folder, "data", name), "");
    await age(name, 100);
  }
  void start("http://a");
  await until(async () => (await published()) !== undefined);

  expect(await kept()).toEqual([old[1], expect.stringMatching(/^dc7-/) as string]);
  expect(JSON.parse((await published()) ?? "")).toMatchObject({ kept: 2 });
});

test("takes none while the newest one is young, and one as soon as it is not", async () => {
  const name = "dc7-20260101T000000Z.snap";
  await writeFile(join(folder, "data", name), "");
  await age(name, 50);
  void start("http://a");
  await sleep(1000);
  expect(await commands()).toEqual([]);

  await age(name, 60);
  await until(async () => (await kept()).length === 2);
});

test("sleeps until the next one is due, but a minute at most, and only a moment after one that failed", async () => {
  const name = "dc7-20260101T000000Z.snap";
  const slept = async () =>
    (await readFile(join(folder, "slept"), "utf8").catch(() => "")).split("\n").filter(Boolean).map(Number);
  await writeFile(join(folder, "data", name), "");
  await writeFile(join(folder, "corrupt"), "");
  void start("http://a");

  await age(name, -100);
  await until(async () => (await slept()).at(-1) === 60);
  await age(name, 30);
  await until(async () => [29, 30].includes((await slept()).at(-1) ?? 0));
  await age(name, 90);
  await until(async () => (await slept()).at(-1) === 5);
});

test("asks another agent where one is lost", async () => {
  void start("http://lost", "http://b");
  await until(async () => (await published()) !== undefined);

  expect((await commands()).map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
    "http://lost snapshot save",
    "http://b snapshot save",
    "http://b snapshot inspect",
    "http://b kv put",
  ]);
});

test("does not keep, or speak of, what cannot be verified, and tries again", async () => {
  const name = "dc7-20260101T000000Z.snap";
  await writeFile(join(folder, "data", name), "");
  await age(name, 100);
  await writeFile(join(folder, "corrupt"), "");
  void start("http://a");
  await until(async () => (await commands()).length > 2);
  expect(await kept()).toEqual([name]);
  expect(await published()).toBeUndefined();

  await rm(join(folder, "corrupt"));
  await until(async () => (await kept()).length === 2);
});

test("begins without what was not finished", async () => {
  await mkdir(join(folder, "data", "partial"));
  await writeFile(join(folder, "data", "partial", "half"), "");
  void start("http://a");
  await until(async () => (await kept()).length === 1);

  expect(await readdir(join(folder, "data", "partial"))).toEqual([]);
});

test("ends at once when it is told to, even while an agent lets it wait", async () => {
  await writeFile(join(folder, "hangs"), "");
  const ended = start("http://a");
  await until(async () => (await commands()).length > 0);
  const before = Date.now();
  running?.kill("SIGTERM");

  expect(await ended).toBe(0);
  expect(Date.now() - before).toBeLessThan(1000);
});
