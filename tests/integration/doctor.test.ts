import { ConsulApi } from "../../scripts/consul-api";
import type { Finding } from "../../scripts/doctor/finding";
import { versionOf } from "../../versions";
import { docker, expectSuccess, run, signal } from "./command";
import { deregister } from "./consul";
import { eventually } from "./eventually";
import { servicesAt, TEST_STACK, TestStack, type Outputs } from "./test-stack";

// What npm run doctor says of a stack in which one thing after the other breaks, told in order.
jest.setTimeout(180_000);

const CONTAINER = (name: string) => `consul-docker-doc-${name}`;
const LEFT_OVER = CONTAINER("left-over");

let stack: TestStack;
let outputs: Outputs;
let consul: ConsulApi;

beforeAll(async () => {
  stack = await TestStack.create("doc");
  await stack.configure({
    ...TEST_STACK,
    datacenter: "doc",
    subnet: "10.94.0.0/24",
    httpPort: 19520,
    dnsPort: 19620,
    servers: 1,
    clients: 1,
    services: servicesAt(19100),
  });
});

afterAll(async () => {
  await run("docker", ["rm", "-fv", LEFT_OVER]);
  await stack.remove();
});

/** What the doctor finds. */
async function findings(): Promise<Finding[]> {
  const { code, stdout } = await stack.npm("doctor", "--json");
  const all = JSON.parse(stdout) as Finding[];
  expect(code).toBe(all.every(({ ok }) => ok) ? 0 : 1);
  return all;
}

/** Each problem, with its area and its advice. */
async function problems(): Promise<string[]> {
  return (await findings()).flatMap(({ area, problems }) =>
    problems.map(({ what, advice }) => `${area}: ${what} > ${advice}`),
  );
}

/** Waits until the doctor finds nothing. */
async function healthy(): Promise<void> {
  await eventually(async () => {
    expect((await findings()).filter(({ ok }) => ok !== true)).toEqual([]);
  }, 60);
}

/** Does what the doctor advises, in the words in which it does. */
async function follow(what: string): Promise<void> {
  const advice = (await findings()).flatMap(({ problems }) => problems).find((one) => one.what === what);
  expectSuccess(await run("bash", ["-c", advice?.advice ?? `echo 'nothing about: ${what}'; exit 1`]));
}

const ok = (area: string, seen: string) => `ok       ${area.padEnd(13)}  ${seen}`;

it("says that a stack is not up", async () => {
  const { code, output } = await stack.npm("doctor");

  expect(code).toBe(1);
  expect(output.split("\n").slice(1, 7)).toEqual([
    "problem  stack          doc is not up",
    "    the stack doc has created nothing",
    "      npm run up",
    "ok       network        none",
    "ok       containers     0 of 0 as they should be",
    "-        leader         not examined: the stack is not up",
  ]);
});

it("finds a healthy stack healthy, without a word of its secrets", async () => {
  expectSuccess(await stack.up());
  outputs = await stack.outputs();
  consul = new ConsulApi(outputs);
  await healthy();

  const { code, output } = await stack.npm("doctor");

  expect(code).toBe(0);
  const lines = output.trim().split("\n");
  expect(lines).toHaveLength(13);
  expect(lines.slice(2, 7)).toEqual([
    ok("network", "consul-docker-doc-network"),
    ok("containers", "11 of 11 as they should be"),
    ok("leader", "server-1"),
    ok("voters", "1 of 1 healthy, none may fail"),
    ok("clock", "engine and 2 agents compared with this machine"),
  ]);
  const versions = `consul ${versionOf("consul_version")} .*known.*; consul-esm ${versionOf("esm_version")} .*known.*`;
  expect(lines[8]).toMatch(new RegExp(`^${ok("advisories", versions)}$`));
  expect(lines.slice(9)).toEqual([
    ok("monitors", "2 of 2 passing, every node watched"),
    ok("registrations", "5 declared, 9 of 9 checks pass"),
    ok("ports", "5 of 5 answer: DNS by TCP, DNS by UDP, HTTP API, UI, gateway-1"),
    "healthy",
  ]);
  expect(output + (await stack.npm("doctor", "--json")).output).not.toContain(outputs.managementToken);
});

it("says so when the engine does not answer, and asks the API instead", async () => {
  const engine = process.env["DOCKER_HOST"];
  process.env["DOCKER_HOST"] = "tcp://127.0.0.1:1";
  try {
    const all = await findings();
    expect(all[0]?.problems[0]?.what).toMatch(/^the Docker Engine does not answer: .*127\.0\.0\.1:1/);
    expect(all.filter(({ ok }) => ok === null).map(({ area }) => area)).toEqual([
      "network",
      "containers",
      "clock",
    ]);
    expect(all.filter(({ ok }) => ok).map(({ area }) => area)).toContain("registrations");
  } finally {
    if (engine === undefined) delete process.env["DOCKER_HOST"];
    else process.env["DOCKER_HOST"] = engine;
  }
});

it("finds the client that stopped, and still sees leader and voters", async () => {
  await docker("stop", CONTAINER("client-1"));
  const start = `docker start ${CONTAINER("client-1")}`;
  await eventually(async () => {
    const all = await findings();
    expect(all.flatMap(({ problems }) => problems)).toEqual(
      expect.arrayContaining([
        { what: "client-1 is stopped, exit code 0", advice: start },
        { what: "monitor-1 is not registered", advice: start },
        { what: "monitor-2 is not registered", advice: start },
        {
          what: "client-1 does not answer: DNS by TCP at 127.0.0.1:19620 (ECONNREFUSED), DNS by UDP at 127.0.0.1:19620 (ECONNREFUSED), HTTP API at http://127.0.0.1:19520 (ECONNREFUSED), UI at http://127.0.0.1:19520/ui/ (ECONNREFUSED)",
          advice: start,
        },
      ]),
    );
    expect(all.filter(({ ok }) => ok).map(({ area, seen }) => `${area}: ${seen}`)).toEqual(
      expect.arrayContaining([
        "leader: server-1",
        "voters: 1 of 1 healthy, none may fail",
        "clock: engine and 1 agent compared with this machine",
      ]),
    );
  });
  await follow("client-1 is stopped, exit code 0");
  await healthy();
});

it("needs no word on monitors that were killed: each takes its entry back, and checks go on", async () => {
  const entries = () =>
    consul.get<{ Service: { ID: string; CreateIndex: number } }[]>("health/service/consul-esm?passing");
  const before = await entries();
  expect(before).toHaveLength(2);

  await Promise.all(["monitor-1", "monitor-2"].map((name) => signal(CONTAINER(name), "SIGKILL")));

  await eventually(async () => {
    const after = await entries();
    expect(after.map(({ Service }) => Service.ID)).toEqual(before.map(({ Service }) => Service.ID));
    for (const [index, { Service }] of after.entries())
      expect(Service.CreateIndex).toBeGreaterThan(before[index]?.Service.CreateIndex ?? 0);
  }, 10);
  await docker("pause", CONTAINER("pricing-1"));
  try {
    await eventually(async () => {
      const [check] = await consul.get<{ Status: string }[]>("health/checks/pricing");
      expect(check?.Status).toBe("critical");
    }, 10);
  } finally {
    await docker("unpause", CONTAINER("pricing-1"));
  }
  await healthy();
});

it("finds monitors that hang, and so does status", async () => {
  const inside = async (name: string, option: string) => {
    expectSuccess(
      await run("docker", ["exec", CONTAINER(name), "sh", "-c", `kill -${option} $(pidof consul-esm node)`]),
    );
  };
  await inside("monitor-1", "STOP");
  await inside("monitor-2", "STOP");
  try {
    await eventually(async () => {
      expect(await problems()).toEqual(
        expect.arrayContaining(
          [1, 2].map(
            (number) =>
              `monitors: monitor-${number} does not pass: Consul misses its heartbeat > docker restart ${CONTAINER(`monitor-${number}`)}`,
          ),
        ),
      );
    }, 60);
    const { code, output } = await stack.npm("status");
    expect(code).toBe(1);
    expect(output).toContain("monitor-1 does not pass: Consul misses its heartbeat");
    expect(output).toMatch(/no monitor runs the checks of catalog-1, .*pricing-2/);
  } finally {
    await inside("monitor-1", "CONT");
    await inside("monitor-2", "CONT");
  }
  await healthy();
});

it("finds the lost quorum", async () => {
  await docker("pause", CONTAINER("server-1"));
  const unpause = `docker unpause ${CONTAINER("server-1")}`;
  try {
    const all = await findings();
    expect(all.flatMap(({ problems }) => problems)).toEqual(
      expect.arrayContaining([
        { what: "server-1 is paused", advice: unpause },
        { what: "the quorum is lost: 0 of 1 servers answer, 1 must", advice: unpause },
      ]),
    );
    expect(all.filter(({ ok }) => ok === null).map(({ area }) => area)).toEqual([
      "voters",
      "monitors",
      "registrations",
    ]);
  } finally {
    await docker("unpause", CONTAINER("server-1"));
  }
  await healthy();
});

it("finds the instance that stands still, and what is left over", async () => {
  await docker("pause", CONTAINER("gateway-1"));
  const labels = ["project=consul-docker", "stack=doc", "role=service"].flatMap((label) => [
    "--label",
    `consul-docker.${label}`,
  ]);
  await docker("create", "--name", LEFT_OVER, ...labels, `node:${versionOf("node_image_tag")}`, "true");
  const unpause = `docker unpause ${CONTAINER("gateway-1")}`;
  await eventually(async () => {
    expect(await problems()).toEqual([
      `containers: gateway-1 is paused > ${unpause}`,
      `containers: ${LEFT_OVER} is left over: the stack's state does not know it > docker rm -fv ${LEFT_OVER}`,
      expect.stringMatching(
        `^registrations: gateway-1's check HTTP /ready is critical: .* > ${unpause}$`,
      ) as string,
      `ports: gateway-1 does not answer: gateway-1 at http://127.0.0.1:19100 (no answer within 3 s) > ${unpause}`,
    ]);
  });
  await follow("gateway-1 is paused");
  await follow(`${LEFT_OVER} is left over: the stack's state does not know it`);
  await healthy();
});

it("finds the container outside the network", async () => {
  await docker("network", "disconnect", CONTAINER("network"), CONTAINER("pricing-1"));
  expect((await problems())[0]).toBe(
    `network: pricing-1 is not in ${CONTAINER("network")} > docker network connect --alias pricing-1 ${CONTAINER("network")} ${CONTAINER("pricing-1")}`,
  );
  await follow(`pricing-1 is not in ${CONTAINER("network")}`);
  await healthy();
});

it("finds the registration that is gone, and the one that nobody declared", async () => {
  const before = await consul.get<Record<string, unknown>[]>("catalog/service/catalog");
  await deregister(consul, "catalog-1");
  await consul.send("PUT", "catalog/register", {
    Node: "catalog-9",
    Address: "catalog-9",
    NodeMeta: { "external-node": "true" },
    Service: { Service: "catalog", ID: "catalog-9", Address: "catalog-9", Port: 8080 },
  });
  expect(before).toHaveLength(2);

  expect(await problems()).toEqual([
    "registrations: catalog-1 is not in the catalog > npm run up -- --refresh",
    expect.stringMatching(
      /^registrations: catalog-9 is a stale registration: the stack's state does not know it > pulumi stack output managementToken --show-secrets \| sed .* \| curl .* -d '{"Node":"catalog-9"}' http:\/\/127\.0\.0\.1:19520\/v1\/catalog\/deregister$/,
    ) as string,
  ]);

  await deregister(consul, "catalog-9");
  expectSuccess(await stack.up("--refresh"));
  await healthy();
});
