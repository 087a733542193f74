import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { scripts } from "./fixtures";
import { killGroup } from "./kill-group";

// How an agent hears of changed secrets, with stand-ins for the agent and for its API.

let folder: string;
let secrets: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "agent-secrets-"));
  secrets = join(folder, "secrets");
  await mkdir(secrets);
  await writeFile(join(secrets, "members.json"), "{}");
  await writeFile(join(folder, "events"), "");
});

afterEach(async () => {
  if (child?.pid !== undefined) killGroup(child.pid);
  await rm(folder, { recursive: true, maxRetries: 10 });
});

const STAND_INS: Readonly<Record<string, string>> = {
  "docker-entrypoint.sh": `
    trap 'echo HUP >>"$folder/events"' HUP
    echo "$*" >>"$folder/events"
    while kill -0 "$parent" 2>/dev/null; do sleep 0.05; done`,
  nc: `cat >/dev/null; cat "$folder/answer" 2>/dev/null`,
};

/** Starts an agent by its script, with all waits cut short. */
async function start(script: string): Promise<void> {
  await Promise.all(
    Object.entries(STAND_INS).map(([name, body]) =>
      writeFile(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 }),
    ),
  );
  const program = scripts("agent-api.sh", "agent-secrets.sh", script)
    .replace("secrets=/consul/secrets", `secrets=${secrets}`)
    .replace("never=/tmp/never", `never=${folder}/never`)
    .replace("known=/tmp/secrets-known", `known=${folder}/secrets-known`)
    .replaceAll(/nap 1/g, "nap 0.05");
  child = spawn(
    "sh",
    ["-c", program, script, ...(script === "server-run.sh" ? ["server-1", "10.9.0.11"] : []), "agent"],
    {
      env: { PATH: `${folder}:${process.env["PATH"] ?? ""}`, folder, parent: String(process.pid) },
      stdio: "inherit",
      detached: true,
    },
  );
}

const answer = () => writeFile(join(folder, "answer"), 'HTTP/1.0 200 OK\r\n\r\n""\n');
/** A change as its folder shows it: by a time of its own. */
const replaced = (year: number) => utimes(secrets, new Date(year, 1), new Date(year, 1));
const events = async () => (await readFile(join(folder, "events"), "utf8")).split("\n").filter(Boolean);

/** What has happened once there is nothing more to come. */
async function settled(): Promise<string[]> {
  await sleep(1_000);
  return events();
}

describe.each(["client-run.sh", "server-run.sh"])("%s", (script) => {
  test("tells an agent to read its secrets once it answers, since they may have changed while it started", async () => {
    await start(script);
    expect(await settled()).toEqual(["agent"]);

    await answer();
    expect(await settled()).toEqual(["agent", "HUP"]);
  });

  test("tells it so again whenever they changed, whatever the clock says", async () => {
    await replaced(2020);
    await answer();
    await start(script);
    expect(await settled()).toEqual(["agent", "HUP"]);

    await replaced(2021);
    expect(await settled()).toEqual(["agent", "HUP", "HUP"]);
    await replaced(2019);
    expect(await settled()).toEqual(["agent", "HUP", "HUP", "HUP"]);
  });

  test("waits until each file can be read", async () => {
    await answer();
    await start(script);
    await settled();

    await symlink(join(folder, "token"), join(secrets, "tokens.json"));
    await replaced(2022);
    expect(await settled()).toEqual(["agent", "HUP"]);

    await writeFile(join(folder, "token"), "");
    expect(await settled()).toEqual(["agent", "HUP", "HUP"]);
  });
});
