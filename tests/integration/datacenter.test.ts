import { Resolver } from "node:dns/promises";
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";
import { labelFilters } from "../../components/container";
import { ConsulApi } from "../../scripts/consul-api";
import { isHealthy, readDatacenter, type DatacenterStatus } from "../../scripts/datacenter";
import { versionOf } from "../../versions";
import { docker, dockerLines, expectSuccess, run, signal } from "./command";
import { checks, deregister, instanceCheck } from "./consul";
import { eventually } from "./eventually";
import { products, servers } from "./gateway";
import { CHANGES, comparable, expectedReport, type PurposefulChange } from "./previews";
import { copyOfTheProject } from "./project";
import { TEST_STACK, TestStack, type Outputs } from "./test-stack";
import { Writer } from "./writer";

const CONSUL = versionOf("consul_version");
// One stack's life, told in order: each test goes on from where the one before it stopped.
jest.setTimeout(180_000);

const OWNER = { project: "consul-docker", stack: "it" };
/** Another name of the image that services are built on. */
const AGAIN = "node:again";
const CONTAINER = (name: string) => `consul-docker-it-${name}`;

let stack: TestStack;
let outputs: Outputs;
let consul: ConsulApi;
let before: string[];

beforeAll(async () => {
  before = await everything();
  stack = await TestStack.create("it");
  await stack.configure(TEST_STACK);
});

afterAll(async () => {
  await stack.remove();
  await run("docker", ["image", "rm", AGAIN]);
});

describe("up", () => {
  it("brings a datacenter up from nothing", async () => {
    expectSuccess(await stack.up());
    outputs = await stack.outputs();
    consul = new ConsulApi(outputs);
  });

  it("gives the addresses as outputs", () => {
    expect(outputs).toMatchObject({
      uiUrl: "http://127.0.0.1:18500/ui",
      httpApiUrl: "http://127.0.0.1:18500",
      gatewayUrl: "http://127.0.0.1:18080",
      dnsAddress: "127.0.0.1:18600",
      datacenter: "test",
    });
    expect(outputs.members).toEqual([
      { name: "server-1", role: "server", address: "10.88.0.11" },
      { name: "server-2", role: "server", address: "10.88.0.12" },
      { name: "server-3", role: "server", address: "10.88.0.13" },
      { name: "client-1", role: "client", address: "10.88.0.21" },
      { name: "client-2", role: "client", address: "10.88.0.22" },
    ]);
    expect(outputs.services["catalog"]).toEqual([
      { name: "catalog-1", address: "catalog-1:8080" },
      { name: "catalog-2", address: "catalog-2:8080" },
    ]);
  });

  it("makes every check pass", async () => {
    await eventually(async () => {
      const all = await checks(consul);
      expect(all.filter((check) => check.Status !== "passing")).toEqual([]);
      // 5 agents and 2 monitors by their heartbeats; 5 instances by their service and by their node.
      expect(all).toHaveLength(12);
    });
  });

  it("elects one leader among three servers and joins two clients", async () => {
    const { members } = await readDatacenter(consul);
    expect(members.map(({ name, role, status, version }) => [name, role, status, version])).toEqual([
      ["server-1", "server", "alive", CONSUL],
      ["server-2", "server", "alive", CONSUL],
      ["server-3", "server", "alive", CONSUL],
      ["client-1", "client", "alive", CONSUL],
      ["client-2", "client", "alive", CONSUL],
    ]);
    expect(members.filter(({ leader }) => leader)).toHaveLength(1);
  });

  it("publishes ports on loopback only, and none of a server", async () => {
    const published = await dockerLines(
      "ps",
      "--filter",
      "label=consul-docker.stack=it",
      "--format",
      "{{.Names}} {{.Ports}}",
    );
    const bindings = published.flatMap((line) =>
      [...line.matchAll(/(\S+):(\d+)->/g)].map(
        ([, ip, port]) => `${line.split(" ")[0] ?? ""} ${ip ?? ""}:${port ?? ""}`,
      ),
    );
    expect([...new Set(bindings)].sort()).toEqual([
      `${CONTAINER("client-1")} 127.0.0.1:18500`,
      `${CONTAINER("client-1")} 127.0.0.1:18600`,
      `${CONTAINER("gateway-1")} 127.0.0.1:18080`,
    ]);
  });

  it("runs every container bounded, unprivileged and restarted", async () => {
    const ids = await dockerLines("ps", "-q", "--filter", "label=consul-docker.stack=it");
    const format =
      "{{.Config.User}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.CapDrop}} {{.HostConfig.Privileged}} {{.HostConfig.SecurityOpt}} {{gt .HostConfig.Memory 0}} {{eq .HostConfig.Memory .HostConfig.MemorySwap}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Ulimits}}";
    const kinds = new Set(await dockerLines("inspect", "-f", format, ...ids));
    expect(ids).toHaveLength(12);
    expect([...kinds].sort()).toEqual(
      ["10001:10001", "100:1000"].map(
        (user) => `${user} always [ALL] false [no-new-privileges:true] true true true [nproc=4096:4096]`,
      ),
    );
  });
});

describe("the services' images", () => {
  const ours = ["images", ...labelFilters(OWNER), "--format"];
  const imageIds = async () => (await dockerLines(...ours, "{{.ID}}")).sort();
  const instances = () => dockerLines("ps", "-q", ...labelFilters(OWNER, "service"));

  it("have the stack's labels", async () => {
    expect((await dockerLines(...ours, "{{.Repository}}")).sort()).toEqual(
      ["catalog", "gateway", "pricing"].map((name) => `consul-docker-it-${name}`),
    );
    const roles = await dockerLines(
      "image",
      "inspect",
      "-f",
      '{{index .Config.Labels "consul-docker.role"}}',
      ...(await imageIds()),
    );
    expect(roles).toEqual(["service", "service", "service"]);
  });

  it("are the same when they are built again, on a base of another name, and leave their instances alone", async () => {
    const [built, running] = await Promise.all([imageIds(), instances()]);
    await docker("tag", `node:${versionOf("node_image_tag")}`, AGAIN);
    await stack.configure({ ...TEST_STACK, nodeVersion: AGAIN.replace("node:", "") });

    expectSuccess(await stack.up());

    expect(await dockerLines(...ours, "{{.Tag}}")).toEqual(
      built.map(() => expect.stringMatching(/-again$/) as string),
    );
    expect(await imageIds()).toEqual(built);
    expect(await instances()).toEqual(running);

    await stack.configure(TEST_STACK);
    expectSuccess(await stack.up());
    expect(await instances()).toEqual(running);
    await docker("image", "rm", AGAIN);
  });

  it("that a container held when they lost their names go with the next update", async () => {
    const left = await docker("commit", "--change", "LABEL left=true", CONTAINER("gateway-1"), "left:it");
    const holder = await docker("create", "left:it");
    await docker("image", "rm", "-f", "left:it");
    await docker("rm", "-v", holder);

    expectSuccess(await stack.up("--expect-no-changes"));

    expect(await dockerLines("images", "-a", "-q", "--no-trunc")).not.toContain(left);
    expect(await dockerLines(...ours, "{{.Repository}}")).toHaveLength(3);
  });
});

describe("a second run", () => {
  it("changes nothing", async () => {
    expectSuccess(await stack.up("--expect-no-changes"));
  });

  it("finds nothing to change after a refresh", async () => {
    expectSuccess(await stack.refresh());
    expectSuccess(await stack.previewExpectingNoChanges());
  });
});

describe("the report of a preview, which needs no engine", () => {
  const reports = new Map<string, string>();
  const notes = new Map<string, string>();
  let project: string;

  beforeAll(async () => {
    project = copyOfTheProject();
    await commit(project, "begin");
    await commit(project, "go on");
    const tell = async ({ name, settings }: PurposefulChange) => {
      const { code, output, stdout } = await stack.previewReport(project, settings, "--base", "HEAD~1");
      reports.set(name, comparable(`${stdout}exit code ${code}\n`));
      notes.set(name, output.replace(stdout, ""));
    };
    // Two at a time, which is what two cores take; then those that change the program.
    const next = CHANGES.filter(({ program }) => program === undefined).values();
    await Promise.all(
      [1, 2].map(async () => {
        for (const change of next) await tell(change);
      }),
    );
    for (const change of CHANGES) {
      if (change.program === undefined) continue;
      const file = join(project, change.program.file);
      mkdirSync(dirname(file), { recursive: true });
      appendFileSync(file, `${change.program.line}\n`);
      await commit(project, `services: ${change.name}`);
      await tell(change);
    }
  }, 600_000);

  afterAll(() => {
    rmSync(project, { recursive: true, force: true });
  });

  it.each(CHANGES)("tells what a change does: $name", ({ name }) => {
    expect(reports.get(name)).toBe(expectedReport(name));
  });

  it("says so", () => {
    expect(notes.get("nothing")).toBe(
      "unix:///nowhere does not answer: previewed from the state alone, without the engine\n",
    );
  });
});

describe("discovery", () => {
  it("lists products with prices through the gateway", async () => {
    const { products: listed } = await products(outputs.gatewayUrl);
    expect(listed.length).toBeGreaterThan(2);
    for (const { price } of listed)
      expect(price).toEqual({ amount: expect.stringMatching(/^\d+\.\d\d$/) as string, currency: "EUR" });
  });

  it("answers bad input with 400 and an unknown product with 404", async () => {
    const bad = await fetch(`${outputs.gatewayUrl}/products/NOT%20AN%20ID`);
    expect(bad.status).toBe(400);
    expect(await bad.json()).toMatchObject({ error: { message: expect.stringContaining("id") as string } });
    expect((await fetch(`${outputs.gatewayUrl}/products/no-such-product`)).status).toBe(404);
  });

  it("lets both instances of each service serve", async () => {
    // An instance whose first answer was slow gets the next call when that has been forgotten.
    await eventually(async () => {
      expect(await servers(outputs.gatewayUrl, "catalog", 20)).toEqual(["catalog-1", "catalog-2"]);
      expect(await servers(outputs.gatewayUrl, "pricing", 20)).toEqual(["pricing-1", "pricing-2"]);
    });
  });

  it("resolves service names inside a service's container", async () => {
    const program = "fetch('http://catalog.service.consul:8080/live').then(r => console.log(r.status))";
    expect(await docker("exec", CONTAINER("gateway-1"), "node", "-e", program)).toBe("200");
  });

  it("resolves service names through the host's port", async () => {
    const resolver = new Resolver();
    resolver.setServers([outputs.dnsAddress]);
    expect(await resolver.resolve4("catalog.service.consul")).toEqual([
      expect.stringMatching(/^10\.88\.0\.\d+$/),
    ]);
    expect((await resolver.resolveSrv("catalog.service.consul")).map(({ port }) => port)).toEqual([
      8080, 8080,
    ]);
  });

  it("hands a changed setting to the running service", async () => {
    const {
      products: [full],
    } = await products(outputs.gatewayUrl);
    const started = await docker("inspect", "-f", "{{.State.StartedAt}}", CONTAINER("pricing-1"));
    const services = (TEST_STACK["services"] as { name: string; config?: object }[]).map((service) =>
      service.name === "pricing" ? { ...service, config: { currency: "EUR", discountPercent: 50 } } : service,
    );
    await stack.configure({ ...TEST_STACK, services });
    expectSuccess(await stack.up());

    await eventually(async () => {
      const {
        products: [half],
      } = await products(outputs.gatewayUrl);
      expect(Number(half?.price.amount)).toBeCloseTo(Number(full?.price.amount) / 2, 1);
    });
    expect(await docker("inspect", "-f", "{{.State.StartedAt}}", CONTAINER("pricing-1"))).toBe(started);
  });
});

describe("failures", () => {
  it("gives a killed instance no more calls, and takes it back when it runs again", async () => {
    await docker("kill", "--signal", "KILL", CONTAINER("catalog-2"));
    await eventually(async () => {
      expect(await instanceCheck(consul, "catalog-2")).toBe("critical");
    });
    expect(await servers(outputs.gatewayUrl, "catalog", 20)).toEqual(["catalog-1"]);

    await docker("start", CONTAINER("catalog-2"));
    await eventually(async () => {
      expect(await instanceCheck(consul, "catalog-2")).toBe("passing");
      expect(await servers(outputs.gatewayUrl, "catalog", 20)).toEqual(["catalog-1", "catalog-2"]);
    });
  });

  it("restarts an instance whose process dies", async () => {
    await signal(CONTAINER("pricing-1"), "SIGKILL");
    await eventually(async () => {
      expect(
        await docker("inspect", "-f", "{{.RestartCount}} {{.State.Health.Status}}", CONTAINER("pricing-1")),
      ).toBe("1 healthy");
      expect(await servers(outputs.gatewayUrl, "pricing", 20)).toEqual(["pricing-1", "pricing-2"]);
    });
  });

  it("elects another leader when the leader's process dies, and calls go on", async () => {
    const leader = (status: DatacenterStatus) => status.members.find((member) => member.leader)?.name;
    const first = leader(await readDatacenter(consul));
    await signal(CONTAINER(first ?? ""), "SIGKILL");
    await servers(outputs.gatewayUrl, "catalog", 50);
    await eventually(async () => {
      expect(isHealthy(await readDatacenter(consul))).toBe(true);
    }, 60);
  });

  it("restores a registration that was deleted behind Pulumi's back", async () => {
    await deregister(consul, "pricing-2");
    expect(await instanceCheck(consul, "pricing-2")).toBeUndefined();
    const { code, stdout } = await stack.drift();
    expect(stdout).toMatch(/^it: 2 changes$/m);
    expect(stdout).toContain("  pricing-2\n    before: none\n    after: pricing at pricing-2:8080\n");
    expect(code).toBe(2);
    expectSuccess(await stack.up("--refresh"));
    await eventually(async () => {
      expect(await instanceCheck(consul, "pricing-2")).toBe("passing");
    });
  });

  it("tells a second update that the first one holds the stack", async () => {
    const first = stack.refresh();
    await eventually(async () => {
      expect(await stack.isLocked()).toBe(true);
    });
    const second = await stack.up();
    expect(second.code).not.toBe(0);
    expect(second.output).toMatch(/^error: the stack is currently locked by 1 lock/m);
    expectSuccess(await first);
  });
});

describe("a change of every agent's configuration", () => {
  it("replaces one server at a time, keeps their data and loses no acknowledged write", async () => {
    const servers = ["server-1", "server-2", "server-3"].map(CONTAINER);
    const nodeIds = () =>
      Promise.all(servers.map((server) => docker("exec", server, "cat", "/consul/data/node-id")));
    const created = () =>
      Promise.all(servers.map((server) => docker("inspect", "-f", "{{.Created}}", server)));
    const [nodesBefore, createdBefore] = [await nodeIds(), await created()];
    const writer = new Writer([consul], "rolling");

    await stack.configure({ ...TEST_STACK, logLevel: "debug" });
    const update = await stack.up();

    const { acknowledged, lost } = await eventually(() => writer.stop());
    expectSuccess(update);
    expect(acknowledged).toBeGreaterThan(100);
    expect(lost).toEqual([]);
    expect(await nodeIds()).toEqual(nodesBefore);
    const createdAfter = await created();
    expect(createdAfter.filter((time) => createdBefore.includes(time))).toEqual([]);
    // The first health check comes after two seconds, and before it passes nobody else is replaced.
    const times = createdAfter.map((time) => Date.parse(time)).sort((a, b) => a - b);
    for (const [place, time] of times.slice(1).entries())
      expect(time - (times[place] ?? 0)).toBeGreaterThan(2_000);
    await eventually(async () => {
      expect(isHealthy(await readDatacenter(consul))).toBe(true);
    });
  });
});

describe("status", () => {
  it("shows the datacenter at a glance", async () => {
    await eventually(async () => {
      const { code, stdout } = await stack.npm("status");
      expect(stdout).toMatch(/^datacenter test {2}healthy {2}leader server-\d$/m);
      expect(stdout).toMatch(/^catalog {2}2 of 2 passing$/m);
      expect(code).toBe(0);
    });
  });

  it("gives the same as JSON", async () => {
    const status = JSON.parse((await stack.npm("status", "--json")).stdout) as DatacenterStatus;
    expect(status.services.map(({ name }) => name)).toEqual(["catalog", "consul-esm", "gateway", "pricing"]);
  });
});

describe("the UI", () => {
  it("shows the services in a browser to who logs in with the management token", async () => {
    const browser = await chromium.launch({
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      await page.goto(outputs.uiUrl);
      await page.getByText("Services 0 total").waitFor();
      await page.getByRole("button", { name: "Log in" }).first().click();
      await page.locator('input[name="auth[SecretID]"]').fill(outputs.managementToken ?? "");
      await page.getByRole("dialog").getByRole("button", { name: "Log in" }).click();
      await page.getByText("You are now logged in").waitFor();
      // The list that was empty before stays so until it is asked for again.
      await page.reload();
      for (const service of ["catalog", "gateway", "pricing"])
        await page.getByRole("link", { name: service }).first().waitFor();
      mkdirSync("artifacts", { recursive: true });
      await page.screenshot({ path: "artifacts/ui-services.png" });
    } finally {
      await browser.close();
    }
  });
});

describe("npm run down", () => {
  it("leaves nothing behind", async () => {
    expectSuccess(await stack.down());
    expect(await stack.leftovers()).toEqual([]);
    expect(await everything()).toEqual(before);
  });
});

/** Commits all that there is in the folder. */
async function commit(folder: string, subject: string): Promise<void> {
  const identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
  const git = (...args: string[]) => run("git", ["-C", folder, ...identity, ...args]);
  expectSuccess(await git("init", "--quiet"));
  expectSuccess(await git("add", "--all"));
  expectSuccess(await git("commit", "--quiet", "--allow-empty", "-m", subject));
}

/** All containers, volumes and networks of the engine, and the images with a name. */
async function everything(): Promise<string[]> {
  const listings = await Promise.all([
    dockerLines("ps", "-a", "--format", "container {{.Names}}"),
    dockerLines("volume", "ls", "--format", "volume {{.Name}}"),
    dockerLines("network", "ls", "--format", "network {{.Name}}"),
    dockerLines("images", "--format", "image {{.Repository}}:{{.Tag}}"),
  ]);
  return listings.flat();
}
