import * as pulumi from "@pulumi/pulumi";
import { Identity } from "../../components/identity";
import { datacenter } from "./fixtures";
import { accessorOf, create, mockPulumi, secretOf, TOKEN_SECRETS, valueOf } from "./mocks";

const READY = (name: string) => [`docker.Container ${name}-agent-1`, `docker.Container ${name}-agent-2`];
const RULES = 'service "a" { policy = "read" }';

const ofRules = (name: string) =>
  create(() => new Identity(name, { datacenter: datacenter(name), rules: RULES }));

describe("an update", () => {
  beforeAll(() => mockPulumi({ answers: TOKEN_SECRETS }));

  test("makes a policy, and a token that has it", async () => {
    const { get, registrations } = await ofRules("api");

    expect(get("consul.AclPolicy api").inputs).toEqual({ name: "api", rules: RULES });
    expect(get("consul.AclToken api").inputs).toEqual({
      description: "consul-docker: api",
      policies: ["api"],
    });
    const own = registrations.filter(({ parent }) => parent === "Identity api").map(({ ref }) => ref);
    expect(own.sort()).toEqual(["consul.AclPolicy api", "consul.AclToken api", "pulumi.Stash api"]);
  });

  test("makes both once the agents are there; they go with the store", async () => {
    const { get } = await ofRules("shop");

    const registered = { provider: "consul.Provider shop-provider", deletedWith: "docker.Volume shop-store" };
    expect(get("consul.AclPolicy shop")).toMatchObject({ ...registered, dependencies: READY("shop") });
    expect(get("consul.AclToken shop")).toMatchObject({
      ...registered,
      dependencies: ["consul.AclPolicy shop", ...READY("shop")],
    });
  });

  test("makes no policy for who is a node", async () => {
    const { get, refs } = await create(
      () => new Identity("agent-7", { datacenter: datacenter("agent-7"), node: "server-7" }),
    );

    expect(get("consul.AclToken agent-7").inputs).toEqual({
      description: "consul-docker: agent-7",
      nodeIdentities: [{ nodeName: "server-7", datacenter: "dc7" }],
    });
    expect(refs).not.toContain("consul.AclPolicy agent-7");
  });

  test("asks Consul for the token's secret once, through the datacenter's provider", async () => {
    const { calls } = await ofRules("asked");

    expect(calls).toEqual([
      {
        token: "consul:index/getAclTokenSecretId:getAclTokenSecretId",
        inputs: { accessorId: accessorOf("asked") },
        provider: "consul.Provider asked-provider",
      },
    ]);
  });

  test("keeps the secret as one, and another token's is another one", async () => {
    const { component, get } = await ofRules("web");

    expect(get("pulumi.Stash web")).toMatchObject({
      inputs: { input: secretOf(accessorOf("web")) },
      secretInputs: ["input"],
      additionalSecretOutputs: ["input", "output"],
      replaceOnChanges: ["input"],
      ignoreChanges: [],
    });
    expect(await valueOf(component.secretId)).toBe(secretOf(accessorOf("web")));
    expect(await pulumi.isSecret(component.secretId)).toBe(true);
  });

  test("hands out the token's public half in plain", async () => {
    const { component } = await ofRules("public");

    expect(await valueOf(component.accessorId)).toBe(accessorOf("public"));
    expect(await pulumi.isSecret(component.accessorId)).toBe(false);
  });
});

test("a preview asks Consul nothing, and takes what the state holds", async () => {
  await mockPulumi({ preview: true });

  const { calls, get } = await ofRules("previewed");

  expect(calls).toEqual([]);
  expect(get("pulumi.Stash previewed")).toMatchObject({
    ignoreChanges: ["input"],
    secretInputs: ["input"],
  });
});
