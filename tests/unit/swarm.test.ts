import fc from "fast-check";
import type { InstanceSpec, Platform } from "../../components/platform";
import { swarm, type SwarmHost } from "../../components/swarm";
import { healthcheck, labelsOf, owner } from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const node = (name: string, change: Partial<SwarmHost> = {}): SwarmHost => ({
  name,
  endpoint: `ssh://admin@${name}`,
  address: "192.0.2.1",
  manager: false,
  drain: false,
  ...change,
});

const instance = (name: string): InstanceSpec => ({
  owner,
  role: "service",
  imageId: `shop-test-orders:abc`,
  attachment: { networkId: "network-id", alias: name },
  memoryMb: 160,
  user: "10001:10001",
  healthTest: ["node", "-e", "probe"],
  startIntervalSeconds: 3,
  readyTimeoutSeconds: 60,
  stopTimeoutSeconds: 15,
  volumes: { "/run/consul": { volumeName: "orders-secrets", readOnly: true } },
  envs: ["PORT=8080", "ADDRESSES=http://a:1?x=1,http://b:1"],
  dns: ["10.9.0.21", "10.9.0.22"],
});

const names = (platform: Platform, count: number) => platform.place(count).map(({ name }) => name);

let three: Created<Platform>;

beforeAll(async () => {
  await mockPulumi();
  three = await create(() =>
    swarm([
      node("a", { manager: true }),
      node("b", { endpoint: "tcp://b:2376", certPath: "/certs" }),
      node("c"),
    ]),
  );
});

test("each host is created through a provider of its own, what spans them through the manager's engine", () => {
  expect(three.refs).toEqual(
    expect.arrayContaining(["docker.Provider swarm_manager", "docker.Provider a", "docker.Provider b"]),
  );
  expect(three.registrations).toHaveLength(4);
  expect(three.get("docker.Provider swarm_manager").inputs).toEqual({ host: "ssh://admin@a" });
  expect(three.get("docker.Provider b").inputs).toEqual({ host: "tcp://b:2376", certPath: "/certs" });
});

test("an engine that a preview does without is where its stand-in is", async () => {
  const hosts = [
    node("s1", { manager: true, endpoint: "tcp://s1:2376", certPath: "/certs" }),
    node("s2", { endpoint: "unix:///srv/docker.sock" }),
  ];
  const silent = new Map(["s1", "s2"].map((name) => [name, "unix:///tmp/stand-in.sock"]));
  const { component, get } = await create(() => swarm(hosts, undefined, silent));

  for (const name of ["swarm_manager", "s1", "s2"])
    expect(get(`docker.Provider ${name}`).inputs).toEqual({ host: "unix:///tmp/stand-in.sock" });
  // What runs there goes on as it is.
  expect(component.unreliable.map(({ path }) => path)).toEqual(["/var/run/docker.sock", "/srv/docker.sock"]);
});

test("each engine may need help to bring back what runs there, but for a drained one", async () => {
  const { component } = await create(() =>
    swarm([
      node("u1", { manager: true, endpoint: "unix:///srv/docker.sock" }),
      node("u2", { endpoint: "tcp://u2:2376" }),
      node("u3", { drain: true }),
    ]),
  );

  expect(component.unreliable.map(({ host, path }) => [host.name, path])).toEqual([
    ["u1", "/srv/docker.sock"],
    ["u2", "/var/run/docker.sock"],
  ]);
});

test("each engine is told where the registry is, and nothing of a login", async () => {
  const { registrations } = await create(() =>
    swarm([node("r1", { manager: true }), node("r2")], "registry.example.com:5000/team"),
  );

  const told = Object.fromEntries(registrations.map(({ ref, inputs }) => [ref, inputs["registryAuth"]]));
  const address = JSON.stringify([{ address: "registry.example.com:5000" }]);
  expect(told).toEqual({
    "docker.Provider swarm_manager": address,
    "docker.Provider r1": address,
    "docker.Provider r2": address,
  });
});

describe("placement", () => {
  test("takes the hosts one after the other, and begins again", () => {
    expect(names(three.component, 5)).toEqual(["a", "b", "c", "a", "b"]);
  });

  test("gives what a drained host would have to whoever has least, and leaves the others where they are", async () => {
    const { component } = await create(() =>
      swarm([node("d1", { manager: true }), node("d2", { drain: true }), node("d3"), node("d4")]),
    );

    expect(component.hosts.map(({ name }) => name)).toEqual(["d1", "d2", "d3", "d4"]);
    expect(names(component, 3)).toEqual(["d1", "d4", "d3"]);
    expect(names(component, 4)).toEqual(["d1", "d1", "d3", "d4"]);
  });

  test("is as even as the hosts allow, and moves nothing but what a drained host had", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }).filter((drains) => drains.includes(false)),
        fc.integer({ min: 1, max: 9 }),
        async (drains, count) => {
          run += 1;
          const nodes = drains.map((drain, index) =>
            node(`p${run}-${index}`, { drain, manager: index === 0 }),
          );
          const { component } = await create(() => swarm(nodes));
          const placed = names(component, count);
          const open = nodes.filter(({ drain }) => !drain);
          const loads = open.map(({ name }) => placed.filter((one) => one === name).length);

          expect(placed).toHaveLength(count);
          expect(loads.reduce((sum, load) => sum + load, 0)).toBe(count);
          expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
          placed.forEach((host, index) => {
            const turn = nodes[index % nodes.length];
            if (turn?.drain === false) expect(host).toBe(turn.name);
          });
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("the instances of a service", () => {
  test("are as many as are asked for, wherever Swarm puts them", () => {
    expect(three.component.plan({ instances: 1 })).toEqual([{ number: 1, avoid: [] }]);
    expect(three.component.plan({ instances: 3 }).map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test("are kept apart, so that no host may have all of them, and each has a host", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 2, maxLength: 6 }).filter((drains) => drains.includes(false)),
        fc.integer({ min: 1, max: 8 }),
        async (drains, instances) => {
          run += 1;
          const nodes = drains.map((drain, index) =>
            node(`q${run}-${index}`, { drain, manager: index === 0 }),
          );
          const { component } = await create(() => swarm(nodes));
          const allowed = component
            .plan({ instances })
            .map(({ avoid = [] }) => nodes.map(({ name }) => name).filter((name) => !avoid.includes(name)));
          const open = nodes.filter(({ drain }) => !drain).map(({ name }) => name);

          for (const hosts of allowed) {
            expect(hosts).not.toEqual([]);
            expect(open).toEqual(expect.arrayContaining(hosts));
          }
          const together = open.filter((name) => allowed.every((hosts) => hosts.includes(name)));
          expect(together).toEqual(instances === 1 || open.length === 1 ? open : []);
          // With as many as hosts, a lost host leaves each of them another one.
          if (open.length > 2 && instances >= open.length)
            for (const hosts of allowed) expect(hosts.length).toBeGreaterThan(1);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("are one on each host in use where they publish, all at the same port", async () => {
    const { component } = await create(() =>
      swarm([
        node("e1", { manager: true, address: "192.0.2.1" }),
        node("e2", { drain: true, address: "192.0.2.2" }),
        node("e3", { address: "192.0.2.3" }),
      ]),
    );

    expect(component.plan({ instances: 1, hostPort: 9000 })).toEqual([
      { number: 1, host: "e1", publish: { external: 9000, address: "192.0.2.1" } },
      { number: 3, host: "e3", publish: { external: 9000, address: "192.0.2.3" } },
    ]);
  });

  test("are Swarm services of one hardened replica under their own name", async () => {
    const { get } = await create(() => three.component.run("orders-1", instance("orders-1"), {}));

    const { inputs, provider, ignoreChanges } = get("docker.Service orders-1");
    expect(provider).toBe("docker.Provider swarm_manager");
    expect(ignoreChanges).toEqual(["taskSpec.placement.platforms"]);
    expect(inputs).toEqual({
      name: "shop-test-orders-1",
      labels: labelsOf("service"),
      mode: { replicated: { replicas: 1 } },
      taskSpec: {
        containerSpec: {
          image: "shop-test-orders:abc",
          hostname: "orders-1",
          user: "10001:10001",
          readOnly: true,
          capDrops: ["ALL"],
          env: { PORT: "8080", ADDRESSES: "http://a:1?x=1,http://b:1" },
          dnsConfig: { nameservers: ["10.9.0.21", "10.9.0.22"] },
          labels: labelsOf("service"),
          healthcheck: {
            tests: healthcheck("node", "-e", "probe").tests,
            interval: "3s",
            timeout: "1m",
            // Of three seconds each, the minute that an instance has to become healthy.
            retries: 20,
            startPeriod: "0s",
          },
          mounts: [
            { type: "tmpfs", target: "/tmp", tmpfsOptions: { sizeBytes: 16_777_216 } },
            { type: "volume", target: "/run/consul", source: "orders-secrets", readOnly: true },
          ],
          stopGracePeriod: "30s",
        },
        logDriver: { name: "json-file", options: { "max-file": "3", "max-size": "10m" } },
        networksAdvanceds: [{ id: "network-id", aliases: ["orders-1"] }],
        placement: { constraints: [] },
        resources: { limits: { memoryBytes: 167_772_160 } },
        restartPolicy: { condition: "any", delay: "1s", window: "0s" },
      },
      endpointSpec: { mode: "dnsrr", ports: [] },
      convergeConfig: { delay: "1s", timeout: "1m30s" },
    });
  });

  test("publish at their host's port and may not leave it, or stay off other hosts", async () => {
    const platform = (await create(() => swarm([node("f1", { manager: true }), node("f2", { drain: true })])))
      .component;
    const { get } = await create(() => [
      platform.run(
        "gate-1",
        {
          ...instance("gate-1"),
          host: "f1",
          publish: { internal: 8080, external: 9000, address: "192.0.2.1" },
        },
        {},
      ),
      platform.run("free-1", { ...instance("free-1"), avoid: ["f2"] }, {}),
    ]);

    expect(get("docker.Service gate-1").inputs).toMatchObject({
      taskSpec: { placement: { constraints: ["node.hostname==f1"] } },
      endpointSpec: {
        mode: "dnsrr",
        ports: [{ targetPort: 8080, publishedPort: 9000, publishMode: "host", protocol: "tcp" }],
      },
    });
    expect(get("docker.Service free-1").inputs).toMatchObject({
      taskSpec: { placement: { constraints: ["node.hostname!=f2"] } },
    });
  });
});
