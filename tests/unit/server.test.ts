import { Server, type ServerArgs } from "../../components/server";
import { AGENT_TMPFS, agentEnvironment, agentHealth, HARDENED, labelsOf, owner } from "./fixtures";
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
  const { envs, ...inputs } = server.get("docker.Container server-2").inputs;

  expect(envs).toHaveLength(2);
  expect(inputs).toEqual({
    ...HARDENED,
    name: "shop-test-server-2",
    hostname: "server-2",
    image: "sha256:consul",
    command: ["agent"],
    user: "100:1000",
    tmpfs: AGENT_TMPFS,
    memory: 384,
    memorySwap: 384,
    labels: labelsOf("server"),
    networksAdvanced: [{ name: "network-id", aliases: ["server-2"], ipv4Address: "10.9.0.12" }],
    volumes: [{ volumeName: "shop-test-server-2-data", containerPath: "/consul/data", readOnly: false }],
    healthcheck: agentHealth("server-health.sh", "server-2", "server-1", "server-3"),
    waitTimeout: 120,
    stopTimeout: 15,
    destroyGraceSeconds: 15,
  });
  for (const absent of ["ports", "uploads"]) expect(inputs).not.toHaveProperty(absent);
});

const CONFIG = {
  datacenter: "dc7",
  node_name: "server-2",
  server: true,
  bootstrap_expect: 3,
  bind_addr: "10.9.0.12",
  client_addr: "127.0.0.1",
  ports: { dns: -1, grpc_tls: -1, serf_wan: -1 },
  retry_join: ["server-1", "server-3"],
  retry_interval: "1s",
  leave_on_terminate: false,
  log_level: "warn",
  disable_update_check: true,
  ui_config: { enabled: false },
};

test("is configured to expect all servers, to join its peers and to stay a member when it stops", () => {
  const { config, rest } = agentEnvironment(server.get("docker.Container server-2").inputs);

  expect(rest).toEqual(["CONSUL_DISABLE_PERM_MGMT=true"]);
  expect(config).toEqual(CONFIG);
});

test("reads its keys and tokens from a volume, demands certificates and denies what is not allowed", async () => {
  const { get } = await create(() => new Server("server-4", { ...args, secretsVolume: "secrets-of-server" }));

  const { inputs } = get("docker.Container server-4");
  expect(inputs["command"]).toEqual(["agent", "-config-dir=/consul/secrets"]);
  expect(inputs["volumes"]).toEqual([
    { containerPath: "/consul/data", volumeName: "shop-test-server-4-data", readOnly: false },
    { containerPath: "/consul/secrets", volumeName: "secrets-of-server", readOnly: true },
  ]);
  expect(inputs).not.toHaveProperty("uploads");
  const { config, rest } = agentEnvironment(inputs);
  expect(rest).toEqual(["CONSUL_DISABLE_PERM_MGMT=true"]);
  expect(config).toEqual({
    ...CONFIG,
    node_name: "server-4",
    retry_join: args.serverNames,
    encrypt_verify_incoming: true,
    encrypt_verify_outgoing: true,
    acl: { enabled: true, default_policy: "deny", enable_token_persistence: true },
    auto_encrypt: { allow_tls: true },
    tls: {
      defaults: { ca_file: "/consul/secrets/ca.pem", verify_outgoing: true },
      internal_rpc: {
        verify_incoming: true,
        verify_server_hostname: true,
        cert_file: "/consul/secrets/server.pem",
        key_file: "/consul/secrets/server-key.pem",
      },
    },
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

  const { inputs } = get("docker.Container server-1");
  expect(agentEnvironment(inputs).config).toMatchObject({ bootstrap_expect: 1, retry_join: [] });
  expect(inputs["healthcheck"]).toEqual(agentHealth("server-health.sh", "server-1"));
});

test("may take as long to become healthy as it is told", async () => {
  const { get } = await create(() => new Server("server-3", { ...args, readyTimeoutSeconds: 45 }));

  expect(get("docker.Container server-3").inputs["waitTimeout"]).toBe(45);
});
