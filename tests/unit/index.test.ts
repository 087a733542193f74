import * as pulumi from "@pulumi/pulumi";
import { bundleServices } from "../../bundle";
import { serviceImageName } from "../../components/service-image";
import program from "../../index";
import { preflight } from "../../preflight";
import { versionOf } from "../../versions";
import { owner } from "./fixtures";
import { create, mockPulumi, refused, secretOf, TOKEN_SECRETS, valueOf, type Created } from "./mocks";

jest.mock("../../bundle", () => ({
  bundleServices: jest.fn((services: readonly { readonly name: string }[]) =>
    Promise.resolve(services.map((service) => ({ ...service, bundle: { context: "built", hash: "abc" } }))),
  ),
}));
jest.mock("../../preflight", () => ({ preflight: jest.fn(() => Promise.resolve()) }));
jest.mock("../../roll", () => ({
  planRoll: jest.fn(() =>
    Promise.resolve({
      inTurn: (name: string, before: readonly unknown[]) => (name === "monitor-2" ? [...before] : []),
      rollOrder: [],
      mayReplace: () => Promise.resolve(),
    }),
  ),
}));

type Outputs = Awaited<ReturnType<typeof program>>;

/** What the image of the service catalog is called where the stack file names no Node.js. */
const catalogImage = serviceImageName("catalog", {
  owner,
  bundle: { context: "built", hash: "abc" },
  baseImage: `node:${versionOf("node_image_tag")}`,
});

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

beforeAll(() => mockPulumi({ answers: TOKEN_SECRETS }));

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
        '[{"name":"gateway","port":8080,"hostPort":18080,"discovers":["catalog"]},{"name":"catalog","port":8080,"instances":2}]',
    });
  });

  test("has one datacenter, two monitors and its services at the top", () => {
    const top = stack.registrations.filter(({ parent }) => parent === "").map(({ ref }) => ref);

    expect(top.sort()).toEqual([
      "AccessControl access",
      "Cluster consul",
      "Images images",
      "KeyMaterial keys",
      "Monitor monitor-1",
      "Monitor monitor-2",
      "Service catalog",
      "Service gateway",
    ]);
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
      expect(inputs["volumes"]).toContainEqual({
        containerPath: "/run/agent",
        volumeName: `shop-test-${agent}-socket`,
        readOnly: true,
      });
    }
  });

  test("hands the stack's settings and name down", () => {
    expect(stack.get("docker.Container catalog-2").inputs).toMatchObject({ name: "shop-test-catalog-2" });
    expect(stack.get("docker.RemoteImage catalog").inputs).toMatchObject({
      name: "shop-test-catalog:086121ddcc48-22-slim",
      build: { context: "built", buildArgs: { BASE: "node:22-slim" } },
    });
    expect(stack.get("docker.Container server-1").inputs).toMatchObject({ image: "sha256:consul" });
    expect(stack.get("consul.Service catalog-1").provider).toBe("consul.Provider consul");
  });

  describe("shows a secret", () => {
    /** Every secret there is: what the state keeps, without the certificates, and what Consul tells of its tokens. */
    const secrets = () => [
      ...stack.registrations
        .filter(({ ref }) => ref.startsWith("pulumi.Stash "))
        .map(({ inputs: { input } }) => (typeof input === "string" ? input : (input as { key: string }).key)),
      ...stack.calls.map(({ inputs }) => secretOf(inputs["accessorId"] as string)),
    ];
    /** The secrets in a value, as they are or within JSON. */
    const within = (value: unknown) => {
      const text = JSON.stringify(value);
      const escaped = (secret: string, times: number): string =>
        times === 0 ? secret : escaped(JSON.stringify(secret).slice(1, -1), times - 1);
      return secrets().filter((secret) => [1, 2, 3].some((times) => text.includes(escaped(secret, times))));
    };

    test("to who must have it, and nobody else", () => {
      const holders = stack.registrations.flatMap(({ ref, inputs }) =>
        Object.keys(inputs)
          .filter((input) => within(inputs[input]).length > 0)
          .map((input) => `${ref}: ${input}`),
      );

      // Gossip key, two tokens and three private keys; the tokens of 5 agents, 2 services, the monitors and DNS.
      expect(new Set(secrets()).size).toBe(15);
      expect(holders.filter((holder) => !holder.startsWith("pulumi.Stash ")).sort()).toEqual([
        "consul.Provider consul: token",
        "docker.Container keys: uploads",
        "docker.Container tokens: uploads",
      ]);
      expect(holders.filter((holder) => holder.startsWith("pulumi.Stash "))).toHaveLength(15);
    });

    test("as one, on its way to the engine and in the state", () => {
      for (const { ref, inputs, secretInputs, additionalSecretOutputs } of stack.registrations) {
        const holding = Object.keys(inputs).filter((input) => within(inputs[input]).length > 0);
        expect([ref, ...secretInputs]).toEqual([ref, ...holding]);
        expect([ref, ...additionalSecretOutputs]).toEqual(expect.arrayContaining([ref, ...holding]));
      }
    });

    test("among the outputs in the management token alone", async () => {
      const outputs: Record<string, unknown> = stack.component;
      const secret = await Promise.all(
        Object.keys(outputs).map(async (name) => [name, await pulumi.isSecret(pulumi.output(outputs[name]))]),
      );

      expect(secret.filter(([, isSecret]) => isSecret)).toEqual([["managementToken", true]]);
      const open = { ...(await valueOf(pulumi.output(stack.component))), managementToken: "" };
      expect(within(open)).toEqual([]);
    });

    test("in no name", () => {
      expect(within(stack.refs)).toEqual([]);
    });
  });

  test("gives each service a token that finds what it discovers, and Consul's DNS the services", () => {
    const rules = (name: string) => stack.get(`consul.AclPolicy ${name}`).inputs["rules"];

    expect(rules("service-gateway")).toContain('service "catalog" { policy = "read" }');
    expect(rules("service-catalog")).not.toContain("gateway");
    expect(rules("dns")).toContain('service "gateway" { policy = "read" }');
    for (const name of ["gateway-1", "catalog-1", "catalog-2"]) {
      const { inputs, dependencies } = stack.get(`docker.Container ${name}`);
      expect(inputs["volumes"]).toEqual([
        {
          containerPath: "/run/consul",
          volumeName: `shop-test-${name.slice(0, -2)}-secrets`,
          readOnly: true,
        },
      ]);
      expect(dependencies).toContain("docker.Container tokens");
    }
  });

  test("ends in outputs that say where everything is", async () => {
    const outputs = await valueOf(pulumi.output(stack.component));

    expect(outputs).toEqual({
      uiUrl: "http://127.0.0.1:18500/ui",
      httpApiUrl: "http://127.0.0.1:18500",
      gatewayUrl: "http://127.0.0.1:18080",
      dnsAddress: "127.0.0.1:8600",
      datacenter: "dc7",
      caCertificate: expect.stringMatching(/^-----BEGIN CERTIFICATE-----/) as string,
      certificateExpiries: {
        ca: expect.any(String) as string,
        server: expect.any(String) as string,
        api: expect.any(String) as string,
      },
      managementToken: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      monitors: ["monitor-1", "monitor-2"],
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

test("a stack that listens beyond this host serves HTTPS, and everybody verifies it", async () => {
  const { component, get } = await run({
    "consul-docker:bindAddress": "0.0.0.0",
    "consul-docker:services": '[{"name":"catalog","port":8080}]',
  });

  const caCertificate = await valueOf(component.caCertificate ?? pulumi.output(""));
  expect(await valueOf(component.httpApiUrl)).toBe("https://127.0.0.1:8500");
  expect(get("consul.Provider consul").inputs).toMatchObject({ scheme: "https", caPem: caCertificate });
  expect(get("docker.Container catalog-1").inputs["envs"]).toContain(
    "NODE_EXTRA_CA_CERTS=/run/consul/ca.pem",
  );
});

describe("a stack on hosts", () => {
  const HOSTS = ["a", "b", "c"].map((name, index) => ({
    name,
    endpoint: `ssh://${name}`,
    address: `192.0.2.${index + 1}`,
    manager: name === "b",
  }));
  let stack: Created<Outputs>;
  let warnings: unknown[];

  beforeAll(async () => {
    const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
    stack = await run({
      "consul-docker:hosts": JSON.stringify(HOSTS),
      "consul-docker:servers": "5",
      "consul-docker:snapshots": "{}",
      "consul-docker:services":
        '[{"name":"gateway","port":8080,"hostPort":18080},{"name":"catalog","port":8080,"instances":2}]',
    });
    warnings = [...warn.mock.calls];
    warn.mockRestore();
  });

  const providersOf = (ref: RegExp): Record<string, string> =>
    Object.fromEntries(
      stack.registrations
        .filter((one) => ref.test(one.ref))
        .map((one) => [one.ref.split(" ")[1] ?? "", one.provider.replace("docker.Provider ", "")]),
    );

  test("has its agents and monitors spread over them", () => {
    expect(providersOf(/^docker.Container (server|client|monitor)/)).toEqual({
      "server-1": "a",
      "server-2": "b",
      "server-3": "c",
      "server-4": "a",
      "server-5": "b",
      "client-1": "a",
      "client-2": "b",
      "client-3": "c",
      "monitor-1": "a",
      "monitor-2": "b",
    });
    expect(providersOf(/^docker.Volume server-\d-[abc]$/)).toEqual({
      "server-1-a": "a",
      "server-2-b": "b",
      "server-3-c": "c",
      "server-4-a": "a",
      "server-5-b": "b",
    });
  });

  test("replaces what comes to another host", () => {
    for (const [name, host] of [
      ["server-4", "a"],
      ["client-2", "b"],
      ["monitor-2", "b"],
      ["snapshots", "a"],
    ] as const) {
      const { inputs } = stack.get(`docker.Container ${name}`);
      expect(inputs["labels"]).toContainEqual({ label: "consul-docker.host", value: host });
    }
  });

  test("has a starter on each of them", () => {
    expect(providersOf(/^docker.Container starter/)).toEqual({
      "starter-a": "a",
      "starter-b": "b",
      "starter-c": "c",
    });
    expect(stack.get("docker.Container starter-b").inputs["image"]).toBe("sha256:node-b");
  });

  test("has its network, and its services, through the manager", () => {
    expect(stack.get("docker.Provider swarm_manager").inputs).toEqual({ host: "ssh://b" });
    expect(providersOf(/^docker.(Network|Service) /)).toEqual({
      consul: "swarm_manager",
      "gateway-1": "swarm_manager",
      "gateway-2": "swarm_manager",
      "gateway-3": "swarm_manager",
      "catalog-1": "swarm_manager",
      "catalog-2": "swarm_manager",
    });
    expect(stack.get("docker.Network consul").inputs).toMatchObject({ driver: "overlay", attachable: true });
  });

  test("has every image and every service's token on each of them, each token read by its holder alone", () => {
    for (const host of ["a", "b", "c"]) {
      const images = ["consul", "consul-esm", "node", "service-gateway", "service-catalog"].map(
        (name) => `${name}-${host}`,
      );
      const volumes = ["monitor", "snapshots", "gateway", "catalog"].map((name) => `${name}-secrets-${host}`);
      for (const name of images)
        expect(providersOf(new RegExp(`RemoteImage ${name}$`))).toEqual({ [name]: host });
      for (const name of volumes)
        expect(providersOf(new RegExp(`Volume ${name}$`))).toEqual({ [name]: host });
      const { inputs, provider, dependencies } = stack.get(`docker.Container tokens-${host}`);
      expect(provider).toBe(`docker.Provider ${host}`);
      expect(inputs).toMatchObject({ name: `shop-test-tokens-${host}` });
      expect(dependencies).toContain(`docker.Container keys-${host}`);
    }
    expect(stack.get("docker.RemoteImage service-catalog-c").inputs).toMatchObject({
      name: catalogImage,
      build: { useLegacyBuilder: true },
    });
    expect(stack.get("docker.Service catalog-1").dependencies).toEqual(
      expect.arrayContaining(["docker.Container tokens-a", "docker.Container tokens-b"]),
    );
  });

  test("carries to a host the keys and tokens of who runs there, and no others", () => {
    const carried = (name: string) => [
      ...new Set(
        (stack.get(`docker.Container ${name}`).inputs["uploads"] as { file: string }[]).map(
          ({ file }) => file.split("/")[2],
        ),
      ),
    ];

    expect(carried("keys-c")).toEqual(["server-3", "client-3"]);
    expect(carried("tokens-c")).toEqual([
      "server-3",
      "client-3",
      "monitor",
      "gateway",
      "catalog",
      "snapshots",
    ]);
  });

  test("is reached at each of them, by the first where one is enough", async () => {
    for (const { name, address } of HOSTS) {
      const client = `client-${HOSTS.findIndex((host) => host.name === name) + 1}`;
      expect(stack.get(`docker.Container ${client}`).inputs["ports"]).toMatchObject([
        { ip: address, external: 8600 },
        { ip: address, external: 8600 },
        { ip: address, external: 8500 },
      ]);
    }
    const outputs = await valueOf(pulumi.output(stack.component));
    expect(outputs).toMatchObject({
      uiUrl: "https://192.0.2.1:8500/ui",
      gatewayUrl: "http://192.0.2.1:18080",
      dnsAddress: "192.0.2.1:8600",
      hosts: HOSTS.map((host) => ({ ...host, drain: false })),
    });
  });

  test("warns of what losing a host would mean", () => {
    expect(warnings).toEqual([
      [
        "5 servers run on 3 hosts: losing a would take 2 of them, and leave the majority, which could lose no more",
      ],
    ]);
  });
});

test("a stack on hosts with a registry runs its services by the digest that was pushed", async () => {
  const { get } = await run({
    "consul-docker:hosts":
      '[{"name":"y","endpoint":"ssh://y","address":"192.0.2.1","manager":true},{"name":"z","endpoint":"ssh://z","address":"192.0.2.2"}]',
    "consul-docker:servers": "1",
    "consul-docker:registry": "registry.example.com/team",
    "consul-docker:services": '[{"name":"catalog","port":8080,"instances":2}]',
  });

  const image = `registry.example.com/team/${catalogImage}@sha256:pushed-service-catalog`;
  for (const name of ["catalog-1", "catalog-2"])
    expect(get(`docker.Service ${name}`).inputs).toMatchObject({ taskSpec: { containerSpec: { image } } });
  expect(get("docker.RemoteImage service-catalog-z").inputs).toMatchObject({ name: image });
  for (const provider of ["swarm_manager", "y", "z"])
    expect(get(`docker.Provider ${provider}`).inputs).toMatchObject({
      registryAuth: '[{"address":"registry.example.com"}]',
    });
  expect(jest.mocked(preflight).mock.calls[0]?.[0]).toMatchObject({ registry: "registry.example.com/team" });
});

test("a stack on too few hosts is told that it would stand still without one", async () => {
  const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);

  await run({
    "consul-docker:hosts": '[{"name":"x","endpoint":"ssh://x","address":"192.0.2.1","manager":true}]',
  });

  expect(warn.mock.calls).toEqual([
    [
      "3 servers run on one host: losing x would take 3 of them, and with them the majority: the datacenter would stand still until it is back",
    ],
  ]);
  warn.mockRestore();
});

test("a stack that takes snapshots has what takes them, with a token of its own, and says so", async () => {
  const { component, get } = await run({ "consul-docker:snapshots": '{"keep":3}' });

  expect(component.snapshots).toEqual({ intervalMinutes: 60, keep: 3 });
  expect(get("Snapshots snapshots").parent).toBe("");
  expect(get("docker.Container snapshots").inputs).toMatchObject({
    image: "sha256:consul",
    volumes: [
      { containerPath: "/consul/data", volumeName: "shop-test-snapshots" },
      { containerPath: "/run/consul", volumeName: "shop-test-snapshots-secrets", readOnly: true },
    ],
  });
});

test("an insecure stack has no keys, tokens or certificates", async () => {
  const { component, registrations, calls, get } = await run({
    "consul-docker:insecure": "true",
    "consul-docker:snapshots": "{}",
    "consul-docker:services": '[{"name":"catalog","port":8080}]',
  });

  expect(get("docker.Container snapshots").inputs["envs"]).toEqual([]);
  expect(registrations.filter(({ ref }) => /Stash|Acl|Identity|KeyMaterial/.test(ref))).toEqual([]);
  expect(calls).toEqual([]);
  for (const output of ["caCertificate", "certificateExpiries", "managementToken"] as const)
    expect(component[output]).toBeUndefined();
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
        insecure: false,
        engines: [{ address: "127.0.0.1" }],
        ports: new Map([
          [8500, "consul-docker:httpPort"],
          [8600, "consul-docker:dnsPort"],
        ]),
        images: new Map([
          [`hashicorp/consul:${versionOf("consul_version")}`, "consul-docker:consulVersion"],
          [`hashicorp/consul-esm:${versionOf("esm_version")}`, "consul-docker:monitorVersion"],
          [`node:${versionOf("node_image_tag")}`, "consul-docker:nodeVersion"],
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
