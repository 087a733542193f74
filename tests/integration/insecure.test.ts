import { ConsulApi } from "../../scripts/consul-api";
import { docker, expectSuccess } from "./command";
import { checks } from "./consul";
import { eventually } from "./eventually";
import { products } from "./gateway";
import { TEST_STACK, TestStack } from "./test-stack";

// The off switch: a small datacenter without encryption, certificates and access control.
jest.setTimeout(180_000);

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.create("open");
});

afterAll(() => stack.remove());

it("gives a datacenter that anybody on this host may use", async () => {
  await stack.configure({
    ...TEST_STACK,
    subnet: "10.91.0.0/24",
    servers: 1,
    clients: 1,
    insecure: true,
  });
  expectSuccess(await stack.up());
  const { httpApiUrl, gatewayUrl, managementToken, caCertificate } = await stack.outputs();
  expect([managementToken, caCertificate]).toEqual([undefined, undefined]);
  const consul = new ConsulApi({ httpApiUrl });
  await eventually(async () => {
    const all = await checks(consul);
    expect(all.filter(({ Status }) => Status !== "passing")).toEqual([]);
    await products(gatewayUrl);
  });
  expect(await consul.send("PUT", "kv/anybody", "x")).toBe(true);
  expectSuccess(await stack.previewExpectingNoChanges());
  expect(await stack.npm("rotate", "gossip")).toMatchObject({
    code: 1,
    output: expect.stringContaining(
      "error: the stack has nothing to rotate: consul-docker:insecure is set",
    ) as string,
  });
});

it("is refused beyond loopback, and by a datacenter that is secure", async () => {
  await stack.configure({ ...TEST_STACK, insecure: true, bindAddress: "0.0.0.0" });
  const { code, output } = await stack.up();
  expect(code).not.toBe(0);
  expect(output).toContain(
    "consul-docker:insecure must be false where bindAddress 0.0.0.0 is not on loopback",
  );

  await stack.configure({ ...TEST_STACK, subnet: "10.91.0.0/24", servers: 1, clients: 1 });
  const before = await docker("ps", "-q", "--no-trunc", "--filter", "label=consul-docker.stack=open");
  const secured = await stack.up();
  expect(secured.code).not.toBe(0);
  expect(secured.output).toContain("consul-docker:insecure cannot change while the datacenter runs");
  expect(await docker("ps", "-q", "--no-trunc", "--filter", "label=consul-docker.stack=open")).toBe(before);
});
