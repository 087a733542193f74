import { ServiceInstance, type ServiceInstanceArgs } from "../../components/service-instance";
import {
  credentials,
  datacenter,
  HARDENED,
  healthcheck,
  httpsDatacenter,
  labelsOf,
  onePlatform,
  owner,
  scripts,
} from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const args = (name: string, change: Partial<ServiceInstanceArgs> = {}): ServiceInstanceArgs => ({
  owner,
  datacenter: datacenter(name),
  service: "orders",
  imageId: "sha256:orders",
  port: 8080,
  platform: onePlatform,
  tags: ["rpc"],
  meta: { protocol: "connect" },
  checks: [{ path: "/ready", intervalSeconds: 2, timeoutSeconds: 1 }],
  memoryMb: 160,
  logLevel: "warn",
  ...change,
});

const READY = ["docker.Container orders-1-agent-1", "docker.Container orders-1-agent-2"];

let instance: Created<ServiceInstance>;

beforeAll(async () => {
  await mockPulumi();
  instance = await create(() => new ServiceInstance("orders-1", args("orders-1")));
});

test("is a container, a node and a registration", () => {
  const own = instance.registrations.filter(({ parent }) => parent === "ServiceInstance orders-1");

  expect(own.map(({ ref }) => ref).sort()).toEqual([
    "consul.Node orders-1",
    "consul.Service orders-1",
    "docker.Container orders-1",
  ]);
  expect(instance.component.name).toBe("orders-1");
});

describe("the container", () => {
  test("is told of a collector of traces where there is one", async () => {
    const traceEndpoint = "http://collector:4318";
    const { get } = await create(() => new ServiceInstance("traced-1", args("traced-1", { traceEndpoint })));

    const { envs } = get("docker.Container traced-1").inputs as { envs: string[] };
    expect(envs.slice(3, 5)).toEqual(["OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318", "PORT=8080"]);
  });

  test("is hardened, resolves names through Consul and publishes nothing", () => {
    const { inputs } = instance.get("docker.Container orders-1");

    expect(inputs).toEqual({
      ...HARDENED,
      name: "shop-test-orders-1",
      hostname: "orders-1",
      image: "sha256:orders",
      user: "10001:10001",
      memory: 160,
      memorySwap: 160,
      labels: labelsOf("service"),
      networksAdvanced: [{ name: "network-id", aliases: ["orders-1"] }],
      dns: ["10.9.0.21", "10.9.0.22"],
      envs: [
        "CONSUL_HTTP_ADDRS=http://client-1:8500,http://client-2:8500",
        "INSTANCE_NAME=orders-1",
        "LOG_LEVEL=warn",
        "PORT=8080",
        "SERVICE_NAME=orders",
      ],
      ports: [],
      healthcheck: healthcheck("sh", "-c", scripts("service-health.sh"), "service-health.sh", "8080"),
      waitTimeout: 60,
      stopTimeout: 15,
      destroyGraceSeconds: 15,
    });
  });

  test("starts when the client agents are there", () => {
    const container = instance.get("docker.Container orders-1");

    expect(container.dependencies).toEqual(READY);
    expect(container.replaceOnChanges).toEqual(["healthcheck"]);
    expect(container.deleteBeforeReplace).toBe(true);
  });

  test("finds its token and the authority of HTTPS in files of its own", async () => {
    const change = { datacenter: httpsDatacenter("safe-1"), credentials: credentials("safe-1") };
    const { get } = await create(() => new ServiceInstance("safe-1", args("safe-1", change)));

    const { inputs, dependencies } = get("docker.Container safe-1");
    expect(inputs["volumes"]).toEqual([
      { containerPath: "/run/consul", volumeName: "safe-1-secrets", readOnly: true },
    ]);
    expect(inputs["envs"]).toEqual([
      "CONSUL_HTTP_ADDRS=https://client-1:8501,https://client-2:8501",
      "CONSUL_HTTP_TOKEN_FILE=/run/consul/token",
      "INSTANCE_NAME=safe-1",
      "LOG_LEVEL=warn",
      "NODE_EXTRA_CA_CERTS=/run/consul/ca.pem",
      "PORT=8080",
      "SERVICE_NAME=orders",
    ]);
    expect(dependencies).toEqual([
      "docker.Container safe-1-agent-1",
      "docker.Container safe-1-agent-2",
      "docker.Container safe-1-files",
    ]);
  });

  test("finds its token alone where the agents serve HTTP", async () => {
    const change = { credentials: credentials("plain-1") };
    const { get } = await create(() => new ServiceInstance("plain-1", args("plain-1", change)));

    expect(get("docker.Container plain-1").inputs["envs"]).toEqual([
      "CONSUL_HTTP_ADDRS=http://client-1:8500,http://client-2:8500",
      "CONSUL_HTTP_TOKEN_FILE=/run/consul/token",
      "INSTANCE_NAME=plain-1",
      "LOG_LEVEL=warn",
      "PORT=8080",
      "SERVICE_NAME=orders",
    ]);
  });

  test("publishes its port where it is told to", async () => {
    const change = { publish: { external: 18081, address: "192.0.2.7" } };
    const { get } = await create(() => new ServiceInstance("open-1", args("open-1", change)));

    expect(get("docker.Container open-1").inputs["ports"]).toEqual([
      { internal: 8080, external: 18081, ip: "192.0.2.7", protocol: "tcp" },
    ]);
  });
});

describe("the registration", () => {
  test("is on a node of its own that the health monitors take over", () => {
    const node = instance.get("consul.Node orders-1");

    expect(node.inputs).toEqual({
      name: "orders-1",
      address: "orders-1",
      meta: { "external-node": "true" },
    });
    expect(node).toMatchObject({
      dependencies: READY,
      provider: "consul.Provider orders-1-provider",
      deletedWith: "docker.Volume orders-1-store",
      deleteBeforeReplace: true,
    });
  });

  test("has a name, an address, tags, metadata and checks, and pins no status", () => {
    const { inputs } = instance.get("consul.Service orders-1");

    expect(inputs).toEqual({
      name: "orders",
      serviceId: "orders-1",
      node: "orders-1",
      address: "orders-1",
      port: 8080,
      tags: ["rpc"],
      meta: { protocol: "connect" },
      checks: [
        {
          checkId: "orders-1:/ready",
          name: "HTTP /ready",
          http: "http://orders-1:8080/ready",
          method: "GET",
          interval: "2s",
          timeout: "1s",
          deregisterCriticalServiceAfter: "0s",
        },
      ],
    });
    expect(JSON.stringify(inputs)).not.toContain("status");
  });

  test("comes after its node, not its container, goes with the store, and is another one for other checks", () => {
    expect(instance.get("consul.Service orders-1")).toMatchObject({
      dependencies: ["consul.Node orders-1"],
      provider: "consul.Provider orders-1-provider",
      deletedWith: "docker.Volume orders-1-store",
      deleteBeforeReplace: true,
      replaceOnChanges: ["checks"],
    });
  });

  test("has durations as Go prints them", async () => {
    const checks = [
      { path: "/ready", intervalSeconds: 90, timeoutSeconds: 60 },
      { path: "/live", intervalSeconds: 3600, timeoutSeconds: 5 },
    ];
    const { get } = await create(() => new ServiceInstance("slow-1", args("slow-1", { checks })));

    expect(get("consul.Service slow-1").inputs["checks"]).toMatchObject([
      { checkId: "slow-1:/ready", interval: "1m30s", timeout: "1m0s" },
      { checkId: "slow-1:/live", interval: "1h0m0s", timeout: "5s" },
    ]);
  });
});
