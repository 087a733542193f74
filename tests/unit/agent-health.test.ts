import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentHealth } from "./fixtures";

// The checks as containers run them, with stand-ins for the agent and for what else they call.

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "agent-health-"));
  await mkdir(join(folder, "secrets"));
});

afterEach(() => rm(folder, { recursive: true }));

/** What the agent answers, by the path below /v1; a path without an answer gets no connection. */
type Answers = Readonly<Record<string, string>>;

interface Ran {
  readonly code: number;
  readonly output: string;
  /** What the agent was asked: the path below /v1, and the token. */
  readonly asked: readonly (readonly [path: string, token: string])[];
  /** Every other command, with its arguments. */
  readonly commands: readonly string[];
}

const ok = (body: string) => `HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n${body}`;
const LEADER = ok('"10.9.0.11:8300"');
const NO_LEADER = ok('""');

const STAND_INS: Readonly<Record<string, string>> = {
  nc: `
    [ "$*" = '-w 15 127.0.0.1 8500' ] || exit 1
    request=$(cat | tee "$folder/request")
    printf '%s\\n' "$request" >>"$folder/asked"
    path=$(sed -n '1s|^GET /v1/\\([^ ]*\\) HTTP/1.0.$|\\1|p' "$folder/request" | tr / _)
    cat "$folder/answer-$path"`,
  nslookup: 'grep -qx "$1" "$folder/names"',
  consul: "exit 0",
};

/** Runs a health check; `names` are the hosts that resolve, `secrets` the files in the agent's volume. */
async function check(
  [script, ...args]: readonly [script: string, ...args: string[]],
  answers: Answers,
  { names = [], secrets = {} }: { names?: string[]; secrets?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const write = (name: string, content: string, mode = 0o644) =>
    writeFile(join(folder, name), content, { mode });
  await Promise.all([
    write("names", names.map((name) => `${name}\n`).join("")),
    write("asked", ""),
    write("commands", ""),
    ...Object.entries(secrets).map(([name, content]) => write(`secrets/${name}`, content)),
    ...Object.entries(answers).map(([path, answer]) => write(`answer-${path.replaceAll("/", "_")}`, answer)),
    ...Object.entries(STAND_INS).map(([name, body]) =>
      write(name, `#!/bin/sh\necho "${name} $*" >>"$folder/commands"\n${body}\n`, 0o755),
    ),
  ]);

  const [shell = "", option = "", text = "", ...rest] = agentHealth(script, ...args).tests.slice(6);
  const program = text.replace("secrets=/consul/secrets", `secrets=${folder}/secrets`);
  const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, folder };
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile(shell, [option, program, ...rest], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
  const log = async (name: string) => readFile(join(folder, name), "utf8");
  return {
    code,
    output,
    asked: [...(await log("asked")).matchAll(/GET \/v1\/(\S+) .*\r\nX-Consul-Token: (.*)\r\n/g)].map(
      ([, path = "", token = ""]) => [path, token] as const,
    ),
    commands: (await log("commands")).split("\n").filter((line) => line !== "" && !line.startsWith("nc ")),
  };
}

describe("an agent", () => {
  test("that does not answer is not healthy", async () => {
    const ran = await check(["client-health.sh"], {});

    expect(ran).toMatchObject({ code: 1, commands: [] });
    expect(ran.output).toContain("the agent does not answer\n");
  });

  test("that answers with an error is not healthy", async () => {
    const ran = await check(["client-health.sh"], {
      "status/leader": "HTTP/1.0 500 Internal Server Error\r\n\r\nrpc error\n",
    });

    expect(ran).toMatchObject({ code: 1, output: "the agent does not answer\n", commands: [] });
  });
});

describe("a client", () => {
  test("is healthy with a leader", async () => {
    const ran = await check(["client-health.sh"], { "status/leader": LEADER });

    expect(ran).toMatchObject({ code: 0, output: "", asked: [["status/leader", ""]] });
  });

  test("is not healthy without a leader", async () => {
    const ran = await check(["client-health.sh"], { "status/leader": NO_LEADER });

    expect(ran).toMatchObject({ code: 1, output: "no leader\n" });
  });
});

describe("a server before the first election", () => {
  const THREE = ["server-health.sh", "server-2"] as const;
  const PEERS = { peers: "server-1 server-3\n" };
  const beginning = (...members: string[]): Answers => ({
    "status/leader": NO_LEADER,
    "status/peers": ok("[]"),
    "agent/members": ok(JSON.stringify(members.map((Name) => ({ Name, Addr: "10.9.0.9", Status: 1 })))),
  });

  test("is healthy while a peer is still to come", async () => {
    const ran = await check([...THREE], beginning("server-2", "server-1"), {
      names: ["server-1"],
      secrets: PEERS,
    });

    expect(ran).toMatchObject({ code: 0, output: "before the first election\n" });
  });

  test("is healthy as the first one", async () => {
    const ran = await check([...THREE], beginning("server-2"), { secrets: PEERS });

    expect(ran).toMatchObject({ code: 0, output: "before the first election\n" });
  });

  test("is not healthy while a peer runs that it has not joined", async () => {
    const ran = await check([...THREE], beginning("server-2"), {
      names: ["server-3"],
      secrets: PEERS,
    });

    expect(ran).toMatchObject({
      code: 1,
      output: "server-3 runs, but this server has not joined it yet\n",
    });
  });

  test("does not take a peer for another one whose name begins alike", async () => {
    const ran = await check([...THREE], beginning("server-2", "server-10", "server-3"), {
      names: ["server-1"],
      secrets: PEERS,
    });

    expect(ran).toMatchObject({
      code: 1,
      output: "server-1 runs, but this server has not joined it yet\n",
    });
  });

  test("is not healthy when all peers are there: now they must elect one", async () => {
    const ran = await check([...THREE], beginning("server-1", "server-2", "server-3"), {
      secrets: PEERS,
    });

    expect(ran).toMatchObject({ code: 1, output: "no leader\n" });
  });

  test("is not healthy when it is to be alone: it must elect itself", async () => {
    const ran = await check(["server-health.sh", "server-1"], beginning("server-1"), {
      secrets: { peers: "\n" },
    });

    expect(ran).toMatchObject({ code: 1, output: "no leader\n" });
  });

  test("sees its members by the one token that is good without a leader", async () => {
    const secrets = { ...PEERS, "recovery-token": "recovers", "management-token": "manages" };

    const { asked } = await check([...THREE], beginning("server-2"), { secrets });

    expect(asked).toEqual([
      ["status/leader", ""],
      ["status/peers", ""],
      ["agent/members", "recovers"],
    ]);
  });
});

test("a server that has peers, but no leader, is not healthy, whoever is away", async () => {
  const answers = { "status/leader": NO_LEADER, "status/peers": ok('["10.9.0.11:8300"]') };

  const ran = await check(["server-health.sh", "server-2"], answers);

  expect(ran).toMatchObject({ code: 1, output: "no leader\n" });
});

describe("a server with a leader", () => {
  const SECOND = ["server-health.sh", "server-2"] as const;
  /** Autopilot's state, in the form in which Consul answers. */
  const autopilot = (health: Readonly<Record<string, boolean>>): Answers => ({
    "status/leader": LEADER,
    "operator/autopilot/state": ok(
      JSON.stringify({
        Healthy: Object.values(health).every(Boolean),
        FailureTolerance: 1,
        Leader: "id-1",
        Voters: ["id-1"],
        Servers: Object.fromEntries(
          Object.entries(health).map(([Name, Healthy], index) => [
            `id-${index + 1}`,
            {
              ...{ ID: `id-${index + 1}`, Name, Address: `10.9.0.1${index + 1}:8300`, NodeStatus: "alive" },
              ...{ Version: "1.22.7", LastContact: "0s", LastTerm: 2, LastIndex: 91, Healthy },
              ...{
                StableSince: "2026-11-25T00:00:00Z",
                Status: "voter",
                Meta: { build: "1" },
                NodeType: "voter",
              },
            },
          ]),
        ),
      }),
    ),
  });
  const UNHEALTHY = { code: 1, output: "autopilot does not call this server a healthy voter\n" };

  test("is healthy where autopilot finds it so, whatever the others are", async () => {
    const ran = await check([...SECOND], autopilot({ "server-1": false, "server-2": true }));

    expect(ran).toMatchObject({ code: 0, output: "follower, not all servers healthy\n" });
  });

  test("says whether it leads, and that all are healthy", async () => {
    const follower = await check([...SECOND], autopilot({ "server-1": true, "server-2": true }));
    const leader = await check(
      ["server-health.sh", "server-1"],
      autopilot({ "server-1": true, "server-2": true }),
    );

    expect(follower).toMatchObject({ code: 0, output: "follower, all servers healthy\n" });
    expect(leader).toMatchObject({ code: 0, output: "leader, all servers healthy\n" });
  });

  test("is not healthy where autopilot finds it so, whatever the others are", async () => {
    const ran = await check([...SECOND], autopilot({ "server-1": true, "server-2": false }));

    expect(ran).toMatchObject(UNHEALTHY);
  });

  test("is not healthy where autopilot does not know it yet", async () => {
    const ran = await check([...SECOND], autopilot({ "server-1": true, "server-20": true }));

    expect(ran).toMatchObject(UNHEALTHY);
  });

  test("is not healthy where autopilot does not answer", async () => {
    const ran = await check([...SECOND], { "status/leader": LEADER });

    expect(ran.code).toBe(1);
  });

  test("is not healthy before access control has begun", async () => {
    const forbidden = "HTTP/1.0 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nACL not found";

    const ran = await check([...SECOND], { "status/leader": LEADER, "operator/autopilot/state": forbidden });

    expect(ran).toMatchObject({ code: 1, output: "access control has not begun\n", commands: [] });
  });

  test("is shown the management token, which is in no argument of a command", async () => {
    const secrets = { "recovery-token": "recovers", "management-token": "manages" };

    const { asked } = await check([...SECOND], autopilot({ "server-2": true }), { secrets });

    expect(asked).toEqual([
      ["status/leader", ""],
      ["operator/autopilot/state", "manages"],
    ]);
    const commands = await readFile(join(folder, "commands"), "utf8");
    expect(commands.split("\n")).toEqual(["nc -w 15 127.0.0.1 8500", "nc -w 15 127.0.0.1 8500", ""]);
  });
});
