import { Client, type ClientArgs } from "../../components/client";
import { HARDENED, labelsOf, owner } from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const args: ClientArgs = {
  owner,
  datacenter: "dc7",
  serverNames: ["server-1", "server-2", "server-3"],
  address: "10.9.0.21",
  networkId: "network-id",
  imageId: "sha256:consul",
  memoryMb: 192,
  logLevel: "debug",
};

let client: Created<Client>;

beforeAll(async () => {
  await mockPulumi();
  client = await create(() => new Client("client-1", args));
});

test("is one hardened container without data that publishes nothing unless told to", () => {
  const { uploads, ...inputs } = client.get("docker.Container client-1").inputs;

  expect(client.refs).toEqual(["Client client-1", "docker.Container client-1"]);
  expect(uploads).toHaveLength(1);
  expect(inputs).toEqual({
    ...HARDENED,
    name: "shop-test-client-1",
    hostname: "client-1",
    image: "sha256:consul",
    command: ["agent"],
    user: "100:1000",
    envs: ["CONSUL_DISABLE_PERM_MGMT=true"],
    memory: 192,
    memorySwap: 192,
    labels: labelsOf("client"),
    networksAdvanced: [{ name: "network-id", aliases: ["client-1"], ipv4Address: "10.9.0.21" }],
    ports: [],
    healthcheck: {
      tests: ["CMD", "sh", "-c", "wget -q -O - http://127.0.0.1:8500/v1/status/leader | grep -q :"],
      interval: "2s",
      timeout: "5s",
      retries: 3,
      startPeriod: "0s",
    },
    waitTimeout: 120,
    stopTimeout: 10,
    destroyGraceSeconds: 10,
  });
  expect(inputs).not.toHaveProperty("volumes");
});

test("is configured to join every server, answer DNS, ask Docker's resolver and leave when it stops", () => {
  const { uploads } = client.get("docker.Container client-1").inputs as {
    uploads: [{ file: string; content: string; permissions: string }];
  };

  expect({ ...uploads[0], content: JSON.parse(uploads[0].content) as unknown }).toEqual({
    file: "/consul/config/agent.json",
    permissions: "0444",
    content: {
      datacenter: "dc7",
      node_name: "client-1",
      server: false,
      bind_addr: "10.9.0.21",
      client_addr: "0.0.0.0",
      retry_join: ["server-1", "server-2", "server-3"],
      retry_interval: "1s",
      leave_on_terminate: true,
      log_level: "debug",
      disable_update_check: true,
      ports: { dns: 53 },
      recursors: ["127.0.0.11"],
      ui_config: { enabled: true },
    },
  });
});

test("publishes DNS and HTTP in the order in which Docker returns them", async () => {
  const publish = { bindAddress: "127.0.0.1", http: 18500, dns: 18600 };

  const { get } = await create(() => new Client("client-2", { ...args, publish }));

  expect(get("docker.Container client-2").inputs["ports"]).toEqual([
    { internal: 53, external: 18600, ip: "127.0.0.1", protocol: "tcp" },
    { internal: 53, external: 18600, ip: "127.0.0.1", protocol: "udp" },
    { internal: 8500, external: 18500, ip: "127.0.0.1", protocol: "tcp" },
  ]);
});

test("is replaced by a changed health check, the old container first", () => {
  const container = client.get("docker.Container client-1");

  expect(container.parent).toBe("Client client-1");
  expect(container.replaceOnChanges).toEqual(["healthcheck"]);
  expect(container.deleteBeforeReplace).toBe(true);
  expect(container.dependencies).toEqual([]);
});

test("may take as long to become healthy as it is told", async () => {
  const { get } = await create(() => new Client("client-3", { ...args, readyTimeoutSeconds: 45 }));

  expect(get("docker.Container client-3").inputs["waitTimeout"]).toBe(45);
});
