import { Monitor, type MonitorArgs } from "../../components/monitor";
import { datacenter, HARDENED, labelsOf, owner } from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const args = (number: number): MonitorArgs => ({
  owner,
  imageId: "sha256:consul-esm",
  datacenter: datacenter(`monitor-${number}`),
  number,
  memoryMb: 96,
  logLevel: "warn",
});

let monitor: Created<Monitor>;

beforeAll(async () => {
  await mockPulumi();
  monitor = await create(() => new Monitor("monitor-1", args(1)));
});

const config = ({ get }: Created<Monitor>, name: string) =>
  JSON.parse(
    (get(`docker.Container ${name}`).inputs["uploads"] as [{ content: string }])[0].content,
  ) as unknown;

test("is one hardened container that is healthy while its own heartbeat passes", () => {
  const { uploads, ...inputs } = monitor.get("docker.Container monitor-1").inputs;

  expect(uploads).toEqual([
    { file: "/etc/consul-esm.json", content: expect.any(String) as string, permissions: "0444" },
  ]);
  expect(inputs).toEqual({
    ...HARDENED,
    name: "shop-test-monitor-1",
    hostname: "monitor-1",
    image: "sha256:consul-esm",
    command: ["-config-file=/etc/consul-esm.json"],
    user: "100:1000",
    memory: 96,
    memorySwap: 96,
    labels: labelsOf("monitor"),
    networksAdvanced: [{ name: "network-id", aliases: ["monitor-1"] }],
    healthcheck: {
      tests: [
        "CMD",
        "wget",
        "-q",
        "-O",
        "/dev/null",
        "http://client-1:8500/v1/agent/health/service/id/consul-esm:monitor-1",
      ],
      interval: "2s",
      timeout: "5s",
      retries: 3,
      startPeriod: "0s",
    },
    waitTimeout: 60,
    stopTimeout: 10,
    destroyGraceSeconds: 10,
  });
});

test("publishes nothing and holds nothing", () => {
  const { inputs } = monitor.get("docker.Container monitor-1");

  for (const absent of ["ports", "envs", "volumes", "dns"]) expect(inputs).not.toHaveProperty(absent);
});

test("is configured to work through its client agent, under its own name", () => {
  expect(config(monitor, "monitor-1")).toEqual({
    log_level: "WARN",
    instance_id: "monitor-1",
    consul_service: "consul-esm",
    http_addr: "http://client-1:8500",
    node_probe_interval: "10s",
  });
});

test("waits for the client agents", () => {
  const container = monitor.get("docker.Container monitor-1");

  expect(container.parent).toBe("Monitor monitor-1");
  expect(container.dependencies).toEqual([
    "docker.Container monitor-1-agent-1",
    "docker.Container monitor-1-agent-2",
  ]);
  expect(container.replaceOnChanges).toEqual(["healthcheck"]);
  expect(container.deleteBeforeReplace).toBe(true);
});

test("each monitor works through another agent, and starts over when there are no more", async () => {
  const second = await create(() => new Monitor("monitor-2", args(2)));
  const third = await create(() => new Monitor("monitor-3", args(3)));

  expect(config(second, "monitor-2")).toMatchObject({ http_addr: "http://client-2:8500" });
  expect(config(third, "monitor-3")).toMatchObject({ http_addr: "http://client-1:8500" });
});
