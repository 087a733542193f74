import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { scripts } from "./fixtures";
import { killGroup } from "./kill-group";

// How a server's container runs and ends its agent, with stand-ins for the agent and for its API.

let folder: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "server-run-"));
  await mkdir(join(folder, "secrets"));
  await writeFile(join(folder, "secrets/management-token"), "manages");
});

afterEach(async () => {
  if (child?.pid !== undefined) killGroup(child.pid);
  await rm(folder, { recursive: true, maxRetries: 10 });
});

const STAND_INS: Readonly<Record<string, string>> = {
  // The agent: tells the signals that it gets, and ends at SIGTERM.
  "docker-entrypoint.sh": `
    trap 'echo HUP >>"$folder/events"' HUP
    trap 'echo TERM >>"$folder/events"; exit 7' TERM
    echo "$*" >"$folder/started"
    while kill -0 "$PPID" 2>/dev/null; do /bin/sleep 0.05; done`,
  consul: `
    [ "$*" != "acl bootstrap $folder/secrets/management-token" ] ||
      { echo bootstrap >>"$folder/events"; rm "$folder/void"; exit; }
    echo "consul $* $(cat "$CONSUL_HTTP_TOKEN_FILE")" >>"$folder/events"
    echo >>"$folder/transfers"
    [ "$(wc -l <"$folder/transfers")" -lt "$succeedsAt" ] || cp "$folder/next-leader" "$folder/leader"`,
  nc: `
    [ "$*" = '-w 15 127.0.0.1 8500' ] || exit 1
    request=$(cat)
    path=$(printf '%s' "$request" | sed -n '1s|^\\([A-Z]*\\) /v1/\\([^ ]*\\) HTTP/1.0.$|\\1 \\2|p')
    case $path in
      'GET status/leader') ;;
      # Asked until it succeeds, however often that is.
      'GET acl/token/self') [ ! -e "$folder/void" ] || { printf 'HTTP/1.1 403 Forbidden\\r\\n\\r\\nACL not found'; exit; } ;;
      *) echo "$path" >>"$folder/events" ;;
    esac
    printf '%s' "$request" | grep -q 'X-Consul-Token: manages' || [ "$path" = 'GET status/leader' ] || exit 1
    printf 'HTTP/1.0 200 OK\\r\\n\\r\\n'
    case $path in
      'GET status/leader') cat "$folder/leader" ;;
      'GET kv/consul-docker/servers?raw') cat "$folder/staying" ;;
      'GET operator/raft/configuration') cat "$folder/raft" ;;
      'GET catalog/node/server-2?stale') cat "$folder/registered" ;;
      'PUT catalog/deregister')
        printf '%s\\n' "$request" | tail -n 1 >>"$folder/events"
        cp "$folder/registers" "$folder/registered" ;;
    esac`,
};

const OWN = '"10.9.0.12:8300"';
const OTHER = '"10.9.0.11:8300"';
const RAFT = JSON.stringify({
  Servers: [
    { ID: "id-of-2", Node: "server-2", Address: "10.9.0.12:8300", Leader: true },
    { ID: "id-of-1", Node: "server-1", Address: "10.9.0.11:8300", Leader: false },
    { ID: "id-of-10", Node: "server-10", Address: "10.9.0.20:8300", Leader: false },
  ],
});

interface Scene {
  readonly leader: string;
  readonly staying?: string;
  /** How often leadership has to be handed over until somebody takes it. */
  readonly succeedsAt?: number;
  readonly signals: readonly NodeJS.Signals[];
  /** The server's ID. @default none yet */
  readonly own?: string;
  /** The ID that the catalog has for the server's name. @default none */
  readonly registered?: string;
  /** Whether Consul does not know the management token yet. @default false */
  readonly begins?: boolean;
}

const nodeOf = (id: string) =>
  id === "" ? "Not Found" : JSON.stringify({ Node: { ID: id, Node: "server-2" }, Services: {} });

/** Runs the script until it ends; resolves to what the agent got and was asked, in this order. */
async function run({
  leader,
  staying = "",
  succeedsAt = 1,
  signals,
  own = "",
  registered = "",
  begins,
}: Scene) {
  const write = (name: string, content: string, mode = 0o644) =>
    writeFile(join(folder, name), content, { mode });
  await Promise.all([
    write("events", ""),
    write("leader", leader),
    write("next-leader", OTHER),
    write("staying", staying),
    write("raft", RAFT),
    write("node-id", own),
    write("registered", nodeOf(registered)),
    write("registers", nodeOf(own)),
    ...(begins === true ? [write("void", "")] : []),
    ...Object.entries(STAND_INS).map(([name, body]) => write(name, `#!/bin/bash\n${body}\n`, 0o755)),
  ]);
  const program = scripts("agent-api.sh", "agent-secrets.sh", "server-run.sh")
    .replace("secrets=/consul/secrets", `secrets=${folder}/secrets`)
    .replace("never=/tmp/never", `never=${folder}/never`)
    .replace("known=/tmp/secrets-known", `known=${folder}/secrets-known`)
    // Another test has that.
    .replace("follow_secrets &", ": &")
    .replace("/consul/config/drain.json", `${folder}/drain.json`)
    .replace("/consul/data/node-id", `${folder}/node-id`)
    .replaceAll(/(sleep|nap) (?:[\d.]+|\$\(\(.*\)\))/g, "$1 0.05");
  const running = spawn("sh", ["-c", program, "server-run.sh", "server-2", "10.9.0.12", "agent", "-x"], {
    env: { PATH: `${folder}:${process.env["PATH"] ?? ""}`, folder, succeedsAt: `${succeedsAt}` },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  child = running;
  let output = "";
  running.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number>((resolve) =>
    running.on("close", (code) => {
      resolve(code ?? -1);
    }),
  );
  const read = (name: string) => readFile(join(folder, name), "utf8").catch(() => "");
  while ((await read("started")) === "") await sleep(10);
  expect(await read("started")).toBe("agent -x\n");
  if (own !== "") await sleep(1_000);
  for (const signal of signals) {
    running.kill(signal);
    await sleep(200);
  }
  const code = await ended;
  return {
    code,
    output,
    events: (await read("events")).split("\n").filter(Boolean),
    drain: await read("drain.json"),
  };
}

const TRANSFER = "consul operator raft transfer-leader manages";
const ASKED = "GET kv/consul-docker/servers?raw";
const STAYS = "server-1 server-2 server-3";
const DRAIN = { limits: { request_limits: { mode: "enforcing", read_rate: 0, write_rate: 0 } } };

test("an agent is told to read its files again", async () => {
  const { events } = await run({ leader: '""', signals: ["SIGHUP", "SIGTERM"] });

  expect(events).toEqual(["HUP", "TERM"]);
});

test("the container ends as its agent does", async () => {
  const { code } = await run({ leader: '""', signals: ["SIGTERM"] });

  expect(code).toBe(7);
});

test("a follower sends all requests elsewhere before it stops", async () => {
  const { events, drain } = await run({ leader: OTHER, staying: STAYS, signals: ["SIGTERM"] });

  expect(events).toEqual([ASKED, "HUP", "TERM"]);
  expect(JSON.parse(drain)).toEqual(DRAIN);
});

test("a leader makes another server the leader first", async () => {
  const { events, drain } = await run({ leader: OWN, staying: STAYS, signals: ["SIGTERM"] });

  expect(events).toEqual([ASKED, TRANSFER, "HUP", "TERM"]);
  expect(JSON.parse(drain)).toEqual(DRAIN);
});

test("a leader tries again where nobody takes it over", async () => {
  const { events } = await run({ leader: OWN, staying: STAYS, succeedsAt: 3, signals: ["SIGTERM"] });

  expect(events).toEqual([ASKED, ...Array<string>(3).fill(TRANSFER), "HUP", "TERM"]);
});

test("a leader that remains one serves until it stops", async () => {
  const { events, drain, output } = await run({
    leader: OWN,
    staying: STAYS,
    succeedsAt: 99,
    signals: ["SIGTERM"],
  });

  expect(events).toEqual([ASKED, ...Array<string>(10).fill(TRANSFER), "TERM"]);
  expect(drain).toBe("");
  expect(output).toBe("leadership could not be handed over\n");
});

test("a follower that the datacenter is to do without leaves its peers", async () => {
  const { events, drain } = await run({ leader: OTHER, staying: "server-1", signals: ["SIGTERM"] });

  expect(events).toEqual([ASKED, "GET operator/raft/configuration", "PUT agent/leave", "TERM"]);
  expect(drain).toBe("");
});

test("a leader that the datacenter is to do without hands over to one that stays", async () => {
  const { events } = await run({ leader: OWN, staying: "server-1", signals: ["SIGTERM"] });

  expect(events).toEqual([
    ASKED,
    "GET operator/raft/configuration",
    "consul operator raft transfer-leader -id=id-of-1 manages",
    "PUT agent/leave",
    "TERM",
  ]);
});

test("a server that does not know who stays does not leave", async () => {
  const { events } = await run({ leader: OWN, staying: "", signals: ["SIGTERM"] });

  expect(events).toEqual([ASKED, TRANSFER, "TERM"]);
});

test("a server without a leader stops at once", async () => {
  const { events } = await run({ leader: '""', staying: "server-1", signals: ["SIGTERM"] });

  expect(events).toEqual(["TERM"]);
});

describe("a server", () => {
  const LOOK = "GET catalog/node/server-2?stale";
  const start = (registered: string) =>
    run({ leader: '""', own: "new-id", registered, signals: ["SIGTERM"] });

  test("that lost its data takes its name from the node that it was before", async () => {
    const { events, output } = await start("old-id");

    expect(events).toEqual([LOOK, "PUT catalog/deregister", '{"Node":"server-2"}', LOOK, "TERM"]);
    expect(output).toBe("the name server-2 was that of the node old-id\n");
  });

  test("with its data has it already", async () => {
    const { events, output } = await start("new-id");

    expect(events).toEqual([LOOK, "TERM"]);
    expect(output).toBe("");
  });

  test("begins access control where it has not begun, once", async () => {
    const { events } = await run({
      leader: OTHER,
      own: "new-id",
      registered: "new-id",
      begins: true,
      signals: ["SIGTERM"],
    });

    expect(events.slice(0, 3)).toEqual(["bootstrap", LOOK, ASKED]);
  });

  test("that nobody knows yet waits until it is registered", async () => {
    const { events } = await start("");

    expect(events.length).toBeGreaterThan(3);
    expect(new Set(events)).toEqual(new Set([LOOK, "TERM"]));
  });
});
