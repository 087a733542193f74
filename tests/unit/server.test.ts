import { Server, type ServerArgs } from "../../components/server";
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

const args: ServerArgs = {
  owner,
  host: onlyHost,
  datacenter: "dc7",
  consulVersion: "1.22.7",
  mayReplace: () => Promise.resolve(),
  secretsVolume: "files-of-server",
  secure: false,
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
  expect(server.component.container).toBeDefined();
});

test("is one hardened container with a fixed address that publishes nothing", () => {
  const { envs, labels, ...inputs } = server.get("docker.Container server-2").inputs;

  expect(envs).toHaveLength(2);
  expect(labels).toEqual([
    { label: "consul-docker.fingerprint", value: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    { label: "consul-docker.version", value: "1.22.7" },
    ...labelsOf("server"),
  ]);
  expect(inputs).toEqual({
    ...HARDENED,
    name: "shop-test-server-2",
    hostname: "server-2",
    image: "sha256:consul",
    entrypoints: [
      "sh",
      "-c",
      scripts("agent-api.sh", "agent-secrets.sh", "server-run.sh"),
      "server-run.sh",
      "server-2",
      "10.9.0.12",
    ],
    command: ["agent", "-config-dir=/consul/secrets"],
    user: "100:1000",
    tmpfs: AGENT_TMPFS,
    memory: 384,
    memorySwap: 384,
    networksAdvanced: [{ name: "network-id", aliases: ["server-2"], ipv4Address: "10.9.0.12" }],
    volumes: [
      { volumeName: "shop-test-server-2-data", containerPath: "/consul/data", readOnly: false },
      { volumeName: "files-of-server", containerPath: "/consul/secrets", readOnly: true },
    ],
    healthcheck: agentHealth("server-health.sh", "server-2"),
    waitTimeout: 120,
    stopTimeout: 30,
    destroyGraceSeconds: 30,
  });
  for (const absent of ["ports", "uploads"]) expect(inputs).not.toHaveProperty(absent);
});

const CONFIG = {
  datacenter: "dc7",
  node_name: "server-2",
  server: true,
  bind_addr: "10.9.0.12",
  client_addr: "127.0.0.1",
  ports: { dns: -1, grpc_tls: -1, serf_wan: -1 },
  retry_interval: "1s",
  leave_on_terminate: false,
  performance: { raft_multiplier: 2 },
  autopilot: { cleanup_dead_servers: true, min_quorum: 3 },
  log_level: "warn",
  disable_update_check: true,
  ui_config: { enabled: false },
};

test("is configured to stay a member when it stops, whatever other servers there are", () => {
  const { config, rest } = agentEnvironment(server.get("docker.Container server-2").inputs);

  expect(rest).toEqual(["CONSUL_DISABLE_PERM_MGMT=true"]);
  expect(config).toEqual(CONFIG);
});

test("demands certificates and denies what is not allowed where it has keys and tokens", async () => {
  const { get } = await create(() => new Server("server-4", { ...args, secure: true }));

  const { inputs } = get("docker.Container server-4");
  expect(inputs).not.toHaveProperty("uploads");
  const { config, rest } = agentEnvironment(inputs);
  expect(rest).toEqual(["CONSUL_DISABLE_PERM_MGMT=true"]);
  expect(config).toEqual({
    ...CONFIG,
    node_name: "server-4",
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

describe("before it is replaced", () => {
  const build = (name: string, change: Partial<ServerArgs>) => {
    const asked: string[] = [];
    const mayReplace = (fingerprint: string) => {
      asked.push(fingerprint);
      return Promise.resolve();
    };
    return create(() => new Server(name, { ...args, mayReplace, ...change })).then(({ get }) => ({
      asked,
      fingerprint: (get(`docker.Container ${name}`).inputs["labels"] as { value: string }[])[0]?.value,
    }));
  };

  test("somebody is asked who may refuse, by a fingerprint that any change changes", async () => {
    const first = await build("asking-1", { memoryMb: 384 });
    const same = await build("asking-1", { memoryMb: 384 });
    const other = await build("asking-1", { memoryMb: 385 });

    for (const { asked, fingerprint } of [first, same, other]) expect(asked).toEqual([fingerprint]);
    expect(same.fingerprint).toBe(first.fingerprint);
    expect(other.fingerprint).not.toBe(first.fingerprint);
  });
});

test("a preview asks nobody", async () => {
  await mockPulumi({ preview: true });
  const mayReplace = jest.fn(() => Promise.resolve());

  const { get } = await create(() => new Server("previewed", { ...args, mayReplace }));

  expect(mayReplace).not.toHaveBeenCalled();
  expect(get("docker.Container previewed").inputs["labels"]).toHaveLength(5);
  await mockPulumi();
});

test("may take as long to become healthy as it is told", async () => {
  const { get } = await create(() => new Server("server-3", { ...args, readyTimeoutSeconds: 45 }));

  expect(get("docker.Container server-3").inputs["waitTimeout"]).toBe(45);
});
