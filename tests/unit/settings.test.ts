import { createPrivateKey } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import fc from "fast-check";
import { createAuthority, type KeyPair } from "../../components/certificates";
import { claimedImages, claimedPorts, enginesOf, parseSettings, readSettings } from "../../settings";
import { versionOf } from "../../versions";

const api = { name: "api", port: 8080 };
const KEYS =
  "datacenter, servers, hosts, registry, clients, consulVersion, allowDowngrade, monitorVersion, nodeVersion, subnet, bindAddress, httpPort, dnsPort, https, apiNames, insecure, gossipKey, managementToken, caCertificate, caKey, serverCertificate, serverKey, apiCertificate, apiKey, serverMemoryMb, clientMemoryMb, monitorMemoryMb, monitorPassingThreshold, monitorCriticalThreshold, logLevel, traceEndpoint, snapshots, services";
const NAME = "lower-case letters, digits and inner dashes, at most 40";
const SUBNET = "a private IPv4 network with 64 to 65536 addresses, as 10.87.0.0/24";
const PORT = "a whole number from 1 to 65535";
const MEMORY = "a whole number from 64 to 1048576";
const TAG = "an image tag other than latest";

const parse = (raw: Record<string, unknown>) => parseSettings(raw, (service) => service !== "ghost");
const service = (change: Record<string, unknown>) => ({ services: [{ ...api, ...change }] });
const checked = (check: unknown) => service({ checks: [check] });

/** The error of `run`, which must be the one kind that Pulumi shows without a stack. */
function faultOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(pulumi.RunError);
    return (error as Error).message;
  }
  throw new Error("expected a fault");
}

test("an empty stack file gets every default", () => {
  expect(parse({})).toEqual({
    datacenter: "dc1",
    servers: 3,
    hosts: [],
    clients: 2,
    allowDowngrade: false,
    consulVersion: versionOf("consul_version"),
    monitorVersion: versionOf("esm_version"),
    nodeVersion: versionOf("node_image_tag"),
    subnet: "10.87.0.0/24",
    bindAddress: "127.0.0.1",
    httpPort: 8500,
    dnsPort: 8600,
    https: false,
    apiNames: [],
    insecure: false,
    serverMemoryMb: 512,
    clientMemoryMb: 256,
    monitorMemoryMb: 128,
    monitorPassingThreshold: 0,
    monitorCriticalThreshold: 0,
    logLevel: "info",
    services: [],
  });
});

test("a service gets every default, and stays inside the network", () => {
  const [only] = parse({ services: [api] }).services;

  expect(only).toEqual({
    name: "api",
    port: 8080,
    instances: 1,
    tags: [],
    meta: {},
    checks: [{ path: "/ready", intervalSeconds: 2, timeoutSeconds: 1 }],
    discovers: [],
    config: {},
    memoryMb: 256,
  });
  expect(only).not.toHaveProperty("hostPort");
});

test("snapshots get every default, where they are wanted", () => {
  expect(parse({ snapshots: {} }).snapshots).toEqual({ intervalMinutes: 60, keep: 24 });
});

test("a stack file that sets everything is taken as it is", () => {
  const everything = {
    datacenter: "eu-1",
    servers: 5,
    clients: 4,
    consulVersion: "1.20.0",
    allowDowngrade: true,
    monitorVersion: "0.8.0",
    nodeVersion: "22-slim",
    subnet: "172.20.0.0/16",
    bindAddress: "0.0.0.0",
    httpPort: 18500,
    dnsPort: 18600,
    https: true,
    apiNames: ["consul.example.com", "192.0.2.7"],
    insecure: false,
    gossipKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    managementToken: "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    serverMemoryMb: 1024,
    clientMemoryMb: 128,
    monitorMemoryMb: 64,
    monitorPassingThreshold: 1,
    monitorCriticalThreshold: 10,
    logLevel: "trace",
    traceEndpoint: "http://collector.example.com:4318",
    snapshots: { intervalMinutes: 5, keep: 1000 },
    services: [
      {
        name: "api-2",
        instances: 3,
        port: 3000,
        hostPort: 9000,
        tags: ["http", "v2"],
        meta: { protocol: "connect" },
        checks: [{ path: "/live?full=1", intervalSeconds: 90, timeoutSeconds: 5 }],
        discovers: ["api-2", "elsewhere"],
        config: { currency: "EUR", tiers: [1, { to: null }], on: true },
        memoryMb: 512,
      },
    ],
  };

  expect(parse(everything)).toEqual({ ...everything, hosts: [] });
});

describe("one fault is named with its key, what is allowed and what it is", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["a number of the wrong type", { datacenter: 123 }, `datacenter must be ${NAME}, got 123`],
    ["a datacenter in capitals", { datacenter: "DC_1" }, `datacenter must be ${NAME}, got "DC_1"`],
    ["an even server count", { servers: 2 }, "servers must be 1, 3 or 5, got 2"],
    ["seven servers", { servers: 7 }, "servers must be 1, 3 or 5, got 7"],
    ["a server count in words", { servers: "three" }, 'servers must be 1, 3 or 5, got "three"'],
    ["no client", { clients: 0 }, "clients must be a whole number from 1 to 100, got 0"],
    ["half a client", { clients: 1.5 }, "clients must be a whole number from 1 to 100, got 1.5"],
    [
      "more clients than the subnet has room for",
      { clients: 12, subnet: "10.0.0.0/26" },
      "clients must be at most 11 in the subnet 10.0.0.0/26, got 12",
    ],
    ["the tag latest", { consulVersion: "latest" }, `consulVersion must be ${TAG}, got "latest"`],
    ["a tag with a blank", { monitorVersion: "1 2" }, `monitorVersion must be ${TAG}, got "1 2"`],
    ["a version that is a number", { nodeVersion: 24 }, `nodeVersion must be ${TAG}, got 24`],
    ["a tiny subnet", { subnet: "10.0.0.0/30" }, `subnet must be ${SUBNET}, got "10.0.0.0/30"`],
    ["a public subnet", { subnet: "8.8.0.0/24" }, `subnet must be ${SUBNET}, got "8.8.0.0/24"`],
    [
      "a host name to bind",
      { bindAddress: "localhost" },
      'bindAddress must be an IPv4 address, got "localhost"',
    ],
    ["port 0", { httpPort: 0 }, `httpPort must be ${PORT}, got 0`],
    ["a port in words", { dnsPort: "dns" }, `dnsPort must be ${PORT}, got "dns"`],
    [
      "one port twice",
      { httpPort: 8600 },
      "dnsPort must be a port that nothing else has, got 8600, which consul-docker:httpPort has",
    ],
    ["too little memory", { serverMemoryMb: 63 }, `serverMemoryMb must be ${MEMORY}, got 63`],
    ["memory with a unit", { clientMemoryMb: "64m" }, `clientMemoryMb must be ${MEMORY}, got "64m"`],
    ["no memory", { monitorMemoryMb: null }, `monitorMemoryMb must be ${MEMORY}, got null`],
    [
      "an unknown level",
      { logLevel: "loud" },
      'logLevel must be trace, debug, info, warn or error, got "loud"',
    ],
    [
      "a collector without a scheme",
      { traceEndpoint: "collector:4318" },
      'traceEndpoint must be a URL, as http://collector:4318, got "collector:4318"',
    ],
    ["an unknown setting", { datacentre: "x" }, `datacentre is not a setting; there are ${KEYS}`],
    ["services in a table", { services: {} }, "services must be a list of services, got {}"],
    [
      "a service that is a name",
      { services: ["api"] },
      'services[0] must be a table with name, port and more, got "api"',
    ],
    ["a service without name", { services: [{ port: 1 }] }, `services[0].name must be ${NAME}, got nothing`],
    [
      "a service without port",
      { services: [{ name: "api" }] },
      `services[0].port must be ${PORT}, got nothing`,
    ],
    ["a service in capitals", service({ name: "Api" }), `services[0].name must be ${NAME}, got "Api"`],
    [
      "a name of 41 letters",
      service({ name: "a".repeat(41) }),
      `services[0].name must be ${NAME}, got "${"a".repeat(41)}"`,
    ],
    [
      "a service without folder",
      service({ name: "ghost" }),
      'services[0].name must be a folder under services/ with a main.ts, got "ghost"',
    ],
    ["a service twice", { services: [api, api] }, 'services[1].name must be unique, got "api" again'],
    [
      "a name that Consul's containers have",
      service({ name: "server" }),
      `services[0].name must not be the name of one of Consul's own containers, got "server"`,
    ],
    [
      "no instance",
      service({ instances: 0 }),
      "services[0].instances must be a whole number from 1 to 100, got 0",
    ],
    ["a port that is text", service({ port: "8080" }), `services[0].port must be ${PORT}, got "8080"`],
    ["host port 0", service({ hostPort: 0 }), `services[0].hostPort must be ${PORT}, got 0`],
    [
      "a host port without room for the instances",
      service({ hostPort: 65535, instances: 2 }),
      "services[0].hostPort must leave room for each instance, got port 65536",
    ],
    [
      "a host port that Consul has",
      service({ hostPort: 8499, instances: 2 }),
      "services[0].hostPort must be a port that nothing else has, got 8500, which consul-docker:httpPort has",
    ],
    [
      "a host port that another service has",
      {
        services: [
          { ...api, hostPort: 9000, instances: 2 },
          { name: "web", port: 1, hostPort: 9001 },
        ],
      },
      "services[1].hostPort must be a port that nothing else has, got 9001, which consul-docker:services[0].hostPort has",
    ],
    ["one tag without a list", service({ tags: "a" }), 'services[0].tags must be a list of strings, got "a"'],
    [
      "a tag in capitals",
      service({ tags: ["a", "B"] }),
      'services[0].tags[1] must be lower-case letters, digits and inner dashes, got "B"',
    ],
    ["metadata that is a number", service({ meta: { a: 1 } }), "services[0].meta.a must be a string, got 1"],
    [
      "metadata under a name with a blank",
      service({ meta: { "a b": "1" } }),
      "services[0].meta.a b must be strings under names of letters, digits, dot, dash and underscore",
    ],
    ["metadata in a list", service({ meta: [] }), "services[0].meta must be strings, got []"],
    [
      "an empty list of checks",
      service({ checks: [] }),
      "services[0].checks must be at least one check, got []",
    ],
    [
      "one check without a list",
      service({ checks: {} }),
      "services[0].checks must be a list of checks, got {}",
    ],
    [
      "a check path without a slash",
      checked({ path: "ready" }),
      'services[0].checks[0].path must be a path that starts with a slash, got "ready"',
    ],
    [
      "a check without a path",
      checked({}),
      "services[0].checks[0].path must be a path that starts with a slash, got nothing",
    ],
    [
      "a check that is a path",
      checked("/ready"),
      'services[0].checks[0] must be a table with path, intervalSeconds and timeoutSeconds, got "/ready"',
    ],
    [
      "a check that never rests",
      checked({ path: "/ready", intervalSeconds: 0 }),
      "services[0].checks[0].intervalSeconds must be a whole number from 1 to 3600, got 0",
    ],
    [
      "a check that waits too long",
      checked({ path: "/ready", timeoutSeconds: 601 }),
      "services[0].checks[0].timeoutSeconds must be a whole number from 1 to 600, got 601",
    ],
    [
      "an unknown setting of a check",
      checked({ path: "/ready", interval: "2s" }),
      "services[0].checks[0].interval is not a setting; there are path, intervalSeconds, timeoutSeconds",
    ],
    [
      "a check twice",
      service({ checks: [{ path: "/a" }, { path: "/a" }] }),
      "services[0].checks must have a path each, got /a, /a",
    ],
    [
      "an unknown setting of a service",
      service({ replicas: 3 }),
      "services[0].replicas is not a setting; there are name, instances, port, hostPort, tags, meta, checks, discovers, config, memoryMb",
    ],
    [
      "a configuration key with a slash",
      service({ config: { "a/b": 1 } }),
      "services[0].config.a/b must be values under names of letters, digits, dot, dash and underscore that are more than dots",
    ],
    [
      "a configuration key that leads to another service's",
      service({ config: { "..": 1 } }),
      "services[0].config... must be values under names of letters, digits, dot, dash and underscore that are more than dots",
    ],
    [
      "a configuration value that Consul does not take",
      service({ config: { a: "x".repeat(512 * 1024 - 1) } }),
      `services[0].config.a must be a JSON value of at most 512 KiB, got "${"x".repeat(999)}… (524289 characters)`,
    ],
    [
      "snapshots without a table",
      { snapshots: true },
      "snapshots must be a table with intervalMinutes and keep, got true",
    ],
    [
      "snapshots without a pause",
      { snapshots: { intervalMinutes: 0 } },
      "snapshots.intervalMinutes must be a whole number from 1 to 10080, got 0",
    ],
    [
      "no snapshot to be kept",
      { snapshots: { keep: 0 } },
      "snapshots.keep must be a whole number from 1 to 1000, got 0",
    ],
    [
      "an unknown setting of snapshots",
      { snapshots: { hours: 1 } },
      "snapshots.hours is not a setting; there are intervalMinutes, keep",
    ],
    [
      "a service called as what takes the snapshots",
      service({ name: "snapshots" }),
      'services[0].name must not be the name of one of Consul\'s own containers, got "snapshots"',
    ],
    [
      "too little memory for a service",
      service({ memoryMb: 1 }),
      `services[0].memoryMb must be ${MEMORY}, got 1`,
    ],
  ])("%s", (_, raw, fault) => {
    expect(faultOf(() => parse(raw))).toBe(`the stack file has a fault:\n  consul-docker:${fault}`);
  });
});

test("all faults are named at once", () => {
  const raw = {
    servers: 4,
    logLevel: "loud",
    region: "eu",
    services: [api, api, { name: "ghost", checks: [{ path: "ready" }] }],
  };

  expect(faultOf(() => parse(raw)).split("\n")).toEqual([
    "the stack file has 7 faults:",
    "  consul-docker:servers must be 1, 3 or 5, got 4",
    '  consul-docker:logLevel must be trace, debug, info, warn or error, got "loud"',
    `  consul-docker:services[2].port must be ${PORT}, got nothing`,
    '  consul-docker:services[2].checks[0].path must be a path that starts with a slash, got "ready"',
    `  consul-docker:region is not a setting; there are ${KEYS}`,
    '  consul-docker:services[1].name must be unique, got "api" again',
    '  consul-docker:services[2].name must be a folder under services/ with a main.ts, got "ghost"',
  ]);
});

test("every unknown setting is named", () => {
  expect(faultOf(() => parse({ a: 1, b: 2 }))).toBe(
    `the stack file has 2 faults:\n  consul-docker:a is not a setting; there are ${KEYS}\n  consul-docker:b is not a setting; there are ${KEYS}`,
  );
});

test("a fault is shown without a stack", () => {
  let stack: string | undefined;
  try {
    parse({ servers: 2 });
  } catch (error) {
    stack = (error as Error).stack;
  }

  expect(stack).toBe("");
});

describe("as Pulumi hands the stack file over", () => {
  const read = (config: Record<string, string>) => {
    pulumi.runtime.setAllConfig(config);
    return readSettings();
  };

  test("text stays text, even where it looks like a number", () => {
    const settings = read({
      "consul-docker:datacenter": "123",
      "consul-docker:consulVersion": "1.20",
      "consul-docker:nodeVersion": "24",
    });

    expect(settings).toMatchObject({ datacenter: "123", consulVersion: "1.20", nodeVersion: "24" });
  });

  test("numbers and lists are read from their text", () => {
    const settings = read({
      "consul-docker:servers": "5",
      "consul-docker:httpPort": "18500",
      "consul-docker:services": '[{"name":"gateway","port":8080}]',
    });

    expect(settings).toMatchObject({
      servers: 5,
      httpPort: 18500,
      services: [{ name: "gateway", port: 8080, instances: 1 }],
    });
  });

  test("what belongs to others is not looked at", () => {
    expect(read({ "docker:host": "ssh://elsewhere", "consul-docker:servers": "1" }).servers).toBe(1);
  });

  test("a service without a folder is a fault", () => {
    expect(faultOf(() => read({ "consul-docker:services": '[{"name":"no-such-service","port":1}]' }))).toBe(
      'the stack file has a fault:\n  consul-docker:services[0].name must be a folder under services/ with a main.ts, got "no-such-service"',
    );
  });

  test("text that is neither what is asked for nor JSON is a fault", () => {
    expect(faultOf(() => read({ "consul-docker:services": "[{", "consul-docker:clients": "" }))).toBe(
      'the stack file has 2 faults:\n  consul-docker:clients must be a whole number from 1 to 100, got ""\n  consul-docker:services must be a list of services, got "[{"',
    );
  });

  test("a setting called as a part of every object is unknown, too", () => {
    expect(faultOf(() => read({ "consul-docker:toString": "x" }))).toBe(
      `the stack file has a fault:\n  consul-docker:toString is not a setting; there are ${KEYS}`,
    );
  });
});

test("the ports of the host are known with the settings that ask for them", () => {
  const settings = parse({
    httpPort: 18500,
    services: [
      { ...api, hostPort: 9000, instances: 2 },
      { name: "web", port: 80 },
    ],
  });

  expect([...claimedPorts(settings)]).toEqual([
    [18500, "consul-docker:httpPort"],
    [8600, "consul-docker:dnsPort"],
    [9000, "consul-docker:services[0].hostPort"],
    [9001, "consul-docker:services[0].hostPort"],
  ]);
});

test("the public images are known with the settings that ask for them", () => {
  expect([...claimedImages(parse({ consulVersion: "1.20.0" }))]).toEqual([
    ["hashicorp/consul:1.20.0", "consul-docker:consulVersion"],
    [`hashicorp/consul-esm:${versionOf("esm_version")}`, "consul-docker:monitorVersion"],
    [`node:${versionOf("node_image_tag")}`, "consul-docker:nodeVersion"],
  ]);
});

describe("hosts", () => {
  const SOCKET = "unix:///var/run/docker.sock";
  const one = { name: "a", endpoint: SOCKET, address: "192.0.2.1", manager: true };
  const two = { name: "b.example", endpoint: "ssh://admin@192.0.2.2", address: "192.0.2.2" };
  const three = { name: "c", endpoint: "tcp://192.0.2.3:2376", certPath: "/certs", address: "192.0.2.3" };
  const on = (...hosts: readonly object[]) => ({ hosts });
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      name: `host${index}`,
      endpoint: `ssh://192.0.2.${index}`,
      address: `192.0.2.${index}`,
      manager: index === 0,
    }));

  test("have a client agent each, and an API by HTTPS whose certificate is for all of them", () => {
    const settings = parse({ ...on(one, two, three), apiNames: ["consul.example"] });

    expect(settings.hosts).toEqual([
      { ...one, drain: false },
      { ...two, manager: false, drain: false },
      { ...three, manager: false, drain: false },
    ]);
    expect(settings).toMatchObject({
      clients: 3,
      https: true,
      apiNames: ["consul.example", "192.0.2.1", "192.0.2.2", "192.0.2.3"],
    });
    expect(parse({ ...on(one, two), clients: 5 }).clients).toBe(5);
  });

  test("are the engines that are asked; without them it is the one that the docker command talks to", () => {
    expect(enginesOf(parse(on(one, two))).map(({ name, endpoint }) => [name, endpoint])).toEqual([
      ["a", SOCKET],
      ["b.example", "ssh://admin@192.0.2.2"],
    ]);
    expect(enginesOf(parse({ bindAddress: "0.0.0.0" }))).toEqual([{ address: "0.0.0.0" }]);
  });

  test("publish a service at the same port, each its own instance", () => {
    const services = [
      { ...api, hostPort: 9000 },
      { name: "api-2", port: 8080, hostPort: 9001, instances: 1 },
    ];
    const settings = parse({ ...on(one, two), services: services.slice(0, 1) });

    expect([...claimedPorts(settings).keys()]).toEqual([8500, 8600, 9000]);
    expect(faultOf(() => parse({ ...on(one, two), services }))).toContain(
      "services[1].instances must be left out where there are hosts and a hostPort: one runs on each host",
    );
  });

  test.each([
    "registry.example.com",
    "registry.example.com/team/a-b_c",
    "registry:5000",
    "192.0.2.9:5000/team",
    "my-docker.io.example:443/x",
  ])("may have the registry %s", (registry) => {
    expect(parse({ ...on(one), registry }).registry).toBe(registry);
  });

  test.each([
    "Registry.example.com",
    "https://registry.example.com",
    "registry.example.com/",
    "registry.example.com:5000/team:1",
    "registry.example.com:port",
    "team/images",
    "registry",
    "docker.io/team",
    "index.docker.io",
    "a b.example",
  ])("may not have the registry %s", (registry) => {
    expect(faultOf(() => parse({ ...on(one), registry }))).toBe(
      `the stack file has a fault:\n  consul-docker:registry must be a registry other than Docker Hub in lower case, as registry.example.com:5000/team, got "${registry}"`,
    );
  });

  test("are what a registry is for", () => {
    expect(parse(on(one)).registry).toBeUndefined();
    expect(faultOf(() => parse({ registry: "registry.example.com" }))).toBe(
      "the stack file has a fault:\n  consul-docker:registry must be left out where there are no hosts: one engine runs what it has built",
    );
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["none at all", { hosts: "a" }, 'hosts must be a list of at most 100 hosts, got "a"'],
    [
      "more than the subnet has room for",
      { subnet: "10.0.0.0/26", ...on(...many(12)) },
      "hosts must be at most 11 in the subnet 10.0.0.0/26, got 12",
    ],
    [
      "a name with a blank",
      on({ ...one, name: "a b" }),
      'hosts[0].name must be letters, digits and inner dots and dashes, at most 63, got "a b"',
    ],
    [
      "an unknown key",
      on({ ...one, role: "x" }),
      "hosts[0].role is not a setting; there are name, endpoint, certPath, address, manager, drain",
    ],
    [
      "a bare address",
      on({ ...one, endpoint: "192.0.2.1" }),
      'hosts[0].endpoint must be a Docker endpoint, as unix:///var/run/docker.sock, tcp://10.0.0.5:2376 or ssh://admin@10.0.0.5, got "192.0.2.1"',
    ],
    [
      "loopback",
      on({ ...one, address: "127.0.0.1" }),
      'hosts[0].address must be an IPv4 address at which the other hosts reach it, got "127.0.0.1"',
    ],
    [
      "every address",
      on({ ...one, address: "0.0.0.0" }),
      'hosts[0].address must be an IPv4 address at which the other hosts reach it, got "0.0.0.0"',
    ],
    ["one name twice", on(one, { ...two, name: "a" }), 'hosts[1].name must be unique, got "a" again'],
    [
      "one engine twice",
      on(one, { ...two, endpoint: SOCKET }),
      `hosts[1].endpoint must be unique, got "${SOCKET}" again`,
    ],
    [
      "one address twice",
      on(one, { ...two, address: "192.0.2.1" }),
      'hosts[1].address must be unique, got "192.0.2.1" again',
    ],
    ["no manager", on(two), "hosts must have one host with manager: true, got none"],
    [
      "two managers",
      on(one, { ...two, manager: true }),
      "hosts must have one host with manager: true, got 2",
    ],
    [
      "nothing but drained ones",
      on({ ...one, drain: true }),
      "hosts must have one host without drain: true, got none",
    ],
    [
      "TCP without TLS",
      on(one, { ...three, certPath: undefined }),
      "hosts[1].certPath must be given with a tcp:// endpoint, and with no other",
    ],
    [
      "certificates for a socket",
      on({ ...one, certPath: "/certs" }),
      "hosts[0].certPath must be given with a tcp:// endpoint, and with no other",
    ],
    [
      "an address for all",
      { ...on(one), bindAddress: "0.0.0.0" },
      "bindAddress must be left out where there are hosts, each of which has an address",
    ],
    ["no security", { ...on(one), insecure: true }, "insecure must be false where there are hosts"],
    ["plain HTTP", { ...on(one), https: false }, "https must be true where there are hosts"],
  ])("are refused with %s", (_, raw, message) => {
    expect(faultOf(() => parse(raw))).toBe(`the stack file has a fault:\n  consul-docker:${message}`);
  });
});

describe("security", () => {
  const UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
  const GOSSIP = Buffer.alloc(32, 1).toString("base64");
  let ca: KeyPair;
  let other: KeyPair;

  beforeAll(async () => {
    [ca, other] = await Promise.all([createAuthority("a"), createAuthority("b")]);
  });

  test("HTTPS is a matter of choice on loopback, and of course beyond it", () => {
    expect(parse({ https: true }).https).toBe(true);
    expect(parse({ https: false }).https).toBe(false);
    expect(parse({ bindAddress: "0.0.0.0", https: true }).https).toBe(true);
    expect(parse({ bindAddress: "127.8.8.8" }).https).toBe(false);
    expect(parse({ bindAddress: "0.0.0.0" }).https).toBe(true);
  });

  test("a complete set of one's own is taken as it is", () => {
    const own = {
      gossipKey: GOSSIP,
      managementToken: UUID,
      caCertificate: ca.certificate,
      caKey: ca.key,
      apiNames: ["consul.example.com", "192.0.2.7"],
    };

    expect(parse(own)).toMatchObject(own);
  });

  test("a name that stands for Consul's own containers is refused with a number, too", () => {
    expect(faultOf(() => parse({ services: [{ ...api, name: "client-1" }] }))).toContain(
      'services[0].name must not be the name of one of Consul\'s own containers, got "client-1"',
    );
  });

  test.each<[string, () => Record<string, unknown>, string]>([
    [
      "no security beyond loopback",
      () => ({ insecure: true, bindAddress: "192.0.2.7" }),
      "insecure must be false where bindAddress 192.0.2.7 is not on loopback",
    ],
    [
      "plain HTTP beyond loopback",
      () => ({ https: false, bindAddress: "0.0.0.0" }),
      "https must be true where bindAddress 0.0.0.0 is not on loopback",
    ],
    [
      "HTTPS without keys",
      () => ({ https: true, insecure: true }),
      "https must be false where insecure is true",
    ],
    [
      "a short gossip key",
      () => ({ gossipKey: "c2hvcnQ=" }),
      "gossipKey must be 32 bytes in base64, as consul keygen prints them, got something else",
    ],
    [
      "a token that is none",
      () => ({ managementToken: "hunter2" }),
      "managementToken must be a UUID, got something else",
    ],
    [
      "a key that is none",
      () => ({ caCertificate: ca.certificate, caKey: "hunter2" }),
      "caKey must be a private key in PEM, not encrypted, got something else",
    ],
    [
      "a certificate that is none",
      () => ({ caCertificate: "x", caKey: ca.key }),
      'caCertificate must be an X.509 certificate in PEM, got "x"',
    ],
    [
      "an authority's certificate alone",
      () => ({ caCertificate: ca.certificate }),
      "caKey must be given with caCertificate, unless both certificates and their keys are",
    ],
    ["an authority's key alone", () => ({ caKey: ca.key }), "caCertificate must be given with caKey"],
    [
      "a certificate without its key",
      () => ({ serverCertificate: ca.certificate }),
      "serverKey must be given with serverCertificate",
    ],
    [
      "another one's key",
      () => ({ apiCertificate: ca.certificate, apiKey: other.key }),
      "apiKey must be the key of apiCertificate",
    ],
    [
      "a key without its certificate",
      () => ({ apiKey: other.key }),
      "apiCertificate must be given with apiKey",
    ],
    [
      "an authority's certificate with one certificate of two",
      () => ({ caCertificate: ca.certificate, serverCertificate: ca.certificate, serverKey: ca.key }),
      "caKey must be given with caCertificate, unless both certificates and their keys are",
    ],
    [
      "an encrypted key",
      () => ({ caCertificate: ca.certificate, caKey: encrypted(ca.key) }),
      "caKey must be a private key in PEM, not encrypted, got something else",
    ],
    [
      "a number for a gossip key",
      () => ({ gossipKey: 8_675_309 }),
      "gossipKey must be 32 bytes in base64, as consul keygen prints them, got something else",
    ],
    ["HTTPS in words", () => ({ https: "on" }), 'https must be true or false, got "on"'],
    ["insecurity in words", () => ({ insecure: "yes" }), 'insecure must be true or false, got "yes"'],
    ["one name without a list", () => ({ apiNames: "a" }), 'apiNames must be a list of strings, got "a"'],
    [
      "one service to discover without a list",
      () => service({ discovers: "api" }),
      'services[0].discovers must be a list of services\' names, got "api"',
    ],
    [
      "an odd name",
      () => ({ apiNames: ["a b"] }),
      'apiNames[0] must be host names or IPv4 addresses, got "a b"',
    ],
    [
      "an odd service to discover",
      () => service({ discovers: ["A"] }),
      `services[0].discovers[0] must be ${NAME}, got "A"`,
    ],
  ])("%s is refused, and no secret is shown", (_case, raw, message) => {
    const settings = raw();

    const fault = faultOf(() => parse(settings));

    expect(fault).toBe(`the stack file has a fault:\n  consul-docker:${message}`);
    const secrets = ["gossipKey", "managementToken", "caKey", "serverKey", "apiKey"].flatMap((key) =>
      key in settings ? [String(settings[key])] : [],
    );
    expect(secrets.filter((secret) => fault.includes(secret))).toEqual([]);
  });

  test("no text in the place of a secret is shown, nor the right secret beside a fault", () => {
    const text = fc.string({ minLength: 12 }).filter((some) => some.trim().length >= 12);
    fc.assert(
      fc.property(
        text,
        fc.constantFrom("gossipKey", "managementToken", "caKey", "serverKey", "apiKey"),
        (some, key) => {
          expect(faultOf(() => parse({ [key]: some, servers: 2 }))).not.toContain(some);
        },
      ),
    );

    const right = { gossipKey: GOSSIP, managementToken: UUID, caCertificate: ca.certificate, caKey: ca.key };
    expect(faultOf(() => parse({ ...right, servers: 2 }))).toBe(
      "the stack file has a fault:\n  consul-docker:servers must be 1, 3 or 5, got 2",
    );
  });

  test("an authority needs no key where it has nothing to issue", () => {
    const pair = { caCertificate: ca.certificate, serverCertificate: ca.certificate, serverKey: ca.key };

    expect(parse({ ...pair, apiCertificate: ca.certificate, apiKey: ca.key })).toMatchObject(pair);
  });

  test("as Pulumi hands it over, each setting is what it is in the stack file", () => {
    pulumi.runtime.setAllConfig({
      "consul-docker:https": "true",
      "consul-docker:insecure": "false",
      "consul-docker:apiNames": '["consul.example.com"]',
      "consul-docker:gossipKey": GOSSIP,
      "consul-docker:managementToken": UUID,
      "consul-docker:caCertificate": ca.certificate,
      "consul-docker:caKey": ca.key,
    });

    expect(readSettings()).toMatchObject({
      https: true,
      insecure: false,
      apiNames: ["consul.example.com"],
      gossipKey: GOSSIP,
      managementToken: UUID,
      caCertificate: ca.certificate,
      caKey: ca.key,
    });
  });

  test("as Pulumi hands it over, a secret that is a number, or JSON, is not shown either", () => {
    pulumi.runtime.setAllConfig({
      "consul-docker:gossipKey": "8675309",
      "consul-docker:managementToken": '{"token":"hunter2"}',
    });

    expect(faultOf(() => readSettings())).toBe(
      "the stack file has 2 faults:\n  consul-docker:gossipKey must be 32 bytes in base64, as consul keygen prints them, got something else\n  consul-docker:managementToken must be a UUID, got something else",
    );
  });
});

/** The private key under a passphrase. */
function encrypted(key: string): string {
  const options = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" } as const;
  return createPrivateKey(key).export(options).toString();
}
