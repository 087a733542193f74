import { readFileSync } from "node:fs";
import { Server, type ServerArgs } from "../../components/server";
import { HARDENED, labelsOf, owner } from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const args: ServerArgs = {
  owner,
  datacenter: "dc7",
  serverNames: ["server-1", "server-2", "server-3"],
  address: "10.9.0.12",
  networkId: "network-id",
  imageId: "sha256:consul",
  memoryMb: 384,
  logLevel: "warn",
};

let server: Created<Server>;

beforeAll(async () => {
  await mockPulumi();
  server = await create(() => new Server("server-2", args));
});

test("is a volume and a container, and nothing else", () => {
  expect(server.refs).toEqual(["Server server-2", "docker.Volume server-2", "docker.Container server-2"]);
  expect(server.get("docker.Volume server-2").parent).toBe("Server server-2");
  expect(server.get("docker.Container server-2").parent).toBe("Server server-2");
});

test("keeps its data on a volume of its own", () => {
  const volume = server.get("docker.Volume server-2");

  expect(volume.inputs).toEqual({ name: "shop-test-server-2-data", labels: labelsOf("server") });
  expect(volume.deleteBeforeReplace).toBe(true);
  expect(server.component.volume).toBeDefined();
});

test("is one hardened container with a fixed address that publishes nothing", () => {
  const { uploads, ...inputs } = server.get("docker.Container server-2").inputs;

  expect(uploads).toHaveLength(2);
  expect(inputs).toEqual({
    ...HARDENED,
    name: "shop-test-server-2",
    hostname: "server-2",
    image: "sha256:consul",
    command: ["agent"],
    user: "100:1000",
    envs: ["CONSUL_DISABLE_PERM_MGMT=true"],
    memory: 384,
    memorySwap: 384,
    labels: labelsOf("server"),
    networksAdvanced: [{ name: "network-id", aliases: ["server-2"], ipv4Address: "10.9.0.12" }],
    volumes: [{ volumeName: "shop-test-server-2-data", containerPath: "/consul/data" }],
    healthcheck: {
      tests: ["CMD", "sh", "/consul/config/server-health.sh", "server-2", "server-1", "server-3"],
      interval: "2s",
      timeout: "5s",
      retries: 3,
      startPeriod: "0s",
    },
    waitTimeout: 120,
    stopTimeout: 15,
    destroyGraceSeconds: 15,
  });
  expect(inputs).not.toHaveProperty("ports");
});

test("is configured to expect all servers, to join its peers and to stay a member when it stops", () => {
  const [config] = server.get("docker.Container server-2").inputs["uploads"] as [
    { file: string; content: string; permissions: string },
  ];

  expect({ ...config, content: JSON.parse(config.content) as unknown }).toEqual({
    file: "/consul/config/agent.json",
    permissions: "0444",
    content: {
      datacenter: "dc7",
      node_name: "server-2",
      server: true,
      bootstrap_expect: 3,
      bind_addr: "10.9.0.12",
      client_addr: "0.0.0.0",
      retry_join: ["server-1", "server-3"],
      retry_interval: "1s",
      leave_on_terminate: false,
      log_level: "warn",
      disable_update_check: true,
      ui_config: { enabled: false },
    },
  });
});

test("brings its health script along, readable and not writable", () => {
  const [, script] = server.get("docker.Container server-2").inputs["uploads"] as unknown[];

  expect(script).toEqual({
    file: "/consul/config/server-health.sh",
    content: readFileSync(`${__dirname}/../../components/server-health.sh`, "utf8"),
    permissions: "0444",
  });
});

test("is replaced by a changed health check, the old container first", () => {
  const container = server.get("docker.Container server-2");

  expect(container.replaceOnChanges).toEqual(["healthcheck"]);
  expect(container.deleteBeforeReplace).toBe(true);
  expect(container.dependencies).toEqual(["docker.Volume server-2"]);
});

test("has nobody to join when it is the only one", async () => {
  const { get } = await create(() => new Server("server-1", { ...args, serverNames: ["server-1"] }));

  const { uploads, healthcheck } = get("docker.Container server-1").inputs as {
    uploads: [{ content: string }];
    healthcheck: unknown;
  };
  expect(JSON.parse(uploads[0].content)).toMatchObject({ bootstrap_expect: 1, retry_join: [] });
  expect(healthcheck).toMatchObject({ tests: ["CMD", "sh", "/consul/config/server-health.sh", "server-1"] });
});

test("may take as long to become healthy as it is told", async () => {
  const { get } = await create(() => new Server("server-3", { ...args, readyTimeoutSeconds: 45 }));

  expect(get("docker.Container server-3").inputs["waitTimeout"]).toBe(45);
});
