import { randomUUID } from "node:crypto";
import { ConsulApi } from "../../scripts/consul-api";
import { addManagementToken } from "../../scripts/rotations";
import { docker, dockerLines, expectSuccess } from "./command";
import { checks, passingDuring } from "./consul";
import { eventually } from "./eventually";
import { TEST_STACK, TestStack, type Outputs } from "./test-stack";

// Where Pulumi's plugins do what no one would expect of them, on one stack, told in order.
jest.setTimeout(180_000);

const PRICING = { name: "pricing", port: 8080, instances: 2, tags: ["rpc"] };
const SETTINGS = {
  ...TEST_STACK,
  datacenter: "plugins",
  subnet: "10.97.0.0/24",
  httpPort: 19535,
  dnsPort: 19635,
  servers: 1,
  clients: 1,
  services: [PRICING],
};
// What somebody's shell says of another Consul.
const SHELL = {
  CONSUL_CACERT: "/nowhere/ca.pem",
  CONSUL_CLIENT_CERT: "/nowhere/client.pem",
  CONSUL_CLIENT_KEY: "/nowhere/client-key.pem",
  CONSUL_HTTP_ADDR: "consul.invalid:8501",
  CONSUL_HTTP_SSL: "true",
  CONSUL_HTTP_TOKEN: "00000000-0000-0000-0000-000000000000",
  CONSUL_HTTP_TOKEN_FILE: "/nowhere/token",
  CONSUL_NAMESPACE: "team",
  CONSUL_PARTITION: "west",
};
const NO_SHELL = Object.fromEntries(Object.keys(SHELL).map((name) => [name, ""]));
const UNKNOWN = "Consul does not know the stack's management token";

let stack: TestStack;
let outputs: Outputs;
let consul: ConsulApi;

beforeAll(async () => {
  stack = await TestStack.create("plugins", { env: SHELL });
  await stack.configure(SETTINGS);
});

afterAll(() => stack.remove());

it("what the shell says of another Consul does not reach the stack's", async () => {
  expectSuccess(await stack.up());
  outputs = await stack.outputs();
  consul = new ConsulApi(outputs);
  await eventually(async () => {
    expect((await checks(consul)).filter(({ Status }) => Status !== "passing")).toEqual([]);
  }, 60);
});

it("whoever has a CLI of their own is told what to unset", async () => {
  const { code, output } = await stack.bare({}, "preview", "--non-interactive");

  expect(code).not.toBe(0);
  expect(output).toContain(
    "unset CONSUL_CACERT CONSUL_CLIENT_CERT CONSUL_CLIENT_KEY CONSUL_NAMESPACE CONSUL_PARTITION, or use the npm commands",
  );
});

it("the registrations of a service change one after the other", async () => {
  // Pulumi's state still says of both checks what they were before their first run.
  await stack.configure({ ...SETTINGS, services: [{ ...PRICING, tags: ["rpc", "fast"], meta: { a: "b" } }] });
  let output = "";
  const passing = await passingDuring(consul, "pricing", async () => {
    const update = await stack.up();
    expectSuccess(update);
    ({ output } = update);
  });

  expect(output).toMatch(/consul:index:Service pricing-2 updated/);
  // Each was away for a time, and so this would see it if both were.
  expect(passing).toEqual([1, 2]);
});

it("a second update asks and waits for nobody", async () => {
  expectSuccess(await stack.up("--expect-no-changes"));
});

describe("where Consul does not know the stack's token", () => {
  let state: string;

  beforeAll(async () => {
    state = await stack.exported();
    // Consul lets nobody delete the token that they come with.
    const { AccessorID } = await consul.get<{ AccessorID: string }>("acl/token/self");
    const other = randomUUID();
    await addManagementToken(consul, other);
    await new ConsulApi({ ...outputs, managementToken: other }).send("DELETE", `acl/token/${AccessorID}`);
  });

  it.each([
    ["pulumi refresh", () => stack.refresh()],
    ["pulumi up --refresh", () => stack.up("--refresh")],
    ["pulumi destroy -r", () => stack.destroy("-r")],
    ["npm run drift", () => stack.drift()],
    ["npm run up -- --refresh", () => stack.npm("up", "--refresh")],
  ])("%s is refused in one line, and changes nothing", async (_, command) => {
    const { code, output } = await command();

    expect(code).toBe(1);
    const lines = output.split("\n").filter((line) => line !== "" && !line.startsWith("[setup"));
    expect(lines).toEqual([expect.stringContaining(UNKNOWN)]);
    expect(await stack.exported()).toBe(state);
  });

  it("the plugin takes every token and policy for gone", async () => {
    const identities = /"consul:index\/acl(Token:AclToken|Policy:AclPolicy)"/;
    expect(state).toMatch(identities);

    await stack.bare(NO_SHELL, "refresh", "--yes", "--skip-preview", "--non-interactive");

    expect(await stack.exported()).not.toMatch(identities);
  });

  it("the documents bring both back", async () => {
    const filters = ["label=consul-docker.stack=plugins", "label=consul-docker.role=server"];
    const [server = ""] = await dockerLines("ps", "-q", ...filters.flatMap((filter) => ["--filter", filter]));
    await docker(
      ...["exec", server, "sh", "-c"],
      'consul acl bootstrap 2>&1 | sed -n "s/.*reset index: \\([0-9]*\\).*/\\1/p" >/consul/data/acl-bootstrap-reset',
    );
    await docker(
      "exec",
      server,
      "sh",
      "-c",
      "consul acl bootstrap /consul/secrets/management-token >/dev/null",
    );
    await eventually(() => consul.get("acl/token/self"));
    expectSuccess(await stack.import(state));

    expectSuccess(await stack.refresh());
    expectSuccess(await stack.up("--expect-no-changes"));
  });
});
