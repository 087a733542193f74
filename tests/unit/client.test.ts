import { Client, type ClientArgs } from "../../components/client";
import {
  AGENT_TMPFS,
  agentEnvironment,
  agentHealth,
  HARDENED,
  labelsOf,
  onlyHost,
  owner,
  scripts,
} from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const args: ClientArgs = {
  owner,
  datacenter: "dc7",
  secretsVolume: "files-of-client",
  secure: false,
  address: "10.9.0.21",
  networkId: "network-id",
  host: onlyHost,
  imageId: "sha256:consul",
  memoryMb: 192,
  logLevel: "debug",
  https: false,
};

const SECURED = { ...args, secure: true };

let client: Created<Client>;

beforeAll(async () => {
  await mockPulumi();
  client = await create(() => new Client("client-1", args));
});

test("is one hardened container without data that publishes nothing unless told to", () => {
  const { envs, ...inputs } = client.get("docker.Container client-1").inputs;

  expect(client.refs).toEqual([
    "Client client-1",
    "docker.Volume client-1-socket",
    "docker.Container client-1",
  ]);
  expect(envs).toHaveLength(2);
  expect(inputs).toEqual({
    ...HARDENED,
    name: "shop-test-client-1",
    hostname: "client-1",
    image: "sha256:consul",
    entrypoints: ["sh", "-c", scripts("agent-api.sh", "agent-secrets.sh", "client-run.sh"), "client-run.sh"],
    command: ["agent", "-config-dir=/consul/secrets"],
    user: "100:1000",
    tmpfs: AGENT_TMPFS,
    memory: 192,
    memorySwap: 192,
    labels: labelsOf("client"),
    networksAdvanced: [{ name: "network-id", aliases: ["client-1"], ipv4Address: "10.9.0.21" }],
    volumes: [
      { containerPath: "/run/agent", volumeName: "shop-test-client-1-socket", readOnly: false },
      { containerPath: "/consul/secrets", volumeName: "files-of-client", readOnly: true },
    ],
    ports: [],
    healthcheck: agentHealth("client-health.sh"),
    waitTimeout: 120,
    stopTimeout: 10,
    destroyGraceSeconds: 10,
  });
  expect(inputs).not.toHaveProperty("uploads");
});

const CONFIG = {
  datacenter: "dc7",
  node_name: "client-1",
  server: false,
  bind_addr: "10.9.0.21",
  client_addr: "0.0.0.0",
  addresses: { http: "0.0.0.0 unix:///run/agent/http.sock" },
  retry_interval: "1s",
  leave_on_terminate: true,
  log_level: "debug",
  disable_update_check: true,
  ports: { dns: 53 },
  recursors: ["127.0.0.11"],
  ui_config: { enabled: true },
};
const SECURITY = {
  encrypt_verify_incoming: true,
  encrypt_verify_outgoing: true,
  acl: { enabled: true, default_policy: "deny", enable_token_persistence: true },
  auto_encrypt: { tls: true },
  tls: {
    defaults: { ca_file: "/consul/secrets/ca.pem", verify_outgoing: true },
    internal_rpc: { verify_server_hostname: true },
  },
};

test("is configured to answer DNS, ask Docker's resolver and leave when it stops", () => {
  const { config, rest } = agentEnvironment(client.get("docker.Container client-1").inputs);

  expect(rest).toEqual(["CONSUL_DISABLE_PERM_MGMT=true"]);
  expect(config).toEqual(CONFIG);
});

test("asks for a certificate and denies what is not allowed", async () => {
  const { get } = await create(() => new Client("client-4", SECURED));

  const { inputs } = get("docker.Container client-4");
  expect(inputs).not.toHaveProperty("uploads");
  const { config, rest } = agentEnvironment(inputs);
  expect(rest).toEqual(["CONSUL_DISABLE_PERM_MGMT=true"]);
  expect(config).toEqual({ ...CONFIG, ...SECURITY, node_name: "client-4" });
});

test("serves HTTPS alone where it is told to, and plain HTTP to its own health check", async () => {
  const publish = { bindAddress: "192.0.2.7", http: 18500, dns: 18600 };

  const { get } = await create(() => new Client("client-5", { ...SECURED, https: true, publish }));

  const { inputs } = get("docker.Container client-5");
  expect(inputs["ports"]).toEqual([
    { internal: 53, external: 18600, ip: "192.0.2.7", protocol: "tcp" },
    { internal: 53, external: 18600, ip: "192.0.2.7", protocol: "udp" },
    { internal: 8501, external: 18500, ip: "192.0.2.7", protocol: "tcp" },
  ]);
  expect(agentEnvironment(inputs).config).toEqual({
    ...CONFIG,
    ...SECURITY,
    node_name: "client-5",
    addresses: { http: "127.0.0.1 unix:///run/agent/http.sock" },
    ports: { dns: 53, https: 8501 },
    tls: {
      ...SECURITY.tls,
      https: {
        verify_incoming: false,
        cert_file: "/consul/secrets/api.pem",
        key_file: "/consul/secrets/api-key.pem",
      },
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
  expect(container.dependencies).toEqual(["docker.Volume client-1-socket"]);
});

test("shares the socket of its API by a volume in memory, which any user may write to", () => {
  const { inputs, parent } = client.get("docker.Volume client-1-socket");

  expect(parent).toBe("Client client-1");
  expect(inputs).toEqual({
    name: "shop-test-client-1-socket",
    labels: labelsOf("client"),
    driver: "local",
    driverOpts: { type: "tmpfs", device: "tmpfs", o: "size=1m,mode=1777" },
  });
});

test("may take as long to become healthy as it is told", async () => {
  const { get } = await create(() => new Client("client-3", { ...args, readyTimeoutSeconds: 45 }));

  expect(get("docker.Container client-3").inputs["waitTimeout"]).toBe(45);
});
