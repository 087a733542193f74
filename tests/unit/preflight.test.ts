import type * as childProcess from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { preflight, type Claim } from "../../preflight";
import type { Engine } from "../../engine";
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
  const spawn = (file: string, args: readonly string[], options: childProcess.SpawnOptions) =>
    actual.spawn(file, args, { ...options, env: process.env });
  return { ...actual, spawn, execFile: Object.assign(() => undefined, execFile) };
});

const OWN = { "consul-docker.project": "shop", "consul-docker.stack": "test" };
const environment = { PATH: process.env["PATH"], DOCKER_HOST: process.env["DOCKER_HOST"] };

const claim: Claim = {
  owner,
  datacenter: "dc7",
  subnet: "10.9.0.0/24",
  insecure: false,
  consulVersion: "1.22.7",
  allowDowngrade: false,
  engines: [{ address: "127.0.0.1" }],
  ports: new Map(),
  images: new Map(),
};

/** What `docker ARGUMENTS` prints; `error` instead makes it fail. */
type Script = Readonly<Record<string, string | { readonly error: string; readonly output?: string }>>;

const IDLE: Script = { "network ls -q": "", "ps -a -q": "" };

let bin: string;
let logged: jest.SpyInstance;

beforeAll(() => mockPulumi());

beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), "preflight-"));
  delete process.env["DOCKER_HOST"];
  logged = jest.spyOn(pulumi.log, "info").mockResolvedValue(undefined);
});

afterEach(async () => {
  await closeAll();
  Object.assign(process.env, environment);
  if (environment.DOCKER_HOST === undefined) delete process.env["DOCKER_HOST"];
  delete process.env["DOCKER_CONFIG"];
  logged.mockRestore();
  await rm(bin, { recursive: true });
});

/** Puts a `docker` command on the path that knows these arguments only. */
async function docker(script: Script): Promise<void> {
  const cases = Object.entries(script).map(([args, answer]) =>
    typeof answer === "string"
      ? `'${args}') cat <<'END'\n${answer}\nEND\n;;`
      : `'${args}') echo '${answer.output ?? ""}'; cat >&2 <<'END'\n${answer.error}\nEND\nexit 1 ;;`,
  );
  const text = `#!/bin/sh\necho "$*" >>"${bin}/calls"\ncase "$*" in\n${cases.join("\n")}\n*) echo "unplanned: docker $*" >&2; exit 1 ;;\nesac\n`;
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

/** The `docker image prune` calls so far. */
function prunes(): string[] {
  return readFileSync(join(bin, "calls"), "utf8")
    .split("\n")
    .filter((call) => call.startsWith("image prune"));
}

test("images of the stack's that lost their name are removed once nothing stands in its way", async () => {
  await docker(networks(network("bridge", ["10.9.0.0/16"], null)));
  await faultOf({});
  expect(prunes()).toEqual([]);

  await docker(IDLE);
  await preflight(claim);
  expect(prunes()).toEqual([
    "image prune -f --filter label=consul-docker.project=shop --filter label=consul-docker.stack=test",
  ]);
});

test("an idle engine can take the stack", async () => {
  await docker({ ...IDLE, "image inspect -f ok node:24-slim": "ok" });
  const ports = new Map([[await freePort(), "consul-docker:httpPort"]]);
  const images = new Map([["node:24-slim", "consul-docker:nodeVersion"]]);

  await expect(preflight({ ...claim, ports, images })).resolves.toBeUndefined();
  expect(logged).not.toHaveBeenCalled();
});

test.each([false, true])(
  "the shell must not tell the plugin of another Consul, preview %s",
  async (preview) => {
    jest.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(preview);
    Object.assign(process.env, {
      CONSUL_CACERT: "/nowhere/ca.pem",
      CONSUL_NAMESPACE: "team",
      CONSUL_HTTP_ADDR: "a",
    });
    try {
      await expect(preflight(claim)).rejects.toThrow(
        "this shell tells Pulumi's plugin of another Consul than the stack's: unset CONSUL_CACERT CONSUL_NAMESPACE, or use the npm commands, which do so",
      );
    } finally {
      for (const name of ["CONSUL_CACERT", "CONSUL_NAMESPACE", "CONSUL_HTTP_ADDR"])
        Reflect.deleteProperty(process.env, name);
      jest.restoreAllMocks();
    }
  },
);

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
    expect(await faultOf({ ports, engines: [{ address: "192.0.2.7" }] })).toBe(
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
    expect(logged.mock.calls).toEqual([["pulling hashicorp/consul:9.9.9"]]);
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
  const server = (config: object, version = "1.22.7", labels: object = OWN) => ({
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

  test.each(["1.22.7", "1.22.8", "1.21.9", "0.9.0", "nightly", "1"])(
    "of version %s may become 1.22.7",
    async (version) => {
      await docker(running(server(SECURE, version)));

      await expect(preflight(claim)).resolves.toBeUndefined();
    },
  );

  test.each(["1.23.0", "2.0.0", "v1.23"])("of version %s becomes 1.22.7 by force alone", async (version) => {
    await docker(running(server(SECURE, version)));

    expect(await faultOf({})).toBe(
      `this host cannot take the stack:\n  consul-docker:consulVersion 1.22.7 is older than the ${version} of server-1, whose data it may not be able to read; set consul-docker:allowDowngrade to true to try all the same`,
    );
    await expect(preflight({ ...claim, allowDowngrade: true })).resolves.toBeUndefined();
  });

  test("of somebody else is none of this stack's business", async () => {
    await docker(running(server(OPEN, "1.23.0", { ...OWN, "consul-docker.stack": "other" })));

    await expect(preflight(claim)).resolves.toBeUndefined();
  });
});

test("a container that ends while it is asked for is none", async () => {
  const port = await freePort();
  await docker({
    ...IDLE,
    "ps -a -q": "c1\nc2",
    "container inspect c1 c2": {
      output: JSON.stringify([container("theirs", port)]),
      error: "Error response from daemon: No such container: c2",
    },
  });

  expect(await faultOf({ ports: new Map([[port, "consul-docker:httpPort"]]) })).toBe(
    `this host cannot take the stack:\n  port ${port} of 127.0.0.1 is in use by the container theirs; set consul-docker:httpPort to a free one`,
  );
});

test.each(["No such network: n2", "network n2 not found"])(
  "a network that goes while it is asked for is none: %s",
  async (gone) => {
    await docker({
      ...IDLE,
      "network ls -q": "n1\nn2",
      "network inspect n1 n2": {
        output: JSON.stringify([network("theirs", ["10.9.0.128/25"], null)]),
        error: `Error response from daemon: ${gone}`,
      },
    });

    expect(await faultOf({})).toBe(
      "this host cannot take the stack:\n  subnet 10.9.0.0/24 overlaps 10.9.0.128/25 of the Docker network theirs; set consul-docker:subnet to a free one",
    );
  },
);

describe("several hosts", () => {
  const engines: readonly Engine[] = [
    { name: "a", endpoint: "ssh://a", address: "192.0.2.1", manager: true },
    { name: "b", endpoint: "tcp://b:2376", certPath: "/certs", address: "192.0.2.2" },
  ];
  const TLS = "--tlsverify --tlscacert /certs/ca.pem --tlscert /certs/cert.pem --tlskey /certs/key.pem";
  const info = (name: string, swarm: object = {}) =>
    JSON.stringify({
      Name: name,
      Swarm: { LocalNodeState: "active", ControlAvailable: name === "a", ...swarm },
    });
  const nodes = (...all: readonly object[]) => all.map((one) => JSON.stringify(one)).join("\n");
  const node = (name: string, change: object = {}) => ({
    Hostname: name,
    Availability: "Active",
    Status: "Ready",
    ...change,
  });
  const LIST = "node ls --format {{json .}}";
  const INFO = "info -f {{json .}}";
  const on = (options: string, script: Script): Script =>
    Object.fromEntries(Object.entries(script).map(([args, answer]) => [`${options} ${args}`, answer]));
  const onA = (script: Script) => on("-H ssh://a", script);
  const onB = (script: Script) => on(`-H tcp://b:2376 ${TLS}`, script);
  const READY: Script = {
    ...onA({ ...IDLE, [INFO]: info("a"), [LIST]: nodes(node("a"), node("b")) }),
    ...onB({ ...IDLE, [INFO]: info("b") }),
  };
  const hostsFault = async (change: Partial<Claim> = {}) => {
    const text = await faultOf({ engines, ...change });
    expect(text).toMatch(/^the hosts cannot take the stack:\n/);
    return text.split("\n  ").slice(1);
  };

  test("are those of the stack file, whatever the shell says of others", async () => {
    await docker({ ...READY, ...IDLE });
    Object.assign(process.env, { DOCKER_CONTEXT: "laptop", DOCKER_CERT_PATH: "/mine" });
    try {
      await expect(preflight({ ...claim, engines })).rejects.toThrow(
        "this shell tells Pulumi's plugin of another engine than those of consul-docker:hosts: unset DOCKER_CONTEXT DOCKER_CERT_PATH",
      );
      await expect(preflight(claim)).resolves.toBeUndefined();
    } finally {
      for (const name of ["DOCKER_CONTEXT", "DOCKER_CERT_PATH"]) Reflect.deleteProperty(process.env, name);
    }
  });

  test("are taken as they are where they are the nodes of one Swarm", async () => {
    await docker(READY);

    await expect(preflight({ ...claim, engines })).resolves.toBeUndefined();
  });

  test("have to be let into the registry, and a preview needs no more than a file for logins", async () => {
    const config = join(bin, "config");
    process.env["DOCKER_CONFIG"] = config;
    const registry = "127.0.0.1:1/team";
    const error = "Error: Cannot perform an interactive login from a non TTY device";
    await docker({
      ...READY,
      ...onA({ "login 127.0.0.1:1": { error } }),
      ...onB({ "login 127.0.0.1:1": { error } }),
    });

    expect(await hostsFault({ registry })).toEqual([
      "this machine cannot reach the registry 127.0.0.1:1 (connect ECONNREFUSED 127.0.0.1:1); correct consul-docker:registry, or see to the registry and the network between",
      "the docker command has no login for the registry 127.0.0.1:1; run docker login 127.0.0.1:1 on this machine",
    ]);
    expect(existsSync(join(config, "config.json"))).toBe(true);
  });

  test("must answer", async () => {
    await docker({ ...READY, ...onB({ "ps -a -q": { error: "no route to host" } }) });

    expect(await faultOf({ engines })).toBe(
      "the Docker Engine of b does not answer (no route to host); start it, or correct its endpoint in consul-docker:hosts",
    );
  });

  test.each<[string, Script, string]>([
    [
      "in no Swarm",
      onB({ [INFO]: info("b", { LocalNodeState: "inactive" }) }),
      "b is in no Swarm (inactive); run docker swarm join on it",
    ],
    [
      "somebody else",
      onB({ [INFO]: info("c") }),
      "tcp://b:2376 is the engine of c, not of b; correct consul-docker:hosts",
    ],
    [
      "no manager, but is to be one",
      onA({ [INFO]: info("a", { ControlAvailable: false }) }),
      "a is no manager of its Swarm; run docker node promote a, or set manager for another host",
    ],
    ["in another Swarm", onA({ [LIST]: nodes(node("a")) }), "b is in another Swarm than the manager a"],
    [
      "not all of the Swarm",
      onA({ [LIST]: nodes(node("a"), node("b"), node("c")) }),
      "the Swarm has a node c that is none of the hosts; add it to consul-docker:hosts, or run docker node update --availability drain c",
    ],
  ])("are refused where one is %s", async (_, change, message) => {
    await docker({ ...READY, ...change });

    expect(await hostsFault()).toEqual([message]);
  });

  test("may be in a Swarm with nodes that run nothing", async () => {
    const others = [node("c", { Availability: "Drain" }), node("d", { Status: "Down" })];
    await docker({ ...READY, ...onA({ [LIST]: nodes(node("a"), node("b"), ...others) }) });

    await expect(preflight({ ...claim, engines })).resolves.toBeUndefined();
  });

  test("are each asked for subnet and ports, by their own word alone", async () => {
    const port = await takenPort();
    await docker({
      ...READY,
      ...onB({
        "network ls -q": "n1",
        "network inspect n1": JSON.stringify([network("theirs", ["10.0.0.0/8"], {})]),
        "ps -a -q": "c1",
        "container inspect c1": JSON.stringify([container("theirs", 18500)]),
      }),
    });
    const ports = new Map([
      [18500, "consul-docker:httpPort"],
      [port, "consul-docker:dnsPort"],
    ]);

    expect(await hostsFault({ ports })).toEqual([
      "subnet 10.9.0.0/24 overlaps 10.0.0.0/8 of the Docker network theirs of b; set consul-docker:subnet to a free one",
      "port 18500 of 192.0.2.2 is in use by the container theirs of b; set consul-docker:httpPort to a free one",
    ]);
  });

  describe("that lack an image", () => {
    const IMAGE = "hashicorp/consul:9.9.9";
    const images = new Map([[IMAGE, "consul-docker:consulVersion"]]);
    const HAS = { [`image inspect -f ok ${IMAGE}`]: "ok", [`save ${IMAGE}`]: "the image" };
    const LACKS = {
      [`image inspect -f ok ${IMAGE}`]: { error: "no such image" },
      [`pull -q ${IMAGE}`]: { error: "no network" },
    };

    test.each<[string, Script]>([
      ["another host", { ...onA(HAS), ...onB({ ...LACKS, "load -q": "" }), ...LACKS }],
      ["this machine", { ...onA({ ...LACKS, "load -q": "" }), ...onB({ ...LACKS, "load -q": "" }), ...HAS }],
    ])("get it from %s where it cannot be pulled", async (_, script) => {
      await docker({ ...READY, ...script });

      await expect(preflight({ ...claim, engines, images })).resolves.toBeUndefined();
      expect(logged.mock.calls).toContainEqual([`copying ${IMAGE} to b, since it cannot be pulled`]);
    });

    test("are named where nobody has it, or it cannot be copied", async () => {
      await docker({
        ...READY,
        ...onA({ ...LACKS, ...HAS }),
        ...onB({ ...LACKS, "load -q": { error: "no space" } }),
        ...LACKS,
      });

      expect(await hostsFault({ images })).toEqual([
        `the image ${IMAGE} cannot be had on b (no network); check consul-docker:consulVersion and the network`,
      ]);
    });
  });
});

test("a preview asks the engine nothing", async () => {
  await mockPulumi({ preview: true });
  process.env["PATH"] = bin;

  await expect(preflight(claim)).resolves.toBeUndefined();
});
