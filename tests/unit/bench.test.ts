import { bar, plot } from "../../bench/plot";
import { grow, type State } from "../../bench/preview/grow";
import { composeFile, type Deployed } from "../../bench/up/compose";

describe("a state grown to more services", () => {
  const grown = grow(
    {
      deployment: {
        resources: [
          { urn: "urn::Stack::s", outputs: { services: { "svc-1": ["svc-1-1"], "svc-2": ["svc-2-1"] } } },
          { urn: "urn::AclPolicy::dns", inputs: { rules: "old" }, outputs: { rules: "old" } },
          { urn: "urn::Service::svc-1", inputs: { name: "svc-1" } },
          { urn: "urn::Service::svc-10", inputs: { name: "svc-10" } },
          {
            urn: "urn::Container::tokens",
            outputs: { __pulumi_raw_state_delta: {}, uploads: { plaintext: '[{"file":"/svc-1/token"}]' } },
            dependencies: ["urn::Volume::svc-1-secrets"],
          },
        ],
      },
    } satisfies State,
    2,
    3,
  ).deployment.resources;

  it("has a copy of the first one's resources, right behind them", () => {
    expect(grown.map(({ urn }) => urn)).toEqual([
      "urn::Stack::s",
      "urn::AclPolicy::dns",
      "urn::Service::svc-1",
      "urn::Service::svc-3",
      "urn::Service::svc-10",
      "urn::Container::tokens",
    ]);
    expect(grown[3]?.inputs).toEqual({ name: "svc-3" });
  });

  it("names them in what lists the services, in secrets too", () => {
    expect(grown[0]?.outputs?.["services"]).toEqual({
      "svc-1": ["svc-1-1"],
      "svc-2": ["svc-2-1"],
      "svc-3": ["svc-3-1"],
    });
    expect(grown[5]).toEqual({
      urn: "urn::Container::tokens",
      outputs: { uploads: { plaintext: '[{"file":"/svc-1/token"},{"file":"/svc-3/token"}]' } },
      dependencies: ["urn::Volume::svc-1-secrets", "urn::Volume::svc-3-secrets"],
    });
    expect(grown[1]?.inputs?.["rules"]).toContain('service "svc-3"');
  });
});

it("a plot puts each median on the scale, between its lowest and its highest", () => {
  const svg = plot("a < b", [bar("twice", [1.5, 2, 3], 1)]);
  const at = (attribute: string, element: string) =>
    Number(new RegExp(`class="${element}"[^>]* ${attribute}="(\\d+)"`).exec(svg)?.[1]);
  expect(at("cx", "dot")).toBeGreaterThan(at("x1", "range"));
  expect(at("cx", "dot")).toBeLessThan(at("x2", "range"));
  expect(at("x1", "goal")).toBeLessThan(at("x1", "range"));
  expect(svg).toContain("a &lt; b");
});

it("a Compose file says what the engine says of a container, and waits as the stack does", () => {
  const container = (role: string, name: string): Deployed => ({
    Name: `/stack-${name}`,
    Image: "sha256:1",
    Config: {
      Hostname: name,
      User: "100:1000",
      Env: ["A=$B"],
      Cmd: ["agent"],
      Entrypoint: null,
      Labels: { "consul-docker.role": role },
      Healthcheck: { Test: ["CMD", "true"], Interval: 2e9, Timeout: 5e9 },
    },
    HostConfig: {
      Memory: 1024,
      Tmpfs: null,
      Dns: null,
      PortBindings: { "53/udp": [{ HostIp: "127.0.0.1", HostPort: "8600" }] },
      Ulimits: [],
      LogConfig: { Type: "json-file", Config: {} },
    },
    Mounts: [
      { Type: "volume", Name: "data", Destination: "/data", RW: true },
      { Type: "volume", Name: "secrets", Destination: "/secrets", RW: false },
    ],
    NetworkSettings: { Networks: { n: { IPAMConfig: { IPv4Address: "10.0.0.11" } } } },
  });
  const file = composeFile(
    [container("server", "server-1"), container("client", "client-1"), container("secrets", "keys")],
    "10.0.0.0/24",
  );
  expect(file).toMatchObject({
    services: {
      "server-1": {
        environment: ["A=$$B"],
        ports: ["127.0.0.1:8600:53/udp"],
        volumes: ["data:/data", "./stack-server-1/secrets:/secrets:ro"],
        networks: { default: { ipv4_address: "10.0.0.11" } },
        healthcheck: { test: ["CMD", "true"], interval: "2s", timeout: "5s", retries: 60 },
        depends_on: {},
      },
      "client-1": { depends_on: { "server-1": { condition: "service_healthy" } } },
    },
    volumes: { data: {} },
  });
  expect(Object.keys((file as { services: object }).services)).not.toContain("keys");
});
