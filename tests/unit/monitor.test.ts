import { Monitor, type MonitorArgs } from "../../components/monitor";
import {
  credentials,
  datacenter,
  HARDENED,
  httpsDatacenter,
  labelsOf,
  onlyHost,
  owner,
  scripts,
} from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

// Before the test itself.
const REST = ["CMD", "sh", "-c", scripts("rest.sh"), "rest.sh", "2"];

const args = (number: number): MonitorArgs => ({
  owner,
  host: onlyHost,
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

const config = ({ get }: Created<Monitor>, name: string) => {
  const [env = ""] = get(`docker.Container ${name}`).inputs["envs"] as string[];
  return JSON.parse(env.replace(/^CONFIG=/, "")) as unknown;
};

test("is one hardened container that is healthy while its own heartbeat passes", () => {
  const { envs, ...inputs } = monitor.get("docker.Container monitor-1").inputs;

  expect(envs).toHaveLength(1);
  expect(inputs).toEqual({
    ...HARDENED,
    name: "shop-test-monitor-1",
    hostname: "monitor-1",
    image: "sha256:consul-esm",
    command: [
      "sh",
      "-c",
      'printf %s "$CONFIG" >/tmp/consul-esm.json && exec consul-esm -config-file=/tmp/consul-esm.json',
    ],
    user: "100:1000",
    memory: 96,
    memorySwap: 96,
    labels: labelsOf("monitor"),
    networksAdvanced: [{ name: "network-id", aliases: ["monitor-1"] }],
    healthcheck: {
      tests: [
        ...REST,
        "sh",
        "-c",
        `printf 'GET /v1/agent/health/service/id/consul-esm:monitor-1 HTTP/1.0\\r\\nX-Consul-Token: %s\\r\\n\\r\\n' "$(cat /run/consul/token 2>/dev/null)" | nc client-1 8500 | grep -q '^HTTP/1.[01] 200'`,
      ],
      interval: "2s",
      timeout: "32s",
      retries: 10,
      startPeriod: "0s",
    },
    waitTimeout: 60,
    stopTimeout: 10,
    destroyGraceSeconds: 10,
  });
});

test("publishes nothing and holds nothing", () => {
  const { inputs } = monitor.get("docker.Container monitor-1");

  for (const absent of ["ports", "uploads", "dns"]) expect(inputs).not.toHaveProperty(absent);
});

test("is configured to work through its client agent, under its own name", () => {
  expect(config(monitor, "monitor-1")).toEqual({
    log_level: "WARN",
    instance_id: "monitor-1",
    consul_service: "consul-esm",
    http_addr: "http://client-1:8500",
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

test("shows its token to an agent that serves HTTP, and trusts nobody's certificates", async () => {
  const secured = await create(
    () => new Monitor("monitor-5", { ...args(5), credentials: credentials("monitor-5") }),
  );

  const { inputs } = secured.get("docker.Container monitor-5");
  expect(inputs["command"]).toEqual([
    "sh",
    "-c",
    'printf %s "$CONFIG" >/tmp/consul-esm.json && exec consul-esm -config-file=/tmp/consul-esm.json -config-file=/run/consul/token.json',
  ]);
  expect(config(secured, "monitor-5")).not.toHaveProperty("ca_file");
  expect(inputs["healthcheck"]).toMatchObject({
    tests: [
      ...REST,
      "sh",
      "-c",
      expect.stringContaining('"$(cat /run/consul/token 2>/dev/null)" | nc client-1 8500 |') as string,
    ],
  });
});

test("shows its token, verifies HTTPS, and is replaced when its token is", async () => {
  const datacenter = httpsDatacenter("monitor-4");
  const secured = await create(
    () => new Monitor("monitor-4", { ...args(1), datacenter, credentials: credentials("monitor-4") }),
  );

  const { inputs, dependencies } = secured.get("docker.Container monitor-4");
  expect(inputs).toMatchObject({
    command: [
      "sh",
      "-c",
      'printf %s "$CONFIG" >/tmp/consul-esm.json && exec consul-esm -config-file=/tmp/consul-esm.json -config-file=/run/consul/token.json',
    ],
    volumes: [{ containerPath: "/run/consul", volumeName: "monitor-4-secrets", readOnly: true }],
    labels: [{ label: "consul-docker.accessor", value: "monitor-4-accessor" }, ...labelsOf("monitor")],
    healthcheck: { tests: [...REST, "sh", "-c", "netstat -tn | grep -q ':8501 *ESTABLISHED'"] },
  });
  expect(config(secured, "monitor-4")).toEqual({
    log_level: "WARN",
    instance_id: "monitor-4",
    consul_service: "consul-esm",
    http_addr: "https://client-1:8501",
    ca_file: "/run/consul/ca.pem",
  });
  expect(dependencies).toEqual([
    "docker.Container monitor-4-agent-1",
    "docker.Container monitor-4-agent-2",
    "docker.Container monitor-4-files",
  ]);
});
