import type * as childProcess from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { preflight, type Claim } from "../../preflight";
import { owner } from "./fixtures";
import { mockPulumi } from "./mocks";

// Jest's process.env is a copy of its own, which child processes do not get unless they are handed it.
jest.mock("node:child_process", () => {
  const actual = jest.requireActual<typeof childProcess>("node:child_process");
  const run = promisify(actual.execFile);
  const execFile = {
    [promisify.custom]: (file: string, args: readonly string[], options: object) =>
      run(file, args, { ...options, env: process.env }),
  };
  return { ...actual, execFile: Object.assign(() => undefined, execFile) };
});

const OWN = { "consul-docker.project": "shop", "consul-docker.stack": "test" };
const environment = { PATH: process.env["PATH"], DOCKER_HOST: process.env["DOCKER_HOST"] };

const claim: Claim = {
  owner,
  datacenter: "dc7",
  subnet: "10.9.0.0/24",
  insecure: false,
  consulVersion: "1.22.3",
  allowDowngrade: false,
  bindAddress: "127.0.0.1",
  ports: new Map(),
  images: new Map(),
};

/** What `docker ARGUMENTS` prints; `error` instead makes it fail. */
type Script = Readonly<Record<string, string | { readonly error: string }>>;

const IDLE: Script = { "network ls -q": "", "ps -a -q": "" };

let bin: string;
let info: jest.SpyInstance;

beforeAll(() => mockPulumi());

beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), "preflight-"));
  delete process.env["DOCKER_HOST"];
  info = jest.spyOn(pulumi.log, "info").mockResolvedValue(undefined);
});

afterEach(async () => {
  await closeAll();
  Object.assign(process.env, environment);
  if (environment.DOCKER_HOST === undefined) delete process.env["DOCKER_HOST"];
  info.mockRestore();
  await rm(bin, { recursive: true });
});

/** Puts a `docker` command on the path that knows these arguments only. */
async function docker(script: Script): Promise<void> {
  const cases = Object.entries(script).map(([args, answer]) =>
    typeof answer === "string"
      ? `'${args}') cat <<'END'\n${answer}\nEND\n;;`
      : `'${args}') cat >&2 <<'END'\n${answer.error}\nEND\nexit 1 ;;`,
  );
  const text = `#!/bin/sh\ncase "$*" in\n${cases.join("\n")}\n*) echo "unplanned: docker $*" >&2; exit 1 ;;\nesac\n`;
  await writeFile(join(bin, "docker"), text);
  await chmod(join(bin, "docker"), 0o755);
  process.env["PATH"] = `${bin}:${environment.PATH ?? ""}`;
}

const network = (name: string, subnets: readonly string[] | null, labels: Record<string, string> | null) => ({
  Name: name,
  Labels: labels,
  IPAM: { Config: subnets?.map((subnet) => ({ Subnet: subnet })) ?? null },
});
const container = (name: string, port: number, labels: Record<string, string> = {}) => ({
  Name: `/${name}`,
  Config: { Labels: labels },
  HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: `${port}` }], "81/tcp": null } },
  State: { Running: true },
});

/** An engine with these networks. */
const networks = (...all: readonly object[]): Script => ({
  ...IDLE,
  "network ls -q": "n1\nn2",
  "network inspect n1 n2": JSON.stringify(all),
});
/** An engine with this container running. */
const running = (...all: readonly object[]): Script => ({
  ...IDLE,
  "ps -a -q": "c1",
  "container inspect c1": JSON.stringify(all),
});

const listening: Server[] = [];

/** A port of 127.0.0.1 that a process listens on, until the test ends. */
async function takenPort(): Promise<number> {
  const server = createServer();
  listening.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Ends what listens. */
async function closeAll(): Promise<void> {
  await Promise.all(listening.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
}

/** A port of 127.0.0.1 that nobody listens on. */
async function freePort(): Promise<number> {
  const port = await takenPort();
  await closeAll();
  return port;
}

async function faultOf(change: Partial<Claim>): Promise<string> {
  const error: unknown = await preflight({ ...claim, ...change }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(pulumi.RunError);
  return (error as Error).message;
}

test("an idle engine can take the stack", async () => {
  await docker({ ...IDLE, "image inspect -f ok node:24-slim": "ok" });
  const ports = new Map([[await freePort(), "consul-docker:httpPort"]]);
  const images = new Map([["node:24-slim", "consul-docker:nodeVersion"]]);

  await expect(preflight({ ...claim, ports, images })).resolves.toBeUndefined();
  expect(info).not.toHaveBeenCalled();
});

describe("the engine", () => {
  test("that does not run gets one line", async () => {
    const error = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?";
    await docker({ "network ls -q": { error }, "ps -a -q": { error } });

    expect(await faultOf({})).toBe(
      `the Docker Engine does not answer (${error}); start it, or set DOCKER_HOST to one that runs`,
    );
  });

  test("whose command is not installed gets one line", async () => {
    process.env["PATH"] = bin;

    expect(await faultOf({})).toBe(
      "the Docker Engine does not answer (the docker command is not installed); start it, or set DOCKER_HOST to one that runs",
    );
  });
});

describe("the subnet", () => {
  test("must not overlap a network of others", async () => {
    await docker(
      networks(network("theirs", ["fd00::/64", "10.9.0.128/25"], null), network("host", null, {})),
    );

    expect(await faultOf({})).toBe(
      "this host cannot take the stack:\n  subnet 10.9.0.0/24 overlaps 10.9.0.128/25 of the Docker network theirs; set consul-docker:subnet to a free one",
    );
  });

  test("must not overlap a network of another stack of the project", async () => {
    const labels = { ...OWN, "consul-docker.stack": "other" };
    await docker(networks(network("other", ["10.9.0.0/24"], labels), network("host", [], {})));

    expect(await faultOf({})).toMatch(/ of the Docker network other; /);
  });

  test("may be that of the stack's own network", async () => {
    await docker(networks(network("own", ["10.9.0.0/24"], OWN), network("bridge", ["172.17.0.0/16"], {})));

    await expect(preflight(claim)).resolves.toBeUndefined();
  });
});

describe("a port", () => {
  test("must not be published by a container of others, which is named", async () => {
    await docker(running(container("theirs", 18500)));

    expect(await faultOf({ ports: new Map([[18500, "consul-docker:httpPort"]]) })).toBe(
      "this host cannot take the stack:\n  port 18500 of 127.0.0.1 is in use by the container theirs; set consul-docker:httpPort to a free one",
    );
  });

  test("must not be in use by another process", async () => {
    await docker(IDLE);
    const port = await takenPort();

    const message = await faultOf({ ports: new Map([[port, "consul-docker:dnsPort"]]) });

    expect(message).toBe(
      `this host cannot take the stack:\n  port ${port} of 127.0.0.1 is in use by another process; set consul-docker:dnsPort to a free one`,
    );
  });

  test("must be on an address that the host has, which is said once", async () => {
    await docker(IDLE);
    const ports = new Map([
      [18500, "consul-docker:httpPort"],
      [18600, "consul-docker:dnsPort"],
    ]);

    // TEST-NET-1 (RFC 5737): nobody has it.
    expect(await faultOf({ ports, bindAddress: "192.0.2.7" })).toBe(
      "this host cannot take the stack:\n  192.0.2.7 is no address of this host; set consul-docker:bindAddress to one",
    );
  });

  test("may be held by a container of the stack's own", async () => {
    const port = await takenPort();
    await docker(running(container("own", port, OWN)));

    const check = preflight({ ...claim, ports: new Map([[port, "consul-docker:httpPort"]]) });

    await expect(check).resolves.toBeUndefined();
  });

  test("may be published by a container that does not run", async () => {
    const port = await freePort();
    await docker(running({ ...container("theirs", port), State: { Running: false } }));

    const check = preflight({ ...claim, ports: new Map([[port, "consul-docker:httpPort"]]) });

    await expect(check).resolves.toBeUndefined();
  });

  test("is not tried here when the engine runs elsewhere", async () => {
    await docker(IDLE);
    process.env["DOCKER_HOST"] = "ssh://elsewhere";
    const port = await takenPort();

    const check = preflight({ ...claim, ports: new Map([[port, "consul-docker:httpPort"]]) });

    await expect(check).resolves.toBeUndefined();
  });
});

describe("an image", () => {
  const images = new Map([["hashicorp/consul:9.9.9", "consul-docker:consulVersion"]]);
  const missing = { ...IDLE, "image inspect -f ok hashicorp/consul:9.9.9": { error: "No such image" } };

  test("that the engine does not have is pulled", async () => {
    await docker({ ...missing, "pull -q hashicorp/consul:9.9.9": "sha256:1" });

    await expect(preflight({ ...claim, images })).resolves.toBeUndefined();
    expect(info.mock.calls).toEqual([["pulling hashicorp/consul:9.9.9"]]);
  });

  test("that cannot be had is named with the setting that asks for it", async () => {
    await docker({ ...missing, "pull -q hashicorp/consul:9.9.9": { error: "manifest unknown" } });

    expect(await faultOf({ images })).toBe(
      "this host cannot take the stack:\n  the image hashicorp/consul:9.9.9 cannot be had (manifest unknown); check consul-docker:consulVersion and the network",
    );
  });
});

test("all faults are named at once", async () => {
  await docker({
    ...networks(network("theirs", ["10.0.0.0/8"], {})),
    ...running(container("theirs", 18500)),
    ...{
      "network ls -q": "n1\nn2",
    },
  });
  const ports = new Map([
    [18500, "consul-docker:httpPort"],
    [await freePort(), "consul-docker:dnsPort"],
  ]);

  expect((await faultOf({ ports })).split("\n")).toEqual([
    "this host cannot take the stack:",
    "  subnet 10.9.0.0/24 overlaps 10.0.0.0/8 of the Docker network theirs; set consul-docker:subnet to a free one",
    "  port 18500 of 127.0.0.1 is in use by the container theirs; set consul-docker:httpPort to a free one",
  ]);
});

describe("a running datacenter", () => {
  const server = (config: object, version = "1.22.3", labels: object = OWN) => ({
    Name: "/shop-test-server-1",
    Config: {
      Hostname: "server-1",
      Labels: { ...labels, "consul-docker.role": "server", "consul-docker.version": version },
      Env: ["PATH=/bin", `CONSUL_LOCAL_CONFIG=${JSON.stringify(config)}`],
    },
    State: { Running: true },
    HostConfig: { PortBindings: {} },
  });
  const SECURE = { server: true, acl: { enabled: true } };
  const OPEN = { server: true };

  test("keeps its name", async () => {
    await docker(running(server({ ...SECURE, datacenter: "dc6" })));

    expect(await faultOf({})).toBe(
      "this host cannot take the stack:\n  consul-docker:datacenter cannot change while the datacenter runs; set it back to dc6, or run npm run down first, which deletes its data",
    );
    await expect(preflight({ ...claim, datacenter: "dc6" })).resolves.toBeUndefined();
  });

  test.each([
    ["secure", SECURE, true],
    ["open", OPEN, false],
  ])("that is %s does not become the opposite", async (_kind, config, insecure) => {
    await docker(running(server(config)));

    expect(await faultOf({ insecure })).toBe(
      "this host cannot take the stack:\n  consul-docker:insecure cannot change while the datacenter runs; set it back, or run npm run down first",
    );
  });

  test.each([
    ["secure", SECURE, false],
    ["open", OPEN, true],
  ])("that is %s may stay so", async (_kind, config, insecure) => {
    await docker(running(server(config)));

    await expect(preflight({ ...claim, insecure })).resolves.toBeUndefined();
  });

  test.each(["1.22.3", "1.22.4", "1.21.9", "0.9.0", "nightly", "1"])(
    "of version %s may become 1.22.3",
    async (version) => {
      await docker(running(server(SECURE, version)));

      await expect(preflight(claim)).resolves.toBeUndefined();
    },
  );

  test.each(["1.23.0", "2.0.0", "v1.23"])("of version %s becomes 1.22.3 by force alone", async (version) => {
    await docker(running(server(SECURE, version)));

    expect(await faultOf({})).toBe(
      `this host cannot take the stack:\n  consul-docker:consulVersion 1.22.3 is older than the ${version} of server-1, whose data it may not be able to read; set consul-docker:allowDowngrade to true to try all the same`,
    );
    await expect(preflight({ ...claim, allowDowngrade: true })).resolves.toBeUndefined();
  });

  test("of somebody else is none of this stack's business", async () => {
    await docker(running(server(OPEN, "1.23.0", { ...OWN, "consul-docker.stack": "other" })));

    await expect(preflight(claim)).resolves.toBeUndefined();
  });
});

test("a preview asks the engine nothing", async () => {
  await mockPulumi({ preview: true });
  process.env["PATH"] = bin;

  await expect(preflight(claim)).resolves.toBeUndefined();
});
