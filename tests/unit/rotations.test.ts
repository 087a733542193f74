import { X509Certificate } from "node:crypto";
import { createAuthority, isIssuedBy, issueCertificate, type KeyPair } from "../../components/certificates";
import type { ConsulApi } from "../../scripts/consul-api";
import { rotateCertificates, rotateGossip, rotateTokens, type Rotation } from "../../scripts/rotations";

const NODES = 5;

/** Consul's keyring and its tokens, as far as rotations use them; every step is noted in `steps`. */
class FakeConsul {
  readonly steps: string[] = [];
  /** The operations on the keyring that get no answer of some agent the next time. */
  readonly lost = new Set<string>();
  tokens: { AccessorID: string; SecretID: string; Description: string }[] = [];

  constructor(
    public keys: string[],
    public primary: string,
  ) {}

  api(token: string): ConsulApi {
    const send = (method: string, path: string, body: Record<string, unknown> = {}): unknown => {
      if (!this.tokens.some(({ SecretID }) => SecretID === token)) throw new Error(`403 for ${token}`);
      if (path === "operator/keyring" && this.lost.delete(method))
        throw new Error("4/5 nodes reported success");
      const key = body["Key"] as string;
      switch (`${method} ${path.replace(/token\/.*/, "token/ID")}`) {
        case "GET operator/keyring":
          return [
            {
              Keys: Object.fromEntries(this.keys.map((one) => [one, NODES])),
              PrimaryKeys: { [this.primary]: NODES },
              NumNodes: NODES,
            },
          ];
        case "POST operator/keyring":
          this.keys = [...new Set([...this.keys, key])];
          break;
        case "PUT operator/keyring":
          this.primary = key;
          break;
        case "DELETE operator/keyring":
          if (key === this.primary) throw new Error("the primary key cannot be removed");
          this.keys = this.keys.filter((one) => one !== key);
          break;
        case "GET acl/tokens":
          return this.tokens;
        case "PUT acl/token":
          this.tokens = [
            ...this.tokens,
            { AccessorID: "new", ...(body as { SecretID: string; Description: string }) },
          ];
          break;
        case "DELETE acl/token/ID":
          this.tokens = this.tokens.filter(({ AccessorID }) => path !== `acl/token/${AccessorID}`);
          break;
        default:
          throw new Error(`unplanned: ${method} ${path}`);
      }
      this.steps.push(`${method} ${path}`);
      return undefined;
    };
    return {
      get: (path: string) => Promise.resolve().then(() => send("GET", path)),
      send: (method: string, path: string, body?: Record<string, unknown>) =>
        Promise.resolve().then(() => send(method, path, body)),
    } as unknown as ConsulApi;
  }
}

beforeEach(() => {
  jest.spyOn(console, "log").mockImplementation(() => undefined);
});

afterEach(() => {
  jest.restoreAllMocks();
});

describe("gossip", () => {
  async function rotate(consul: FakeConsul, stateKey: string): Promise<Record<string, string>[]> {
    const ups: Record<string, string>[] = [];
    consul.tokens = [{ AccessorID: "m", SecretID: "management", Description: "" }];
    await rotateGossip({
      kept: new Map([["gossip-key", stateKey]]),
      consul: () => consul.api("management"),
      up: (settings) => {
        consul.steps.push("up");
        ups.push(settings);
        return Promise.resolve();
      },
    });
    return ups;
  }

  test("is installed, used, kept, and only then is the old key removed", async () => {
    const consul = new FakeConsul(["old"], "old");

    const ups = await rotate(consul, "old");

    expect(consul.steps).toEqual([
      "POST operator/keyring",
      "PUT operator/keyring",
      "up",
      "DELETE operator/keyring",
    ]);
    expect(consul.keys).toEqual([consul.primary]);
    expect(ups).toEqual([{ gossipKey: consul.primary }]);
    expect(Buffer.from(consul.primary, "base64")).toHaveLength(32);
  });

  test("repeats every operation that an agent's answer got lost of", async () => {
    const consul = new FakeConsul(["old"], "old");
    for (const method of ["GET", "POST", "PUT", "DELETE"]) consul.lost.add(method);

    await rotate(consul, "old");

    expect(consul.lost).toEqual(new Set());
    expect(consul.keys).toEqual([consul.primary]);
    expect(consul.primary).not.toBe("old");
  });

  test("goes on with the key that the agents encrypt with, when the state has not learnt it yet", async () => {
    const consul = new FakeConsul(["old", "started"], "started");

    expect(await rotate(consul, "old")).toEqual([{ gossipKey: "started" }]);
    expect(consul.keys).toEqual(["started"]);
  });

  test("clears away what an earlier one left at its beginning or its end", async () => {
    const consul = new FakeConsul(["old", "left"], "old");

    await rotate(consul, "old");

    expect(consul.steps[0]).toBe("DELETE operator/keyring");
    expect(consul.keys).toHaveLength(1);
    expect(["old", "left"]).not.toContain(consul.primary);
  });

  test("keeps the old key when the state cannot be brought up", async () => {
    const consul = new FakeConsul(["old"], "old");
    consul.tokens = [{ AccessorID: "m", SecretID: "management", Description: "" }];

    await expect(
      rotateGossip({
        kept: new Map([["gossip-key", "old"]]),
        consul: () => consul.api("management"),
        up: () => Promise.reject(new Error("pulumi up failed")),
      }),
    ).rejects.toThrow("pulumi up failed");
    expect(consul.keys).toContain("old");
  });
});

describe("certificates", () => {
  let authority: KeyPair;
  let server: KeyPair;
  let api: KeyPair;

  beforeAll(async () => {
    authority = await createAuthority("test");
    server = await issueCertificate(authority, { names: ["server.dc7.consul", "127.0.0.1"], client: true });
    api = await issueCertificate(authority, { names: ["client.dc7.consul", "client-1"], client: false });
  });

  const rotation = (ca: KeyPair, ups: Record<string, string>[]): Rotation => ({
    kept: new Map([
      ["ca-dc7", ca],
      ["server-certificate-0a1b2c3d", server],
      ["api-certificate-0a1b2c3d", api],
    ]),
    consul: () => {
      throw new Error("unplanned");
    },
    up: (settings) => {
      ups.push(settings);
      return Promise.resolve();
    },
  });

  test("come from the same authority, for the same names and uses", async () => {
    const ups: Record<string, string>[] = [];

    await rotateCertificates(rotation(authority, ups));

    const [{ serverCertificate = "", apiCertificate = "" } = {}] = ups;
    for (const [fresh, old] of [
      [serverCertificate, server.certificate],
      [apiCertificate, api.certificate],
    ] as const) {
      const [after, before] = [new X509Certificate(fresh), new X509Certificate(old)];
      expect(isIssuedBy(fresh, authority.certificate)).toBe(true);
      expect(after.subjectAltName).toBe(before.subjectAltName);
      expect(after.keyUsage).toEqual(before.keyUsage);
      expect(after.serialNumber).not.toBe(before.serialNumber);
    }
  });

  test("cannot be issued without the authority's key", async () => {
    await expect(rotateCertificates(rotation({ ...authority, key: "" }, []))).rejects.toThrow(
      "the authority's key is not in the state; set serverCertificate, serverKey, apiCertificate and apiKey, then npm run up",
    );
  });
});

describe("tokens", () => {
  const BOOTSTRAP = "Bootstrap Token (Global Management)";
  const own = { AccessorID: "team", SecretID: "team", Description: "made by the team" };

  async function rotate(consul: FakeConsul): Promise<unknown[]> {
    const ups: unknown[] = [];
    await rotateTokens({
      kept: new Map([["management-token", "first"]]),
      consul: (token = "first") => consul.api(token),
      up: (...args) => {
        consul.steps.push("up");
        ups.push(args);
        return Promise.resolve();
      },
    });
    return ups;
  }

  test("the old management token goes last, and a team's own stay", async () => {
    const consul = new FakeConsul([], "");
    consul.tokens = [{ AccessorID: "first", SecretID: "first", Description: BOOTSTRAP }, own];

    const [[settings, ...options]] = (await rotate(consul)) as [[{ managementToken: string }, ...string[]]];

    expect(consul.steps).toEqual(["PUT acl/token", "up", "DELETE acl/token/first"]);
    expect(consul.tokens.map(({ SecretID }) => SecretID)).toEqual(["team", settings.managementToken]);
    expect(options).toEqual(["--replace", "**consul:index/aclToken:AclToken::**"]);
  });

  test("what a rotation left that was cut off is revoked first", async () => {
    const consul = new FakeConsul([], "");
    consul.tokens = [
      { AccessorID: "first", SecretID: "first", Description: BOOTSTRAP },
      { AccessorID: "half", SecretID: "half", Description: "consul-docker: management" },
    ];

    await rotate(consul);

    expect(consul.steps).toEqual(["DELETE acl/token/half", "PUT acl/token", "up", "DELETE acl/token/first"]);
    expect(consul.tokens).toHaveLength(1);
  });
});
