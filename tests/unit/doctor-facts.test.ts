import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAuthority } from "../../components/certificates";
import { answer, valueOf } from "../../scripts/doctor/answer";
import { tryPorts } from "../../scripts/doctor/attempts";
import { readAutopilot, readCatalog, readMonitors } from "../../scripts/doctor/consul-facts";
import type { Ask } from "../../scripts/monitoring";
import { parseInside } from "../../scripts/doctor/inside";
import { parseState } from "../../scripts/doctor/state";
import { run } from "../../scripts/doctor/tool";
import { declared, EMPTY } from "./doctor-fixtures";

/** As `pulumi stack export --show-secrets` writes a secret. */
const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});
const messageOf = async (asked: Promise<unknown>) => {
  const given = await answer(asked);
  return "failure" in given ? given.failure : undefined;
};

describe("the state", () => {
  const resource = (type: string, alias: string, outputs?: unknown) => ({
    urn: `urn:pulumi:s::p::consul-docker:index:X$${type}::${alias}`,
    type,
    outputs,
  });

  const HTTP = { ip: "127.0.0.1", external: 8500, internal: 8500, protocol: "tcp" };
  const DNS_TCP = { ip: "127.0.0.1", external: 8600, internal: 53, protocol: "tcp" };
  const DNS_UDP = { ...DNS_TCP, protocol: "udp" };

  test("says what the stack declares, in an order of its own, with secrets in plain", async () => {
    const { certificate } = await createAuthority("test");
    const deployment = {
      resources: [
        resource("pulumi:pulumi:Stack", "p-s", {
          httpApiUrl: "http://127.0.0.1:8500",
          managementToken: secret("t"),
        }),
        resource("docker:index/network:Network", "consul", { name: "p-s-network" }),
        resource("docker:index/container:Container", "client-1", {
          name: "p-s-client-1",
          labels: [
            { label: "consul-docker.project", value: "p" },
            { label: "consul-docker.role", value: "client" },
          ],
          networksAdvanced: [{ ipv4Address: "10.9.0.21" }],
          ports: [HTTP, DNS_UDP, DNS_TCP],
        }),
        resource("docker:index/container:Container", "api-1", {
          name: "p-s-api-1",
          labels: [{ label: "consul-docker.role", value: "service" }],
          networksAdvanced: [{ ipv4Address: "" }],
        }),
        resource("consul:index/node:Node", "api-1", { name: "api-1", address: "api-1", token: secret(null) }),
        resource("consul:index/service:Service", "api-1", { name: "api", serviceId: "api-1", port: 80 }),
        resource("docker:index/remoteImage:RemoteImage", "consul", { name: "hashicorp/consul:1.22.7" }),
        resource("pulumi:index:Stash", "ca-dc1", { output: secret({ certificate, key: "the-key" }) }),
        resource("pulumi:index:Stash", "gossip-key", { output: secret("the-gossip-key") }),
        resource("pulumi:index:Stash", "unfinished"),
      ],
    };

    const state = parseState(JSON.stringify({ deployment }), "s");

    expect(state).toMatchObject({
      owner: { project: "consul-docker", stack: "s" },
      size: 10,
      outputs: { httpApiUrl: "http://127.0.0.1:8500", managementToken: "t" },
      networks: [{ urn: expect.stringMatching(/^urn:.*::consul$/) as string, name: "p-s-network" }],
      nodes: [{ name: "api-1", address: "api-1" }],
      services: [{ name: "api", serviceId: "api-1", port: 80 }],
      images: ["hashicorp/consul:1.22.7"],
    });
    expect(state.containers).toEqual([
      {
        urn: "urn:pulumi:s::p::consul-docker:index:X$docker:index/container:Container::client-1",
        alias: "client-1",
        name: "p-s-client-1",
        role: "client",
        address: "10.9.0.21",
        ports: [DNS_TCP, DNS_UDP, HTTP],
      },
      {
        urn: "urn:pulumi:s::p::consul-docker:index:X$docker:index/container:Container::api-1",
        alias: "api-1",
        name: "p-s-api-1",
        role: "service",
        ports: [],
      },
    ]);
    expect(state.certificates).toHaveLength(1);
    const [ca] = state.certificates;
    expect(ca?.name).toBe("ca");
    expect(Number(ca?.to) - Number(ca?.from)).toBeGreaterThan(3649 * 86_400_000);
    expect(JSON.stringify([state.containers, state.certificates])).not.toContain("the-");
  });

  test("of a stack that was destroyed declares nothing", () => {
    expect(parseState('{"version":3,"deployment":{}}', "s")).toEqual({
      ...EMPTY,
      owner: { project: "consul-docker", stack: "s" },
    });
  });
});

describe("an agent inside its container", () => {
  const ok = (body: string) => `\u001eHTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n${body}`;

  test("says its clock and its answers in order", () => {
    expect(parseInside(`1795617302\n${ok('"10.9.0.11:8300"\n')}${ok("[]")}`)).toEqual({
      shown: 1_795_617_302_000,
      bodies: ["10.9.0.11:8300", []],
    });
    expect(parseInside("1795617302\n").bodies).toEqual([]);
  });

  test("refuses, or is silent, in one line", () => {
    expect(() => parseInside("1\n\u001eHTTP/1.0 404 Not Found\r\nX: y\r\n\r\n")).toThrow(
      new Error("Consul answers 404: "),
    );
    expect(() => parseInside("1\n\u001e")).toThrow(new Error("the agent does not answer"));
  });
});

describe("a command", () => {
  test("gives its standard output", async () => {
    expect(await run("echo", ["a"], 5_000)).toBe("a\n");
  });

  test.each([
    ["nonexistent-command", [], 5_000, "the command nonexistent-command is not installed"],
    ["sh", ["-c", "echo 'error: first' >&2; echo second >&2; exit 3"], 5_000, "first"],
    ["sh", ["-c", "exit 3"], 5_000, "exit code 3"],
    ["sh", ["-c", "exec tail -f /dev/null"], 50, "no answer within 0.05 s"],
    ["sh", ["-c", "cat; echo 'nobody types here' >&2; exit 1"], 5_000, "nobody types here"],
  ])("that fails says why in one line: %s %j", async (command, args, timeoutMs, message) => {
    expect(await messageOf(run(command, args, timeoutMs))).toBe(message);
  });
});

describe("Consul", () => {
  /** Answers from a table; an Error is thrown. */
  const table =
    (answers: Record<string, unknown>): Ask =>
    (path) => {
      const given = answers[path] ?? new Error(`unexpected ${path}`);
      return given instanceof Error ? Promise.reject(given) : Promise.resolve(given);
    };
  const EXTERNAL =
    "%22external-node%22%20in%20Meta%20and%20Meta%5B%22external-node%22%5D%20%3D%3D%20%22true%22";

  test("is read once where all nodes are watched, and once more after a wait where some are not", async () => {
    const entry = { Service: { ID: "consul-esm:monitor-1" }, Checks: [{ Status: "passing" }] };
    const share = (...nodes: string[]) => [
      {
        Key: "consul-esm/agents/consul-esm:monitor-1",
        Value: Buffer.from(JSON.stringify({ Nodes: nodes, Probes: null })).toString("base64"),
      },
    ];
    const unrun = {
      Node: "b",
      CheckID: "b:/ready",
      Name: "HTTP /ready",
      Output: "",
      Definition: { Interval: "20s" },
    };
    const answers = {
      "health/service/consul-esm?": [entry],
      [`catalog/nodes?filter=${EXTERNAL}&`]: [{ Node: "a" }, { Node: "b" }, { Node: "c" }],
    };
    const before = {
      ...answers,
      "kv/consul-esm/agents/?recurse&": share("b"),
      "health/state/critical?": [unrun],
    };
    const after = {
      ...answers,
      "kv/consul-esm/agents/?recurse&": share("a", "b"),
      "health/state/critical?": [unrun],
    };
    const calm = {
      ...answers,
      "kv/consul-esm/agents/?recurse&": share("a", "b", "c"),
      "health/state/critical?": [],
    };
    const waited: number[] = [];
    let now: Record<string, unknown> = before;
    const wait = (ms: number) => {
      waited.push(ms);
      now = after;
      return Promise.resolve();
    };

    expect(await readMonitors((path) => table(now)(path), wait)).toEqual({
      passing: { "consul-esm:monitor-1": true },
      unwatched: ["c"],
      unrun: [{ node: "b", name: "HTTP /ready", intervalSeconds: 20 }],
    });
    expect(waited).toEqual([35_000]);
    expect(await readMonitors(table(calm), wait)).toMatchObject({ unwatched: [], unrun: [] });
    expect(waited).toHaveLength(1);
  });

  test("is asked for external nodes, all checks, and each declared service once", async () => {
    const service = (name: string) => ({ name, serviceId: "", node: "", address: "", port: 1, checks: [] });
    const services = [service("api"), service("api"), service("web")];
    const answers = {
      "catalog/nodes?filter=%22external-node%22%20in%20Meta%20and%20Meta%5B%22external-node%22%5D%20%3D%3D%20%22true%22":
        ["node"],
      "health/state/any": ["check"],
      "catalog/service/api": ["api-1", "api-2"],
      "catalog/service/web": ["web-1"],
    };

    expect(await readCatalog(table(answers), { ...EMPTY, services })).toEqual({
      nodes: ["node"],
      checks: ["check"],
      services: ["api-1", "api-2", "web-1"],
    });
  });

  test("is asked for the state of autopilot", async () => {
    expect(await readAutopilot(table({ "operator/autopilot/state": { Servers: {} } }))).toEqual({
      Servers: {},
    });
  });
});

describe("ports", () => {
  test("are each tried as what they are", async () => {
    const asked: string[] = [];
    const server = createServer(({ url = "" }, response) => {
      asked.push(url);
      response.writeHead(503).end("busy");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port: nobody } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const at = (internal: number, external: number, protocol = "tcp") => ({
      ip: "0.0.0.0",
      external,
      internal,
      protocol,
    });
    const client = {
      ...declared("client-1", "client"),
      ports: [at(8500, port), at(53, port), at(53, nobody), at(53, nobody, "udp")],
    };
    const api = { ...declared("api-1", "service"), ports: [at(8080, port)] };
    const secured = { ...declared("client-2", "client"), ports: [at(8501, nobody)] };
    const checks = [{ checkId: "c", http: "http://api-1:8080/ready" }];
    const services = [{ name: "api", serviceId: "api-1", node: "api-1", address: "", port: 1, checks }];

    const attempts = await tryPorts({ ...EMPTY, containers: [client, api, secured], services });
    await new Promise((resolve) => server.close(resolve));

    expect(attempts.map(({ what, at, container, failure }) => [what, at, container.alias, failure])).toEqual([
      ["HTTP API", `http://127.0.0.1:${port}`, "client-1", undefined],
      ["UI", `http://127.0.0.1:${port}/ui/`, "client-1", undefined],
      ["DNS by TCP", `127.0.0.1:${port}`, "client-1", undefined],
      ["DNS by TCP", `127.0.0.1:${nobody}`, "client-1", "ECONNREFUSED"],
      ["DNS by UDP", `127.0.0.1:${nobody}`, "client-1", "ECONNREFUSED"],
      ["api-1", `http://127.0.0.1:${port}`, "api-1", undefined],
      ["HTTP API", `https://127.0.0.1:${nobody}`, "client-2", "ECONNREFUSED"],
      ["UI", `https://127.0.0.1:${nobody}/ui/`, "client-2", "ECONNREFUSED"],
    ]);
    expect(asked.sort()).toEqual(["/ready", "/ui/", "/v1/status/leader"]);
  });
});

test("an answer is a value or a reason", async () => {
  expect(await answer(Promise.resolve(1))).toEqual({ value: 1 });
  expect(await answer(Promise.reject(new Error("no")))).toEqual({ failure: "no" });
  expect([valueOf({ value: 1 }), valueOf({ failure: "no" })]).toEqual([1, undefined]);
});
