import { Consul } from "./consul";
import { Membership, type MembershipArgs } from "./membership";
import { type Step, scriptedAgent } from "./testing/agent";
import { recordedLog, until } from "./testing/helpers";

let agent: Awaited<ReturnType<typeof scriptedAgent>>;
let log: ReturnType<typeof recordedLog>;

async function member(...script: Step[]): Promise<Membership> {
  return hurried({}, ...script);
}

async function hurried(args: Partial<MembershipArgs>, ...script: Step[]): Promise<Membership> {
  agent = await scriptedAgent(...script);
  log = recordedLog();
  const consul = new Consul({ addresses: [agent.address], timeoutMs: 2_000 });
  return new Membership({
    consul,
    service: "pricing",
    instance: "pricing-1",
    log: log.log,
    pauseMs: 5,
    ...args,
  });
}

afterEach(() => agent.close());

/** As Consul gives it. */
function check(instance: string, Status: string, CheckID = `${instance}:/ready`) {
  return {
    Node: instance,
    CheckID,
    Name: "HTTP /ready",
    Status,
    Output: "HTTP GET: 200",
    ServiceID: instance,
    ServiceName: "pricing",
    Definition: { HTTP: `http://${instance}:8080/ready`, Interval: "2s" },
  };
}

const written = (status: string, output: string, id?: string) => ({
  Node: "pricing-1",
  SkipNodeUpdate: true,
  Check: { ...check("pricing-1", status, id), Output: output },
});

test("to leave, all its own checks are made to fail, with nothing else changed, until Consul says so", async () => {
  const others = [check("pricing-2", "passing")];
  const leaving = await member(
    { index: 1, body: [check("pricing-1", "passing"), check("pricing-1", "warning", "b"), ...others] },
    { body: true },
    { body: true },
    { index: 1, body: [check("pricing-1", "critical"), check("pricing-1", "critical", "b"), ...others] },
  );
  await leaving.leave();
  expect(agent.queries.map(({ pathname }) => pathname)).toEqual([
    "/v1/health/checks/pricing",
    "/v1/catalog/register",
    "/v1/catalog/register",
    "/v1/health/checks/pricing",
  ]);
  expect(agent.writes).toEqual([
    written("critical", "stopping, says the instance itself"),
    written("critical", "stopping, says the instance itself", "b"),
  ]);
});

test("to enter, its checks are made to pass, again where a monitor was still of another mind", async () => {
  const critical = { index: 1, body: [check("pricing-1", "critical")] };
  const passing = { index: 1, body: [check("pricing-1", "passing")] };
  const entering = await member(
    critical,
    { body: true },
    passing,
    critical,
    { body: true },
    ...Array<Step>(6).fill(passing),
  );
  await entering.enter();
  expect(agent.writes).toEqual(Array(2).fill(written("passing", "ready, says the instance itself")));
  expect(agent.queries).toHaveLength(11);
});

test("an instance without an entry is done at once", async () => {
  const fresh = await member({ index: 1, body: [check("pricing-2", "passing")] }, { status: 404 });
  await fresh.enter();
  await fresh.leave();
  expect(agent.queries).toHaveLength(2);
});

test("who leaves no longer enters", async () => {
  const stopping = await member(
    { index: 1, body: [check("pricing-1", "critical")] },
    { body: true },
    { index: 1, body: [check("pricing-1", "critical")] },
  );
  const entering = stopping.enter();
  await until(() => agent.writes.length === 1);
  await stopping.leave();
  await entering;
  expect(agent.writes).toHaveLength(1);
  expect(log.lines).toEqual([]);
});

test("a refused or broken answer is asked for again", async () => {
  const entering = await member(
    { status: 500 },
    { fault: "reset" },
    { index: 1, body: [check("pricing-1", "critical")] },
    { status: 403 },
    ...Array<Step>(6).fill({ index: 1, body: [check("pricing-1", "passing")] }),
  );
  await entering.enter();
  expect(agent.queries).toHaveLength(10);
  expect(log.lines).toEqual([]);
});

test("who cannot leave says why, and goes on", async () => {
  const leaving = await hurried(
    { leaveTimeoutMs: 200 },
    ...Array.from({ length: 50 }, () => ({ status: 500 })),
  );
  await leaving.leave();
  expect(log.lines).toMatchObject([
    { level: "warn", status: "critical", reason: `${agent.address}: status 500` },
  ]);
});
