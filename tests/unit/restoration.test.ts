import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { RefusedError, type ConsulApi } from "../../scripts/consul-api";
import { restore } from "../../scripts/restoration";

interface Token {
  readonly AccessorID: string;
  readonly SecretID: string;
  readonly Description: string;
  readonly Policies?: { ID: string; Name: string }[];
}
interface Data {
  readonly tokens: readonly Token[];
  /** IDs of nodes, by their names. */
  readonly nodes: Readonly<Record<string, string>>;
}

const management = (SecretID: string): Token => ({
  ...{ AccessorID: `of-${SecretID}`, SecretID, Description: "Bootstrap Token (Global Management)" },
  Policies: [{ ID: "1", Name: "global-management" }],
});
const own = (name: string, id: string): Token => ({
  ...{ AccessorID: `${name}-${id}`, SecretID: `secret-${name}-${id}`, Description: `consul-docker: ${name}` },
  Policies: [{ ID: `policy-${name}-${id}`, Name: name }],
});

/** Consul, whose data a snapshot takes the place of; every change is noted in `steps`. */
class FakeConsul {
  readonly steps: string[] = [];
  newest: object | undefined = { name: "newest" };
  /** Answers that there is no leader, as many times. */
  leaderless = 0;
  /** Takes no new connection of the client agents, until they are restarted. */
  cutOff = false;
  connections = 0;

  constructor(
    private data: Data,
    private readonly snapshot: Data,
    private readonly agents: Readonly<Record<string, string>>,
    private readonly secure = true,
  ) {}

  get tokens(): readonly Token[] {
    return this.data.tokens;
  }

  api(token?: string): ConsulApi {
    const call = (method: string, path: string, body?: Record<string, string>): unknown => {
      if (this.secure && !this.data.tokens.some(({ SecretID }) => SecretID === token))
        throw new RefusedError(403, path, "ACL not found");
      if (this.leaderless-- > 0) throw new RefusedError(500, path, "No cluster leader");
      if (method !== "GET") this.steps.push(`${method} ${path}`);
      switch (`${method} ${path.replace(/(token|policy)\/.*/, "$1/ID")}`) {
        case "GET catalog/nodes":
          return Object.entries(this.data.nodes).map(([Node, ID]) => ({ Node, ID }));
        case "GET agent/members":
          return [
            ...Object.entries(this.agents).map(([Name, id]) => ({ Name, Status: 1, Tags: { id } })),
            { Name: "gone", Status: 3, Tags: { id: "gone" } },
          ];
        case "GET kv/consul-docker/snapshots/newest?raw&stale":
          if (this.newest === undefined) throw new RefusedError(404, path, "");
          return this.newest;
        case "PUT kv/consul-docker/snapshots/newest":
          expect(body).toBe(this.newest);
          return true;
        case "GET acl/tokens":
          return this.data.tokens;
        case "PUT acl/token":
          this.data = {
            ...this.data,
            tokens: [...this.data.tokens, { AccessorID: "new", ...body } as Token],
          };
          return undefined;
        case "DELETE acl/token/ID":
          this.data = {
            ...this.data,
            tokens: this.data.tokens.filter(({ AccessorID }) => path !== `acl/token/${AccessorID}`),
          };
          return undefined;
        case "DELETE acl/policy/ID":
          return undefined;
        case "PUT catalog/deregister":
          this.steps.push(`deregistered ${body?.["Node"] ?? ""}`);
          // An agent that finds its name free takes it.
          this.data = { ...this.data, nodes: { ...this.data.nodes, ...this.agents } };
          return undefined;
        default:
          throw new Error(`unplanned: ${method} ${path}`);
      }
    };
    const answer = (...args: Parameters<typeof call>) =>
      new Promise((resolve) => {
        resolve(call(...args));
      });
    return {
      get: (path: string) => answer("GET", path),
      send: answer,
      upload: async (path: string, body: Readable) => {
        if (this.secure && !this.data.tokens.some(({ SecretID }) => SecretID === token))
          throw new RefusedError(403, path, "ACL not found");
        this.steps.push(`${path} of ${await text(body)}`);
        this.data = this.snapshot;
      },
      download: () => {
        this.connections++;
        return this.cutOff
          ? Promise.reject(new RefusedError(500, "snapshot", "unknown certificate authority"))
          : Promise.resolve(Readable.from([]));
      },
    } as unknown as ConsulApi;
  }
}

const AGENTS = { "server-1": "s1", "client-1": "c1" };
const HERE: Data = { tokens: [management("m1"), own("dns", "1")], nodes: AGENTS };

let folder: string;

beforeEach(async () => {
  jest.spyOn(console, "log").mockImplementation(() => undefined);
  folder = await mkdtemp(join(tmpdir(), "restoration-"));
  await writeFile(join(folder, "a.snap"), "the snapshot");
});

afterEach(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** Restores into a stack with the management token m1, which has these tokens and policies. */
async function run(
  consul: FakeConsul,
  { snapshotToken, secure = true }: { snapshotToken?: string; secure?: boolean } = {},
): Promise<void> {
  await restore({
    file: join(folder, "a.snap"),
    consul: (token) => consul.api(token),
    managementToken: secure ? "m1" : undefined,
    snapshotToken,
    aclIds: () => Promise.resolve(new Set(["dns-1", "policy-dns-1"])),
    up: () => {
      consul.steps.push("up");
      return Promise.resolve();
    },
    restartClients: () => {
      consul.steps.push("restart");
      return Promise.resolve();
    },
  });
}

test("into the same datacenter nothing but the data changes, and what tells of snapshots stays", async () => {
  const consul = new FakeConsul(HERE, HERE, AGENTS);
  await run(consul);

  expect(consul.steps).toEqual(["snapshot of the snapshot", "PUT kv/consul-docker/snapshots/newest", "up"]);
});

test("where no snapshots are taken, none is told of", async () => {
  const consul = new FakeConsul(HERE, HERE, AGENTS);
  consul.newest = undefined;
  await run(consul);

  expect(consul.steps).toEqual(["snapshot of the snapshot", "up"]);
});

describe("of another datacenter", () => {
  const team = {
    AccessorID: "team",
    SecretID: "team",
    Description: "team",
    Policies: [{ ID: "t", Name: "team" }],
  };
  const THERE: Data = {
    tokens: [
      management("m2"),
      { ...own("dns", "2"), Policies: [{ ID: "policy-dns-2", Name: "dns" }, ...team.Policies] },
      own("monitor", "2"),
      team,
    ],
    nodes: { "server-1": "s2", "client-1": "c1", "server-2": "s3", web: "", gone: "g" },
  };

  test("the stack's tokens take the place of those that came with the data, and a team's own stay", async () => {
    const consul = new FakeConsul(HERE, THERE, AGENTS);
    await run(consul, { snapshotToken: "m2" });

    expect(consul.steps).toEqual([
      "snapshot of the snapshot",
      "PUT kv/consul-docker/snapshots/newest",
      ...["PUT catalog/deregister", "deregistered server-1"],
      ...["PUT acl/token"],
      ...["DELETE acl/policy/policy-dns-2", "DELETE acl/policy/policy-monitor-2"],
      ...["DELETE acl/token/dns-2", "DELETE acl/token/monitor-2"],
      "up",
      "DELETE acl/token/of-m2",
    ]);
    expect(consul.tokens).toEqual([
      team,
      {
        AccessorID: "new",
        SecretID: "m1",
        Description: "consul-docker: management",
        Policies: [{ Name: "global-management" }],
      },
    ]);
  });

  test("a restore that was cut off before Consul knew the stack's management token goes on", async () => {
    const consul = new FakeConsul(THERE, THERE, AGENTS);
    await run(consul, { snapshotToken: "m2" });

    expect(consul.tokens.map(({ SecretID }) => SecretID)).toEqual(["team", "m1"]);
  });

  test("without a token that it knows, nothing further is done", async () => {
    const consul = new FakeConsul(HERE, THERE, AGENTS);

    await expect(run(consul)).rejects.toThrow(
      "Consul knows neither the stack's management token nor that of CONSUL_HTTP_TOKEN",
    );
    expect(consul.steps).toEqual(["snapshot of the snapshot"]);
  });
});

test("client agents that the servers take no longer are restarted, once the failure is no accident", async () => {
  const consul = new FakeConsul(HERE, HERE, AGENTS);
  consul.cutOff = true;
  await run(consul);

  expect(consul.steps.slice(-2)).toEqual(["up", "restart"]);
  expect(consul.connections).toBe(5);
});

test("tokens from before a rotation are revoked again", async () => {
  const before: Data = { ...HERE, tokens: [management("m1"), own("dns", "0"), management("m0")] };
  const consul = new FakeConsul(HERE, before, AGENTS);
  await run(consul);

  expect(consul.tokens).toEqual([management("m1")]);
});

test("a leader is waited for", async () => {
  const consul = new FakeConsul(HERE, HERE, AGENTS);
  consul.leaderless = 1;
  await run(consul);

  expect(consul.steps).toContain("up");
});

test("without access control there is nobody to admit", async () => {
  const consul = new FakeConsul({ ...HERE, tokens: [] }, { ...HERE, tokens: [] }, AGENTS, false);
  consul.cutOff = true;
  await run(consul, { secure: false });

  expect(consul.steps).toEqual(["snapshot of the snapshot", "PUT kv/consul-docker/snapshots/newest", "up"]);
});
