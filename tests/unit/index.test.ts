import * as pulumi from "@pulumi/pulumi";
import { bundleServices } from "../../bundle";
import program from "../../index";
import { preflight } from "../../preflight";
import { create, mockPulumi, refused, valueOf, type Created } from "./mocks";

jest.mock("../../bundle", () => ({
  bundleServices: jest.fn((services: readonly { readonly name: string }[]) =>
    Promise.resolve(services.map((service) => ({ ...service, bundle: { context: "built", hash: "abc" } }))),
  ),
}));
jest.mock("../../preflight", () => ({ preflight: jest.fn(() => Promise.resolve()) }));

type Outputs = Awaited<ReturnType<typeof program>>;

/** Runs the whole program on a stack file. */
async function run(config: Readonly<Record<string, string>>): Promise<Created<Outputs>> {
  pulumi.runtime.setAllConfig(config);
  return create(() => program());
}

/** Runs the whole program on a stack file that it does not accept. */
function fail(config: Readonly<Record<string, string>>): ReturnType<typeof refused> {
  pulumi.runtime.setAllConfig(config);
  return refused(() => program());
}

beforeAll(() => mockPulumi());

afterEach(() => {
  jest.clearAllMocks();
});

describe("the dev stack", () => {
  let stack: Created<Outputs>;

  beforeAll(async () => {
    stack = await run({
      "consul-docker:datacenter": "dc7",
      "consul-docker:httpPort": "18500",
      "consul-docker:monitorMemoryMb": "96",
      "consul-docker:nodeVersion": "22-slim",
      "consul-docker:services":
        '[{"name":"gateway","port":8080,"hostPort":18080},{"name":"catalog","port":8080,"instances":2}]',
    });
  });

  test("has one datacenter, two monitors and its services at the top", () => {
    const top = stack.registrations.filter(({ parent }) => parent === "").map(({ ref }) => ref);

    expect(top.sort()).toEqual([
      "Cluster consul",
      "Images images",
      "Monitor monitor-1",
      "Monitor monitor-2",
      "Service catalog",
      "Service gateway",
    ]);
  });

  test("creates nothing before all images are there", () => {
    const images = ["docker.RemoteImage consul", "docker.RemoteImage consul-esm", "docker.RemoteImage node"];

    for (const ref of ["Cluster consul", "Service catalog", "Service gateway"]) {
      expect(stack.get(ref).dependencies).toEqual(images);
    }
  });

  test("replaces one monitor after the other, each on the client agent that is its own", () => {
    expect(stack.get("Monitor monitor-1").dependencies).toEqual([]);
    expect(stack.get("Monitor monitor-2").dependencies).toEqual(["docker.Container monitor-1"]);
    for (const [name, agent] of [
      ["monitor-1", "client-1"],
      ["monitor-2", "client-2"],
    ] as const) {
      const { inputs } = stack.get(`docker.Container ${name}`);
      expect(inputs).toMatchObject({ image: "sha256:consul-esm", memory: 96 });
      const { uploads } = inputs as { uploads: [{ content: string }] };
      expect(JSON.parse(uploads[0].content)).toMatchObject({ http_addr: `http://${agent}:8500` });
    }
  });

  test("hands the stack's settings and name down", () => {
    expect(stack.get("docker.Container catalog-2").inputs).toMatchObject({ name: "shop-test-catalog-2" });
    expect(stack.get("docker.RemoteImage catalog").inputs).toMatchObject({
      name: "shop-test-catalog:abc",
      build: { context: "built", buildArgs: { BASE: "node:22-slim" } },
    });
    expect(stack.get("docker.Container server-1").inputs).toMatchObject({ image: "sha256:consul" });
    expect(stack.get("consul.Service catalog-1").provider).toBe("consul.Provider consul");
  });

  test("ends in outputs that say where everything is", async () => {
    const outputs = await valueOf(pulumi.output(stack.component));

    expect(outputs).toEqual({
      uiUrl: "http://127.0.0.1:18500/ui",
      httpApiUrl: "http://127.0.0.1:18500",
      gatewayUrl: "http://127.0.0.1:18080",
      dnsAddress: "127.0.0.1:8600",
      datacenter: "dc7",
      members: [
        { name: "server-1", role: "server", address: "10.87.0.11" },
        { name: "server-2", role: "server", address: "10.87.0.12" },
        { name: "server-3", role: "server", address: "10.87.0.13" },
        { name: "client-1", role: "client", address: "10.87.0.21" },
        { name: "client-2", role: "client", address: "10.87.0.22" },
      ],
      services: {
        gateway: [{ name: "gateway-1", address: "gateway-1:8080" }],
        catalog: [
          { name: "catalog-1", address: "catalog-1:8080" },
          { name: "catalog-2", address: "catalog-2:8080" },
        ],
      },
    });
  });
});

test("a stack without a gateway has no URL for it, and one without services has none", async () => {
  const { component, refs } = await run({});

  expect(component).not.toHaveProperty("gatewayUrl");
  expect(component.services).toEqual({});
  expect(refs.filter((ref) => ref.startsWith("Service "))).toEqual([]);
});

test("the host is asked for what the settings claim, before anything is created", async () => {
  jest.mocked(preflight).mockRejectedValueOnce(new pulumi.RunError("this host cannot take the stack:"));

  const { error, refs } = await fail({ "consul-docker:subnet": "10.9.0.0/24" });

  expect(error).toEqual(new pulumi.RunError("this host cannot take the stack:"));
  expect(refs).toEqual([]);
  expect(jest.mocked(preflight).mock.calls).toMatchObject([
    [
      {
        owner: { project: "shop", stack: "test" },
        subnet: "10.9.0.0/24",
        bindAddress: "127.0.0.1",
        ports: new Map([
          [8500, "consul-docker:httpPort"],
          [8600, "consul-docker:dnsPort"],
        ]),
        images: new Map([
          ["hashicorp/consul:1.22.3", "consul-docker:consulVersion"],
          ["hashicorp/consul-esm:0.9.1", "consul-docker:monitorVersion"],
          ["node:24-slim", "consul-docker:nodeVersion"],
        ]),
      },
    ],
  ]);
});

test("a wrong setting ends the program before the host is asked and anything is bundled", async () => {
  const { error, refs } = await fail({ "consul-docker:servers": "2" });

  expect(error).toMatchObject({
    message: "the stack file has a fault:\n  consul-docker:servers must be 1, 3 or 5, got 2",
  });
  expect(refs).toEqual([]);
  expect(preflight).not.toHaveBeenCalled();
  expect(bundleServices).not.toHaveBeenCalled();
});
