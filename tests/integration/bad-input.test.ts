import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { docker, type Result } from "./command";
import { TEST_STACK, TestStack, type StackFile } from "./test-stack";

// Each fault gets one clear line, no stack trace, and leaves nothing on the engine.
jest.setTimeout(120_000);

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.create("bad");
});

afterAll(() => stack.remove());

async function refused(settings: StackFile, which = stack): Promise<string> {
  await which.configure({ ...TEST_STACK, subnet: "10.89.0.0/24", ...settings });
  return refusal(await which.up(), which);
}

async function refusal({ code, output }: Result, which: TestStack): Promise<string> {
  expect(code).not.toBe(0);
  expect(output).not.toMatch(/^\s+at /m);
  expect(await which.leftovers()).toEqual([]);
  return output;
}

it("names every fault of the stack file at once", async () => {
  const output = await refused({
    servers: 2,
    clients: "many",
    colour: "blue",
    services: [
      { name: "catalog", port: 8080, checks: [{ path: "ready" }] },
      { name: "catalog", port: 8080 },
      { name: "nowhere", port: 8080 },
    ],
  });
  for (const line of [
    "consul-docker:servers must be 1, 3 or 5, got 2",
    'consul-docker:clients must be a whole number from 1 to 100, got "many"',
    "consul-docker:colour is not a setting; there are datacenter, servers, ",
    'consul-docker:services[0].checks[0].path must be a path that starts with a slash, got "ready"',
    'consul-docker:services[1].name must be unique, got "catalog" again',
    'consul-docker:services[2].name must be a folder under services/ with a main.ts, got "nowhere"',
  ]) {
    expect(output).toContain(line);
  }
});

it("names a port that another process uses", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(18599, "127.0.0.1", resolve));
  try {
    expect(await refused({ httpPort: 18599 })).toContain(
      "port 18599 of 127.0.0.1 is in use by another process; set consul-docker:httpPort to a free one",
    );
  } finally {
    server.close();
  }
});

it("names a network that the subnet overlaps", async () => {
  await docker("network", "create", "--subnet", "10.89.0.128/25", "consul-docker-test-taken");
  try {
    expect(await refused({})).toContain(
      "subnet 10.89.0.0/24 overlaps 10.89.0.128/25 of the Docker network consul-docker-test-taken; set consul-docker:subnet to a free one",
    );
  } finally {
    await docker("network", "rm", "consul-docker-test-taken");
  }
});

it("names an image that cannot be had", async () => {
  const output = await refused({ consulVersion: "0.0.0-none" });
  expect(output).toMatch(
    /the image hashicorp\/consul:0\.0\.0-none cannot be had \(.+\); check consul-docker:consulVersion and the network/,
  );
});

it("says that the engine does not run", async () => {
  const elsewhere = await TestStack.create("bad", { env: { DOCKER_HOST: "unix:///nonexistent.sock" } });
  try {
    expect(await refused({}, elsewhere)).toContain(
      "the Docker Engine does not answer (Cannot connect to the Docker daemon",
    );
  } finally {
    await elsewhere.remove();
  }
});

it("names file and line of a TypeScript error in a service", async () => {
  const project = await copyOfProject();
  await writeFile(join(project, "services/pricing/prices.ts"), "export const prices: number = 'none';\n");
  const copy = await TestStack.create("bad", { cwd: project });
  try {
    expect(await refused({}, copy)).toContain(
      "services/pricing/prices.ts:1:14 Type 'string' is not assignable to type 'number'.",
    );
  } finally {
    await copy.remove();
    await rm(project, { recursive: true, force: true });
  }
});

async function copyOfProject(): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), "consul-docker-copy-"));
  const left = new Set(["node_modules", ".build", ".git", ".pulumi-local", "artifacts", "toolchain"]);
  await cp(process.cwd(), project, { recursive: true, filter: (file) => !left.has(basename(file)) });
  await symlink(join(process.cwd(), "node_modules"), join(project, "node_modules"));
  return project;
}
