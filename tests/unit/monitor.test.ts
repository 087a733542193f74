import { Monitor, type MonitorArgs } from "../../components/monitor";
import {
  credentials,
  datacenter,
  HARDENED,
  healthcheck,
  labelsOf,
  onlyHost,
  owner,
  scripts,
} from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const args = (number: number): MonitorArgs => ({
  owner,
  host: onlyHost,
  imageId: "sha256:consul-esm",
  datacenter: datacenter(`monitor-${number}`),
  number,
  memoryMb: 96,
  logLevel: "warn",
  passingThreshold: 0,
  criticalThreshold: 2,
});

/** How a monitor is run. */
const command = (...rest: readonly string[]) => [
  "sh",
  "-c",
  scripts("agent-api.sh", "monitor-run.sh"),
  "monitor-run.sh",
  ...rest,
];

/** Where a monitor finds the socket of its agent. */
const socketOf = (agent: string) => ({
  containerPath: "/run/agent",
  volumeName: `${agent}-socket`,
  readOnly: true,
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
    command: command("consul-esm:monitor-1", "client-1"),
    user: "100:1000",
    memory: 96,
    memorySwap: 96,
    volumes: [socketOf("client-1")],
    labels: labelsOf("monitor"),
    networksAdvanced: [{ name: "network-id", aliases: ["monitor-1"] }],
    healthcheck: healthcheck(
      "sh",
      "-c",
      scripts("agent-api.sh", "monitor-health.sh"),
      "monitor-health.sh",
      "consul-esm:monitor-1",
    ),
    waitTimeout: 60,
    stopTimeout: 10,
    destroyGraceSeconds: 10,
  });
});

test("publishes nothing and holds nothing", () => {
  const { inputs } = monitor.get("docker.Container monitor-1");

  for (const absent of ["ports", "uploads", "dns"]) expect(inputs).not.toHaveProperty(absent);
});

test("works through the socket of its agent under its own name, with the thresholds of the stack", () => {
  expect(config(monitor, "monitor-1")).toEqual({
    log_level: "WARN",
    instance_id: "monitor-1",
    consul_service: "consul-esm",
    http_addr: "unix:///run/agent/http.sock",
    passing_threshold: 0,
    critical_threshold: 2,
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

  expect(second.get("docker.Container monitor-2").inputs).toMatchObject({
    command: command("consul-esm:monitor-2", "client-2"),
    volumes: [socketOf("client-2")],
  });
  expect(third.get("docker.Container monitor-3").inputs).toMatchObject({ volumes: [socketOf("client-1")] });
});

test("claims no session on an agent that it shares with another monitor", async () => {
  const { localAgents, ...rest } = datacenter("monitor-6");
  const alone = { ...rest, localAgents: localAgents.slice(0, 1) };

  const shared = await create(() => new Monitor("monitor-6", { ...args(2), datacenter: alone }));

  expect(shared.get("docker.Container monitor-6").inputs).toMatchObject({
    command: command("consul-esm:monitor-6", "-"),
    volumes: [socketOf("client-1")],
  });
});

test("works through an agent of its own host, and nowhere else", async () => {
  const elsewhere = { ...onlyHost, name: "b" };
  const { localAgents, ...rest } = datacenter("monitor-7");
  const spread = {
    ...rest,
    localAgents: localAgents.map((agent, index) => (index === 1 ? { ...agent, host: elsewhere } : agent)),
  };

  const there = await create(
    () => new Monitor("monitor-7", { ...args(1), datacenter: spread, host: elsewhere }),
  );

  expect(there.get("docker.Container monitor-7").inputs).toMatchObject({ volumes: [socketOf("client-2")] });
  expect(() => new Monitor("monitor-8", { ...args(1), host: { ...onlyHost, name: "c" } })).toThrow(
    "monitor-8 must have a client agent on its host, there is none",
  );
});

test("shows its token, and is replaced when its token is", async () => {
  const secured = await create(
    () => new Monitor("monitor-4", { ...args(1), credentials: credentials("monitor-4") }),
  );

  const { inputs, dependencies } = secured.get("docker.Container monitor-4");
  expect(inputs).toMatchObject({
    command: command("consul-esm:monitor-4", "client-1", "-config-file=/run/consul/token.json"),
    volumes: [
      { containerPath: "/run/consul", volumeName: "monitor-4-secrets", readOnly: true },
      socketOf("client-1"),
    ],
    labels: [{ label: "consul-docker.accessor", value: "monitor-4-accessor" }, ...labelsOf("monitor")],
  });
  expect(dependencies).toEqual([
    "docker.Container monitor-1-agent-1",
    "docker.Container monitor-1-agent-2",
    "docker.Container monitor-4-files",
  ]);
});
