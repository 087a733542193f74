import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConsulApi } from "../../scripts/consul-api";
import { docker, expectSuccess } from "../integration/command";
import { deregister } from "../integration/consul";
import { eventually } from "../integration/eventually";
import { products } from "../integration/gateway";
import { servicesAt, TEST_STACK, TestStack } from "../integration/test-stack";

// Snapshots of a small datacenter, taken at an interval and by hand, and brought back: into the same datacenter, and
// into an empty one.
jest.setTimeout(600_000);

const TAKER = "consul-docker-bak-snapshots";
const SECONDS = 1000;

let stack: TestStack;
let folder: string;
let consul: ConsulApi;
let managementToken: string;

async function connect(): Promise<void> {
  const outputs = await stack.outputs();
  managementToken = outputs.managementToken ?? "";
  consul = new ConsulApi(outputs);
}

beforeAll(async () => {
  stack = await TestStack.create("bak");
  folder = await mkdtemp(join(tmpdir(), "consul-docker-backups-"));
  await stack.configure({
    ...TEST_STACK,
    datacenter: "bak",
    subnet: "10.95.0.0/24",
    httpPort: 19530,
    dnsPort: 19630,
    servers: 1,
    clients: 1,
    https: true,
    snapshots: { intervalMinutes: 1, keep: 2 },
    services: servicesAt(19110).map((service) => ({ ...service, instances: 1 })),
  });
  expectSuccess(await stack.up());
  await connect();
});

afterAll(async () => {
  await stack.remove();
  await rm(folder, { recursive: true, force: true });
});

interface Token {
  readonly AccessorID: string;
  readonly SecretID: string;
  readonly Description: string;
  readonly Policies: { readonly Name: string }[] | null;
  readonly NodeIdentities: unknown;
}
const TEAM = "the team's own";

/** What a team may have in Consul beside what the stack file says. */
async function writeTeamsData(): Promise<void> {
  for (let number = 0; number < 50; number++) await consul.send("PUT", `kv/team/${number}`, { number });
  // A snapshot beyond 512 KiB, which is as much as Consul takes of other requests.
  for (const key of ["a", "b", "c", "d"])
    await consul.send("PUT", `kv/team/${key}`, randomBytes(200_000).toString("hex"));
  await consul.send("PUT", "config", {
    Kind: "service-defaults",
    Name: "catalog",
    Protocol: "http2",
    Meta: { owner: "team" },
  });
  await consul.send("PUT", "acl/policy", { Name: "team", Rules: 'key_prefix "team/" { policy = "read" }' });
  await consul.send("PUT", "acl/token", { Description: TEAM, Policies: [{ Name: "team" }] });
}

/**
 * Everything that Consul stores, but for what an agent says of itself. The stack's own tokens and policies are told by
 * what they may do, not by their IDs: another datacenter has others.
 */
async function data() {
  const [keys, nodes, names, tokens, policies, defaults] = await Promise.all([
    consul.get<{ Key: string; Value: string }[]>("kv/?recurse"),
    consul.get<{ Node: string; Address: string; Meta: Record<string, string> | null }[]>("catalog/nodes"),
    consul.get<Record<string, string[]>>("catalog/services"),
    consul.get<Token[]>("acl/tokens"),
    consul.get<{ ID: string; Name: string }[]>("acl/policies"),
    consul.get<unknown[]>("config/service-defaults"),
  ]);
  const entries = await Promise.all(
    Object.keys(names).map((name) =>
      consul
        .get<Record<string, unknown>[]>(`catalog/service/${name}`)
        .then((found) =>
          found.map((entry) => [
            ...["Node", "Address", "ServiceID", "ServiceName"].map((key) => entry[key]),
            ...["ServiceAddress", "ServicePort", "ServiceTags", "ServiceMeta"].map((key) => entry[key]),
          ]),
        ),
    ),
  );
  const rules = await Promise.all(
    policies.map(async ({ ID }) => {
      const { Name, Rules } = await consul.get<{ Name: string; Rules: string }>(`acl/policy/${ID}`);
      return [Name, Rules];
    }),
  );
  const mine = (token: Token) => token.Description === TEAM;
  return {
    // Monitors agree by keys of their own, and snapshots go on.
    keys: keys
      .filter(({ Key }) => !/^(consul-esm|consul-docker\/snapshots)\//.test(Key))
      .map(({ Key, Value }) => [Key, Value]),
    nodes: nodes.map(({ Node, Address, Meta }) => [Node, Address, Meta?.["external-node"]]),
    services: entries.flat().sort(),
    teamsTokens: tokens
      .filter(mine)
      .map(({ AccessorID, SecretID, Policies }) => [AccessorID, SecretID, Policies]),
    tokens: tokens
      .filter(({ Policies }) => Policies?.some(({ Name }) => Name === "global-management") !== true)
      .map(({ Description, Policies, NodeIdentities }) =>
        JSON.stringify([Description, (Policies ?? []).map(({ Name }) => Name), NodeIdentities]),
      )
      .sort(),
    policies: rules.sort(),
    defaults,
  };
}

async function expectAllAsBefore(before: Awaited<ReturnType<typeof data>>): Promise<void> {
  await eventually(async () => {
    expect(await data()).toEqual(before);
  });
  expectSuccess(await stack.previewExpectingNoChanges());
  // Snapshots go on, too, for which the servers have to take new connections of the client agents.
  await eventually(async () => {
    const status = await stack.npm("status");
    expectSuccess(status);
    expect(status.output).toMatch(/^datacenter bak {2}healthy {2}leader server-1$/m);
  });
  await products((await stack.outputs()).gatewayUrl);
}

const inVolume = async () =>
  (await docker("exec", TAKER, "sh", "-c", "ls /consul/data | grep snap$"))
    .split("\n")
    .filter(Boolean)
    .sort();

it("takes snapshots at the interval, keeps as many as it is told, and tells how old the newest is", async () => {
  const [first = ""] = await eventually(inVolume);
  const seen = [first];
  while (seen.length < 3) {
    // A minute would be waited for.
    const newest = seen.at(-1) ?? "";
    await docker("exec", TAKER, "sh", "-c", `touch -d @$(($(date +%s) - 60)) /consul/data/${newest}`);
    const next = await eventually(async () => {
      const [last = ""] = (await inVolume()).slice(-1);
      expect(last > newest).toBe(true);
      return last;
    });
    seen.push(next);
  }
  expect(seen[0]).toMatch(/^bak-\d{8}T\d{6}Z\.snap$/);
  await eventually(async () => {
    expect(await inVolume()).toEqual(seen.slice(-2));
    const { stdout, code } = await stack.npm("status");
    expect(stdout).toMatch(/^snapshots {2}newest 0 min old, 2 kept$/m);
    expect(code).toBe(0);
  });
  for (const name of await inVolume())
    await docker("exec", TAKER, "consul", "snapshot", "inspect", `/consul/data/${name}`);
  const modes = await docker("exec", TAKER, "sh", "-c", "stat -c '%a %u:%g' /consul/data/*");
  expect(modes.split("\n").sort()).toEqual(["600 100:1000", "600 100:1000", "700 100:1000"]);
});

it("calls it a fault when there are no more", async () => {
  await docker("pause", TAKER);
  const key = "kv/consul-docker/snapshots/newest";
  const newest = await consul.get<object>(`${key}?raw`);
  const takenAt = new Date(Date.now() - 150 * SECONDS).toISOString();
  await consul.send("PUT", key, { ...newest, takenAt });

  const { code, output } = await stack.npm("status");
  expect(output).toContain("min old, 2 kept: docker logs of the container snapshots says why");
  expect(code).toBe(1);
  await consul.send("PUT", key, newest);
  await docker("unpause", TAKER);
});

it("undoes a mistake in the same datacenter", async () => {
  await writeTeamsData();
  const before = await data();
  const file = join(folder, "undo.snap");
  const saved = await stack.npm("backup", file);
  expectSuccess(saved);
  expect(saved.stdout).toMatch(/^saved .*undo\.snap: \d+ bytes, verified, index \d+$/m);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(["undo.snap"]);

  const { ID } = await consul.get<{ ID: string }>("acl/policy/name/team");
  const tokens = await consul.get<Token[]>("acl/tokens");
  await Promise.all([
    consul.send("DELETE", "kv/team/?recurse"),
    consul.send("DELETE", "kv/services/?recurse"),
    consul.send("DELETE", "config/service-defaults/catalog"),
    consul.send("DELETE", `acl/policy/${ID}`),
    deregister(consul, "catalog-1"),
    ...tokens
      .filter(({ Description }) => Description === TEAM || Description === "consul-docker: service-pricing")
      .map(({ AccessorID }) => consul.send("DELETE", `acl/token/${AccessorID}`)),
  ]);
  const others = await data();
  for (const kind of ["keys", "services", "tokens", "policies", "defaults"] as const)
    expect(others[kind]).not.toEqual(before[kind]);

  expectSuccess(await stack.restore(file));
  await expectAllAsBefore(before);
  // No token is another one: what runs goes on with what it has.
  expect((await consul.get<Token[]>("acl/tokens")).map(({ AccessorID }) => AccessorID).sort()).toEqual(
    tokens.map(({ AccessorID }) => AccessorID).sort(),
  );
});

it("refuses what is no whole snapshot, before anything changes", async () => {
  const whole = await readFile(join(folder, "undo.snap"));
  const file = join(folder, "half.snap");
  await writeFile(file, whole.subarray(0, whole.length / 2));
  await consul.send("PUT", "kv/team/later", "kept");

  for (const [given, message] of [
    [file, `error: ${file} is no whole snapshot (`],
    [join(folder, "missing.snap"), `error: ${folder}/missing.snap cannot be read: ENOENT\n`],
  ] as const) {
    const { code, output } = await stack.restore(given);
    expect(output).toContain(message);
    expect(output.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  }
  const nothing = await stack.npm("restore");
  expect(nothing).toMatchObject({ code: 1, output: "error: restore takes a snapshot's file, got nothing\n" });
  expect(await consul.get("kv/team/later?raw")).toBe("kept");
});

it("brings everything back into an empty datacenter", async () => {
  const file = join(folder, "all.snap");
  expectSuccess(await stack.npm("backup", file));
  const before = await data();
  const oldToken = managementToken;

  expectSuccess(await stack.destroy());
  for (const result of [await stack.npm("backup"), await stack.restore(file)])
    expect(result).toMatchObject({
      code: 1,
      output: "error: the stack is not up; npm run up brings it up\n",
    });
  expectSuccess(await stack.up());
  await connect();
  expect(managementToken).not.toBe(oldToken);
  const empty = await data();
  expect([empty.defaults, empty.teamsTokens]).toEqual([[], []]);

  const refused = await stack.restore(file);
  expect(refused.code).toBe(1);
  expect(refused.output).toContain(
    `error: ${file} is of a datacenter with another management token; set CONSUL_HTTP_TOKEN to that one\n`,
  );
  expect((await data()).keys).toEqual(empty.keys);

  const restored = await stack.restore(file, oldToken);
  expectSuccess(restored);
  await expectAllAsBefore(before);
  await expect(
    new ConsulApi({ ...(await stack.outputs()), managementToken: oldToken }).get("acl/tokens"),
  ).rejects.toThrow("Consul answers 403");
});
