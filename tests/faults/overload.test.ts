import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { ConsulApi } from "../../scripts/consul-api";
import { isHealthy, readDatacenter } from "../../scripts/datacenter";
import { docker, dockerLines, expectSuccess } from "../integration/command";
import { eventually } from "../integration/eventually";
import { products } from "../integration/gateway";
import { servicesAt, TEST_STACK, TestStack } from "../integration/test-stack";

// A machine that has fifty times more to do than it can: everything is slow, which makes nothing unhealthy.
jest.setTimeout(600_000);

const SECONDS = Number(process.env["FAULT_SECONDS"] ?? "60");
const BUSY_PER_CORE = 50;
const FILTER = ["--filter", "label=consul-docker.stack=over"];

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.create("over");
  await stack.configure({
    ...TEST_STACK,
    datacenter: "over",
    subnet: "10.97.0.0/24",
    httpPort: 19540,
    dnsPort: 19640,
    services: servicesAt(19120),
  });
  expectSuccess(await stack.up());
});

afterAll(() => stack.remove());

/** The containers as they are now: another one has another ID, a restarted one another time. */
function containers(): Promise<string[]> {
  return dockerLines("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}", ...FILTER).then(async (lines) =>
    Promise.all(
      lines.map(
        async (line) =>
          `${line} ${await docker("inspect", "-f", "{{.State.StartedAt}} {{.RestartCount}}", line.split(" ")[0] ?? "")}`,
      ),
    ),
  );
}

/** Follows what the engine says of the stack's containers. */
function follow(): { readonly child: ChildProcess; readonly said: string[] } {
  const said: string[] = [];
  const format = "{{.Actor.Attributes.name}} {{.Action}}";
  const child = spawn("docker", ["events", ...FILTER, "--filter", "type=container", "--format", format]);
  child.stdout.on("data", (chunk: Buffer) => said.push(...chunk.toString().split("\n").filter(Boolean)));
  return { child, said };
}

it("leaves everything healthy, and as it was", async () => {
  const outputs = await stack.outputs();
  const consul = new ConsulApi(outputs);
  const asItShouldBe = async () => {
    expect(isHealthy(await readDatacenter(consul))).toBe(true);
    await products(outputs.gatewayUrl);
  };
  await eventually(asItShouldBe, 90);
  const before = (await containers()).sort();
  const { child, said } = follow();

  const busy = Array.from({ length: BUSY_PER_CORE * availableParallelism() }, () =>
    // In sessions of their own: a kernel may share its time out among those.
    spawn("timeout", [String(SECONDS), "sh", "-c", "while :; do :; done"], {
      stdio: "ignore",
      detached: true,
    }),
  );
  await Promise.all(busy.map((one) => once(one, "exit")));
  // What was seen failing meanwhile is over by then.
  await sleep(10_000);
  child.kill();

  expect(said.filter((event) => / (die|kill|oom|restart|health_status: unhealthy)$/.test(event))).toEqual([]);
  expect((await containers()).sort()).toEqual(before);
  await eventually(asItShouldBe, 90);
});
