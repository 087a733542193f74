import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { program, Starter } from "../../components/starter";
import { HARDENED, healthcheck, labelsOf, onlyHost, owner } from "./fixtures";
import { create, mockPulumi } from "./mocks";

test("is one container with the socket of its engine, and without a network", async () => {
  await mockPulumi();
  const host = { ...onlyHost, name: "a" };
  const { refs, get } = await create(
    () => new Starter("starter-a", { owner, host, socketPath: "/srv/docker.sock", imageId: "sha256:node" }),
  );

  expect(refs).toEqual(["Starter starter-a", "docker.Container starter-a"]);
  expect(get("docker.Container starter-a").inputs).toEqual({
    ...HARDENED,
    name: "shop-test-starter-a",
    hostname: "starter",
    image: "sha256:node",
    command: [
      "node",
      "--eval",
      program(),
      "--",
      "/run/engine.sock",
      "/tmp/looked",
      "5",
      "consul-docker.project=shop",
      "consul-docker.stack=test",
    ],
    user: "0:0",
    networkMode: "none",
    memory: 128,
    memorySwap: 128,
    labels: [{ label: "consul-docker.host", value: "a" }, ...labelsOf("starter")],
    volumes: [{ hostPath: "/srv/docker.sock", containerPath: "/run/engine.sock", readOnly: true }],
    healthcheck: { ...healthcheck("sh", "-c", "find /tmp/looked -mmin -2 | grep -q ."), interval: "5s" },
    waitTimeout: 60,
    stopTimeout: 10,
    destroyGraceSeconds: 10,
  });
});

describe("its program", () => {
  const FAILED = { Name: "/a", State: { Error: "network x not found" }, policy: "always" };
  let folder: string;
  let engine: Server;
  let stopped: Record<string, typeof FAILED>;
  /** How the next starts end. */
  let refusals: string[];
  let asked: string[];
  let starter: ChildProcess | undefined;
  let said: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "starter-"));
    [stopped, refusals, asked, said] = [{}, [], [], ""];
    engine = createServer(({ method, url = "" }, response) => {
      asked.push(`${method} ${decodeURIComponent(url)}`);
      const id = /^\/containers\/(\w+)\//.exec(url)?.[1] ?? "";
      const refusal = method === "POST" ? refusals.shift() : undefined;
      const container = stopped[id];
      if (refusal !== undefined) response.statusCode = 500;
      else if (method === "POST") {
        response.statusCode = 204;
        stopped = Object.fromEntries(Object.entries(stopped).filter(([one]) => one !== id));
      } else if (container === undefined && id !== "") response.statusCode = 404;
      response.end(
        refusal ??
          JSON.stringify(
            container === undefined
              ? Object.keys(stopped).map((Id) => ({ Id }))
              : { ...container, HostConfig: { RestartPolicy: { Name: container.policy } } },
          ),
      );
    });
    engine.listen(join(folder, "engine.sock"));
    await once(engine, "listening");
  });

  afterEach(async () => {
    starter?.kill("SIGKILL");
    engine.close();
    await rm(folder, { recursive: true });
  });

  function run(): void {
    const files = [join(folder, "engine.sock"), join(folder, "looked")];
    const args = ["--eval", program(), "--", ...files, "0.05", "project=shop", "stack=test"];
    starter = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    starter.stdout?.on("data", (part: Buffer) => (said += part.toString()));
  }

  async function until(done: () => boolean): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!done()) {
      if (Date.now() > deadline) throw new Error(`not in time: ${said}${asked.join(", ")}`);
      await sleep(20);
    }
  }

  const starts = () => asked.filter((one) => one.startsWith("POST"));
  const looks = () => asked.filter((one) => one.startsWith("GET /containers/json"));

  test("starts what the engine could not, again and again until it does", async () => {
    stopped = { a: FAILED, b: { ...FAILED, Name: "/b" } };
    refusals = ["no manager", "no manager", "no manager"];
    run();

    await until(() => Object.keys(stopped).length === 0);

    expect(starts()).toEqual(["a", "b", "a", "b", "a"].map((id) => `POST /containers/${id}/start`));
    expect(said).toContain(" starting a, since the engine could not: network x not found\n");
    expect(said).toContain(" no manager\n");
    expect(looks()[0]).toBe(
      'GET /containers/json?filters={"status":["exited"],"label":["project=shop","stack=test"]}',
    );
  });

  test("leaves what somebody has stopped, and what was never to stay up", async () => {
    stopped = { a: { ...FAILED, State: { Error: "" } }, b: { ...FAILED, policy: "no" } };
    run();

    await until(() => looks().length > 3);

    expect(starts()).toEqual([]);
  });

  test("says that it has looked, and goes on when the engine was away", async () => {
    engine.close();
    await rm(join(folder, "engine.sock"), { force: true });
    run();
    await until(() => said.includes("connect ENOENT"));
    expect(existsSync(join(folder, "looked"))).toBe(false);

    stopped = { a: FAILED };
    engine.listen(join(folder, "engine.sock"));
    await until(() => Object.keys(stopped).length === 0);

    expect(existsSync(join(folder, "looked"))).toBe(true);
  });

  test("ends at once when it is told to", async () => {
    run();
    await until(() => looks().length > 0);

    const ended = new Promise((resolve) => starter?.once("exit", resolve));
    starter?.kill("SIGTERM");

    expect(await ended).toBe(0);
  });
});
