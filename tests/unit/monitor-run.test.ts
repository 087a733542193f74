import { spawn, type ChildProcess } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { scripts } from "./fixtures";
import { killGroup } from "./kill-group";

// How a monitor's container runs and ends its consul-esm, with stand-ins for that and for the agent's API.

let folder: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "monitor-run-"));
});

afterEach(async () => {
  if (child?.pid !== undefined) killGroup(child.pid);
  await rm(folder, { recursive: true, maxRetries: 10 });
});

const STAND_INS: Readonly<Record<string, string>> = {
  // Takes no signal that can be refused, as one that takes its time.
  "consul-esm": `
    trap '' TERM
    echo "consul-esm $*" >>"$folder/events"
    while [ ! -e "$folder/die" ]; do /bin/sleep 0.05; done
    exit 7`,
  // Takes the request up to its empty line: who waits for an answer keeps the connection open.
  nc: `
    read -r method path _
    while read -r line && [ "$line" != $'\\r' ]; do
      case $line in Content-Length:*) length=$(printf %s "\${line#*: }" | tr -d '\\r') ;; esac
    done
    body=
    [ "$length" = 0 ] || read -r -N "$length" body
    path=\${path#/v1/}
    answer() { printf 'HTTP/1.0 200 OK\\r\\nX-Consul-Index: %s\\r\\n\\r\\n%s\\n' "$1" "$2"; }
    case "$method $path" in
      'GET status/leader') answer 0 "$(cat "$folder/leader")" ;;
      'GET kv/consul-esm/leader') answer 0 "$(cat "$folder/lock")" ;;
      'GET agent/service/'*) printf 'HTTP/1.0 %s\\r\\n\\r\\n' "$(cat "$folder/registered")" ;;
      'GET session/info/'*) answer 0 '[{"Node":"client-1"}]' ;;
      'GET health/service/'*) answer 0 "$(cat "$folder/passing")" ;;
      'GET kv/consul-esm/agents/'*)
        index=\${path#*index=}
        index=\${index%&*}
        while [ -e "$folder/shares" ] && [ "$(wc -l <"$folder/shares")" -le "$index" ]; do /bin/sleep 0.05; done
        [ ! -e "$folder/shares" ] || answer "$((index + 1))" "$(sed -n "$((index + 1))p" "$folder/shares")" ;;
      *) echo "$method $path $body" >>"$folder/events"; answer 0 true ;;
    esac`,
};

interface Scene {
  /** The node whose sessions are the monitor's alone. @default client-1 */
  readonly node?: string;
  /** Session that holds the lock. @default none */
  readonly session?: string;
  /** Monitors that pass. @default this one */
  readonly passing?: readonly string[];
}

const share = (nodes: string) => `[{"Key":"k","Value":"${Buffer.from(nodes).toString("base64")}"}]\n`;
const events = async () =>
  (await readFile(join(folder, "events"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => line.trimEnd());

/** Starts the script, and waits for its consul-esm; resolves when that is wanted to its exit code. */
async function start({ node = "client-1", session, passing = ["monitor-1"] }: Scene = {}) {
  const write = (name: string, content: string, mode = 0o644) =>
    writeFile(join(folder, name), content, { mode });
  const entries = passing.map((name) => `{"Service":{"ID":"consul-esm:${name}"}}`);
  await Promise.all([
    write("events", ""),
    write("leader", '"10.9.0.11:8300"'),
    write("lock", session === undefined ? "[{}]" : `[{"Session":"${session}"}]`),
    write("passing", `[${entries.join(",")}]`),
    write("shares", share("a")),
    write("registered", "404 Not Found"),
    ...Object.entries(STAND_INS).map(([name, body]) => write(name, `#!/bin/bash\n${body}\n`, 0o755)),
  ]);
  const program = scripts("agent-api.sh", "monitor-run.sh")
    .replaceAll("/tmp/", `${folder}/`)
    .replaceAll(/sleep \d+/g, "/bin/sleep 0.05");
  const running = spawn(
    "sh",
    ["-c", program, "monitor-run.sh", "consul-esm:monitor-1", node, "-config-file=/run/consul/token.json"],
    {
      env: { PATH: `${folder}:${process.env["PATH"] ?? ""}`, folder, CONFIG: '{"a":1}' },
      stdio: ["ignore", "ignore", "inherit"],
      detached: true,
    },
  );
  child = running;
  const code = new Promise<number>((resolve) =>
    running.on("exit", (status) => {
      resolve(status ?? -1);
    }),
  );
  while (!(await events()).some((event) => event.startsWith("consul-esm "))) await sleep(20);
  return { running, code };
}

const DEREGISTER = "PUT agent/service/deregister/consul-esm:monitor-1";
const RUN = () => `consul-esm -config-file=${folder}/consul-esm.json -config-file=/run/consul/token.json`;
const RELEASE = ["PUT kv/consul-esm/leader?release=s1&flags=3304740253564472344", "PUT session/destroy/s1"];

test("takes back the entry and the lock that it has left, before it starts", async () => {
  await start({ session: "s1" });

  expect(await events()).toEqual([DEREGISTER, ...RELEASE, RUN()]);
  expect(await readFile(join(folder, "consul-esm.json"), "utf8")).toBe('{"a":1}');
});

test("leaves the lock alone that nobody has, or that may be another's", async () => {
  await start();
  expect(await events()).toEqual([DEREGISTER, RUN()]);
  if (child?.pid !== undefined) killGroup(child.pid);

  await start({ node: "client-2", session: "s1" });
  expect(await events()).toEqual([DEREGISTER, RUN()]);
  if (child?.pid !== undefined) killGroup(child.pid);

  await start({ node: "-", session: "s1" });
  expect(await events()).toEqual([DEREGISTER, RUN()]);
});

test("ends with its consul-esm, and as that does", async () => {
  const { code } = await start();

  await writeFile(join(folder, "die"), "");

  expect(await code).toBe(7);
});

test("hands its nodes over before it stops, and takes back all that it has", async () => {
  const { running, code } = await start({ session: "s1", passing: ["monitor-1", "monitor-2"] });
  await writeFile(join(folder, "events"), "");

  running.kill("SIGTERM");

  expect(await code).toBe(0);
  expect(await events()).toEqual([DEREGISTER, DEREGISTER, ...RELEASE]);
});

test("lets a check come and go, twice, when its nodes are others, and only then", async () => {
  await start();
  await writeFile(join(folder, "events"), "");
  const flash = [
    'PUT agent/check/register {"ID":"consul-esm:monitor-1:share","Name":"Other nodes","ServiceID":"consul-esm:monitor-1","TTL":"1h","Status":"passing"}',
    "PUT agent/check/deregister/consul-esm:monitor-1:share",
  ];

  await appendFile(join(folder, "shares"), share("a"));
  await sleep(500);
  expect(await events()).toEqual([""]);

  await appendFile(join(folder, "shares"), share("b"));
  while ((await events()).length < 4) await sleep(20);
  await sleep(300);
  expect(await events()).toEqual([...flash, ...flash]);
});

test("starts anew when its agent comes back and knows nothing of it, and only then", async () => {
  const { code } = await start();
  await writeFile(join(folder, "registered"), "200 OK");
  await rm(join(folder, "shares"));
  await sleep(500);
  expect(child?.exitCode).toBeNull();

  await writeFile(join(folder, "registered"), "404 Not Found");

  expect(await code).toBe(137);
});
