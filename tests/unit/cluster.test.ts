import * as pulumi from "@pulumi/pulumi";
import { Cluster, type ClusterArgs } from "../../components/cluster";
import { KeyMaterial } from "../../components/key-material";
import { singleEngine } from "../../components/platform";
import { agentEnvironment, existing, labelsOf, onePlatform, owner } from "./fixtures";
import { create, idOf, mockPulumi, refused, valueOf, type Created } from "./mocks";

const args: ClusterArgs = {
  owner,
  datacenter: "dc7",
  servers: 3,
  clients: 3,
  subnet: "10.9.0.0/24",
  platform: onePlatform,
  imageIdOn: () => "sha256:consul",
  consulVersion: "1.22.7",
  inTurn: () => [],
  rollOrder: [],
  mayReplace: () => Promise.resolve(),
  httpPort: 18500,
  dnsPort: 18600,
  serverMemoryMb: 384,
  clientMemoryMb: 192,
  logLevel: "warn",
  https: false,
};

const MATERIAL = {
  datacenter: "dc7",
  bindAddress: "127.0.0.1",
  apiNames: [],
  gossipKey: "the-gossip-key",
  managementToken: "the-management-token",
};

let cluster: Created<Cluster>;

beforeAll(async () => {
  await mockPulumi();
  cluster = await create(() => new Cluster("whole", args));
});

const container = (name: string) => cluster.get(`docker.Container ${name}`);

test("is a network, its servers and clients and a provider, and nothing else", () => {
  expect([...cluster.refs].sort()).toEqual(
    [
      "Cluster whole",
      "Network whole",
      "docker.Network whole",
      ...["server-1", "server-2", "server-3"].flatMap((name) => [
        `Server ${name}`,
        `docker.Volume ${name}`,
        `docker.Container ${name}`,
      ]),
      ...["client-1", "client-2", "client-3"].flatMap((name) => [
        `Client ${name}`,
        `docker.Volume ${name}-socket`,
        `docker.Container ${name}`,
      ]),
      ...["server-1", "server-2", "server-3", "client-1", "client-2", "client-3"].map(
        (name) => `docker.Volume ${name}-secrets`,
      ),
      "SecretFiles keys",
      "docker.Container keys",
      "consul.Provider whole",
      "consul.Keys servers",
    ].sort(),
  );
});

test("every part is its child", () => {
  for (const ref of ["Network whole", "Server server-3", "Client client-2", "consul.Provider whole"]) {
    expect(cluster.get(ref).parent).toBe("Cluster whole");
  }
});

test("gives each member its address, servers first", async () => {
  const members = [
    { name: "server-1", role: "server", address: "10.9.0.11" },
    { name: "server-2", role: "server", address: "10.9.0.12" },
    { name: "server-3", role: "server", address: "10.9.0.13" },
    { name: "client-1", role: "client", address: "10.9.0.21" },
    { name: "client-2", role: "client", address: "10.9.0.22" },
    { name: "client-3", role: "client", address: "10.9.0.23" },
  ];

  expect(await valueOf(cluster.component.members)).toEqual(members);
  for (const { name, address } of members) {
    expect(container(name).inputs["networksAdvanced"]).toEqual([
      { name: idOf("whole"), aliases: [name], ipv4Address: address },
    ]);
  }
});

test("starts new servers together", () => {
  for (const server of ["server-1", "server-2", "server-3"])
    expect(cluster.get(`Server ${server}`).dependencies).toEqual(["docker.Container keys"]);
});

test("creates those that do not run yet, then changes the others one by one in the order that it is told", async () => {
  const asked: string[] = [];
  const rollOrder = ["server-3", "server-1", "server-2"];
  const { get, component } = await create(
    () =>
      new Cluster("rolled", {
        ...args,
        servers: 5,
        inTurn: existing(...rollOrder, "client-1"),
        rollOrder,
        mayReplace: (server) => {
          asked.push(server);
          return Promise.resolve();
        },
      }),
  );

  expect(asked).toEqual(["server-4", "server-5", ...rollOrder]);
  for (const server of ["server-4", "server-5"])
    expect(get(`Server ${server}`).dependencies).toEqual(["docker.Container keys"]);
  const order = ["server-4", "server-5", ...rollOrder];
  for (const server of rollOrder) {
    const before = order.slice(0, order.indexOf(server));
    expect(get(`Server ${server}`).dependencies).toEqual(
      [
        ...["keys", ...before].map((name) => `docker.Container ${name}`),
        ...before.map((name) => `docker.Volume ${name}`),
      ].sort(),
    );
  }
  expect(get("Client client-1").dependencies).toContain("docker.Container server-2");
  expect(await valueOf(component.store.urn)).toMatch(/docker:index\/volume:Volume::server-1$/);
});

test("tells the servers, once all agents run, who of them stays", () => {
  expect(cluster.get("consul.Keys servers")).toMatchObject({
    inputs: {
      keys: [{ path: "consul-docker/servers", value: "server-1 server-2 server-3", delete: true }],
    },
    parent: "Cluster whole",
    provider: "consul.Provider whole",
    dependencies: [
      ...["client-1", "client-2", "client-3"].map((name) => `docker.Container ${name}`),
      ...["client-1", "client-2", "client-3"].map((name) => `docker.Volume ${name}-socket`),
    ],
    deletedWith: "docker.Volume server-1",
  });
});

test("starts new clients together, with the servers", () => {
  for (const client of ["client-1", "client-2", "client-3"])
    expect(cluster.get(`Client ${client}`).dependencies).toEqual(["docker.Container keys"]);
});

test("changes the first client alone after all servers, then the others that exist", async () => {
  const { get } = await create(
    () => new Cluster("turns", { ...args, servers: 1, inTurn: existing("client-1", "client-2") }),
  );
  const dependencies = (client: number) => get(`Client client-${client}`).dependencies;
  const first = ["docker.Container keys", "docker.Container server-1", "docker.Volume server-1"];

  expect(dependencies(1)).toEqual(first);
  expect(dependencies(2)).toEqual(
    ["docker.Container client-1", "docker.Volume client-1-socket", ...first].sort(),
  );
  expect(dependencies(3)).toEqual(["docker.Container keys"]);
});

test("asks for no container of an agent before the keys are there", () => {
  expect(cluster.refs.find((ref) => ref.startsWith("docker.Container"))).toBe("docker.Container keys");
});

test("only the first client publishes", () => {
  expect(container("client-1").inputs["ports"]).toEqual([
    { internal: 53, external: 18600, ip: "127.0.0.1", protocol: "tcp" },
    { internal: 53, external: 18600, ip: "127.0.0.1", protocol: "udp" },
    { internal: 8500, external: 18500, ip: "127.0.0.1", protocol: "tcp" },
  ]);
  expect(container("client-2").inputs["ports"]).toEqual([]);
  expect(container("client-3").inputs["ports"]).toEqual([]);
  for (const server of ["server-1", "server-2", "server-3"]) {
    expect(container(server).inputs).not.toHaveProperty("ports");
  }
});

test("hands its image, log level and memory limits to the members", () => {
  expect(container("server-2").inputs).toMatchObject({ image: "sha256:consul", memory: 384 });
  expect(container("client-2").inputs).toMatchObject({ image: "sha256:consul", memory: 192 });
  expect(agentEnvironment(container("client-2").inputs).config).toMatchObject({
    datacenter: "dc7",
    log_level: "warn",
  });
});

test("the provider's address is a plain value, known at preview", () => {
  const provider = cluster.get("consul.Provider whole");

  expect(provider.inputs).toMatchObject({ address: "127.0.0.1:18500", scheme: "http", datacenter: "dc7" });
  for (const absent of ["token", "caPem"]) expect(provider.inputs).not.toHaveProperty(absent);
  expect(provider.inputsFrom).toEqual({});
  expect(provider.dependencies).toEqual([]);
});

test("hands out what services and monitors need", async () => {
  const { component } = cluster;

  expect(component.agentUrls).toEqual([
    "http://client-1:8500",
    "http://client-2:8500",
    "http://client-3:8500",
  ]);
  expect(component.dnsServers).toEqual(["10.9.0.21", "10.9.0.22", "10.9.0.23"]);
  expect(await valueOf(component.networkId)).toBe(idOf("whole"));
  expect(await valueOf(component.httpApiUrl)).toBe("http://127.0.0.1:18500");
  expect(await valueOf(component.dnsAddress)).toBe("127.0.0.1:18600");
  expect([component.datacenter, component.caCertificate, component.agentSecrets]).toEqual([
    "dc7",
    undefined,
    undefined,
  ]);
  expect(component.ready).toHaveLength(3);
  expect(await valueOf(component.store.urn)).toMatch(/docker:index\/volume:Volume::server-1$/);
});

test("tells each agent in a file, without which nothing changes for it, what servers there are", () => {
  const uploads = cluster.get("docker.Container keys").inputs["uploads"] as {
    file: string;
    content: string;
  }[];
  const files = Object.fromEntries(uploads.map(({ file, content }) => [file, content]));
  const members = (agent: string) => JSON.parse(files[`/secrets/${agent}/members.json`] ?? "") as object;

  expect(members("server-2")).toEqual({ retry_join: ["server-1", "server-3"], bootstrap_expect: 3 });
  expect(files["/secrets/server-2/peers"]).toBe("server-1 server-3\n");
  expect(members("client-1")).toEqual({ retry_join: ["server-1", "server-2", "server-3"] });
  expect(Object.keys(files)).toHaveLength(9);
});

describe("with keys", () => {
  const build = (name: string, https: boolean) =>
    create(() => {
      const keys = new KeyMaterial(`${name}-keys`, MATERIAL);
      const cluster = new Cluster(name, { ...args, servers: 1, clients: 1, https, keys });
      return { keys, cluster };
    });
  const keysOf = async (name: string, https: boolean) => {
    const built = await build(name, https);
    const { keys } = built.component;
    return { ...built, keys, server: await valueOf(keys.server), api: await valueOf(keys.api) };
  };
  /** The contents that the carrier writes, by their paths. */
  const contents = ({ get }: Created<unknown>) => {
    const uploads = get("docker.Container keys").inputs["uploads"] as { file: string; content: string }[];
    return Object.fromEntries(uploads.map(({ file, content }) => [file, content]));
  };
  const gossip = JSON.stringify({ encrypt: MATERIAL.gossipKey });

  test("has a volume for each agent's secrets", async () => {
    const { get, component } = await build("volumes", false);

    for (const [agent, role] of [
      ["server-1", "server"],
      ["client-1", "client"],
    ] as const) {
      expect(get(`docker.Volume ${agent}-secrets`)).toMatchObject({
        inputs: { name: `shop-test-${agent}-secrets`, labels: labelsOf(role) },
        parent: "Cluster volumes",
        deleteBeforeReplace: true,
      });
      expect(get(`docker.Container ${agent}`).inputs["volumes"]).toContainEqual({
        containerPath: "/consul/secrets",
        volumeName: `shop-test-${agent}-secrets`,
        readOnly: true,
      });
    }
    expect(component.cluster.agentSecrets?.agents.map(({ name, role }) => [name, role])).toEqual([
      ["server-1", "server"],
      ["client-1", "client"],
    ]);
  });

  test("carries its own to each agent, before any of them starts", async () => {
    const safe = await keysOf("safe", false);

    const ca = await valueOf(safe.keys.caCertificate);
    const recovery = await valueOf(safe.keys.recoveryToken);
    expect(contents(safe)).toEqual({
      "/secrets/server-1/members.json": JSON.stringify({ retry_join: [], bootstrap_expect: 1 }),
      "/secrets/server-1/peers": "\n",
      "/secrets/client-1/members.json": JSON.stringify({ retry_join: ["server-1"] }),
      "/secrets/server-1/ca.pem": ca,
      "/secrets/server-1/gossip.json": gossip,
      "/secrets/server-1/server.pem": safe.server.certificate,
      "/secrets/server-1/server-key.pem": safe.server.key,
      "/secrets/server-1/recovery-token": recovery,
      "/secrets/server-1/recovery.json": JSON.stringify({ acl: { tokens: { agent_recovery: recovery } } }),
      "/secrets/server-1/management-token": MATERIAL.managementToken,
      "/secrets/client-1/ca.pem": ca,
      "/secrets/client-1/gossip.json": gossip,
      "/secrets/client-1/join.json": JSON.stringify({ acl: { tokens: { agent: MATERIAL.managementToken } } }),
    });
    const carrier = safe.get("docker.Container keys");
    expect(carrier.parent).toBe("SecretFiles keys");
    expect(carrier.inputs).toMatchObject({
      image: "sha256:consul",
      volumes: [
        { volumeName: "shop-test-server-1-secrets", containerPath: "/secrets/server-1" },
        { volumeName: "shop-test-client-1-secrets", containerPath: "/secrets/client-1" },
      ],
    });
    const readers = (carrier.inputs["uploads"] as { owner: string; group: string }[]).map(
      ({ owner, group }) => `${owner}:${group}`,
    );
    expect(new Set(readers)).toEqual(new Set(["100:1000"]));
    expect(safe.get("Server server-1").dependencies).toEqual(["docker.Container keys"]);
  });

  test("shows the management token to Consul, as a secret", async () => {
    const { get, component } = await build("safe-2", false);

    const provider = get("consul.Provider safe-2");
    expect(provider.inputs).toMatchObject({
      address: "127.0.0.1:18500",
      scheme: "http",
      token: MATERIAL.managementToken,
    });
    expect(provider.inputs).not.toHaveProperty("caPem");
    expect(provider.secretInputs).toEqual(["token"]);
    expect(component.cluster.caCertificate).toBeUndefined();
    expect(component.cluster.agentUrls).toEqual(["http://client-1:8500"]);
  });

  test("is reached by HTTPS, and verified, where it is told to", async () => {
    const safe = await keysOf("safe-3", true);

    const { cluster } = safe.component;
    const ca = await valueOf(safe.keys.caCertificate);
    expect(await valueOf(cluster.caCertificate ?? pulumi.output(""))).toBe(ca);
    expect(safe.get("consul.Provider safe-3").inputs).toMatchObject({
      address: "127.0.0.1:18500",
      scheme: "https",
      caPem: ca,
    });
    expect(await valueOf(cluster.httpApiUrl)).toBe("https://127.0.0.1:18500");
    expect(cluster.agentUrls).toEqual(["https://client-1:8501"]);
    expect(contents(safe)).toMatchObject({
      "/secrets/client-1/api.pem": safe.api.certificate,
      "/secrets/client-1/api-key.pem": safe.api.key,
    });
    expect(Object.keys(contents(safe)).filter((path) => path.includes("/server-1/api"))).toEqual([]);
    expect(agentEnvironment(safe.get("docker.Container client-1").inputs).config["ports"]).toEqual({
      dns: 53,
      https: 8501,
    });
  });
});

test("is reached at 127.0.0.1 when it listens on every address", async () => {
  const { component, get } = await create(
    () => new Cluster("open", { ...args, servers: 1, clients: 1, platform: singleEngine("0.0.0.0") }),
  );

  expect(get("consul.Provider open").inputs).toMatchObject({ address: "127.0.0.1:18500" });
  expect(await valueOf(component.httpApiUrl)).toBe("http://127.0.0.1:18500");
  expect(await valueOf(component.dnsAddress)).toBe("127.0.0.1:18600");
  expect(get("docker.Container client-1").inputs["ports"]).toMatchObject([
    { ip: "0.0.0.0" },
    { ip: "0.0.0.0" },
    { ip: "0.0.0.0" },
  ]);
});

test("is reached at the address that it listens on", async () => {
  const { component, get } = await create(
    () => new Cluster("elsewhere", { ...args, servers: 1, clients: 1, platform: singleEngine("192.0.2.7") }),
  );

  expect(get("consul.Provider elsewhere").inputs).toMatchObject({ address: "192.0.2.7:18500" });
  expect(await valueOf(component.httpApiUrl)).toBe("http://192.0.2.7:18500");
});

test.each([
  ["two-servers", { servers: 2 }, "servers must be 1, 3 or 5, got 2"],
  ["no-client", { clients: 0 }, "clients must be at least 1, got 0"],
  [
    "bad-subnet",
    { subnet: "10.9.0.0/30" },
    "subnet must be a private IPv4 network of 64 to 65536 addresses, got 10.9.0.0/30",
  ],
])("refuses %s before it creates anything", async (name, change, message) => {
  const { error, refs } = await refused(() => new Cluster(name, { ...args, ...change }));

  expect(error).toBeInstanceOf(pulumi.ResourceError);
  expect(error).toMatchObject({ message, hideStack: true });
  expect(refs).toEqual([`Cluster ${name}`]);
});
