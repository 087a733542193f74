import { examineContainers, type Container } from "../../scripts/doctor/containers";
import { examineNetwork } from "../../scripts/doctor/network";
import { examinePorts, type Attempt } from "../../scripts/doctor/ports";
import { container, declared } from "./doctor-fixtures";

const SERVER = declared("server-1", "server", "10.9.0.11");
const API = declared("api-1", "service");
const KEYS = declared("keys", "secrets");
const HEALTHY = { status: "healthy", output: "" };

describe("containers", () => {
  const examine = (changes: Partial<Container>) =>
    examineContainers([API], [container("api-1", { health: HEALTHY, ...changes })]);

  test("are well when all run and are healthy, and those with secrets are there", () => {
    const containers = [
      container("server-1", { health: HEALTHY }),
      container("api-1"),
      container("keys", { status: "created" }),
    ];

    expect(examineContainers([SERVER, API, KEYS], containers)).toEqual({
      area: "containers",
      ok: true,
      seen: "3 of 3 as they should be",
      problems: [],
    });
  });

  const logs = "docker logs --tail 20 p-s-api-1";
  test.each<[Partial<Container>, string, string]>([
    [{ status: "exited", exitCode: 3 }, "api-1 is stopped, exit code 3", "docker start p-s-api-1"],
    [{ status: "created" }, "api-1 was never started", "docker start p-s-api-1"],
    [{ status: "paused" }, "api-1 is paused", "docker unpause p-s-api-1"],
    [
      { status: "restarting", restarts: 7, exitCode: 1 },
      "api-1 ends again and again, 7 times so far, last with exit code 1",
      logs,
    ],
    [{ status: "dead" }, "api-1 is dead", "docker rm -fv p-s-api-1, then npm run doctor"],
    [{ health: { status: "unhealthy", output: "no leader" } }, "api-1 is unhealthy: no leader", logs],
    [{ health: { status: "unhealthy", output: "" } }, "api-1 is unhealthy", logs],
    [
      { health: { status: "starting", output: "" } },
      "api-1 starts, and is not healthy yet",
      `npm run doctor again in a few seconds, or ${logs}`,
    ],
    [
      { role: "service", status: "exited", exitCode: 137, outOfMemory: true, memoryMb: 256 },
      "api-1 ran out of memory at 256 MiB",
      "set memoryMb of the service to 512 in the stack file, then npm run up",
    ],
    [
      { role: "starter", outOfMemory: true, memoryMb: 128 },
      "api-1 ran out of memory at 128 MiB",
      "docker logs --tail 20 p-s-api-1",
    ],
    [
      { role: "server", outOfMemory: true, memoryMb: 512 },
      "api-1 ran out of memory at 512 MiB",
      "pulumi config set serverMemoryMb 1024 && npm run up",
    ],
  ])("are not when one is %j", (changes, what, advice) => {
    expect(examine(changes)).toEqual({
      area: "containers",
      ok: false,
      seen: "0 of 1 as they should be",
      problems: [{ what, advice }],
    });
  });

  test("are not when one is missing, with secrets too", () => {
    expect(examineContainers([API, KEYS], []).problems).toEqual([
      { what: "api-1 is missing", advice: "pulumi refresh --yes --target 'urn:api-1' && npm run up" },
      { what: "keys is missing", advice: "pulumi refresh --yes --target 'urn:keys' && npm run up" },
    ]);
  });

  test("are not when one is left over", () => {
    expect(examineContainers([API], [container("api-1"), container("api-2")])).toEqual({
      area: "containers",
      ok: false,
      seen: "1 of 1 as they should be",
      problems: [
        {
          what: "p-s-api-2 is left over: the stack's state does not know it",
          advice: "docker rm -fv p-s-api-2",
        },
      ],
    });
  });
});

describe("the network", () => {
  const NETWORK = { urn: "urn:consul", name: "p-s-network" };
  const STARTER = declared("starter-a", "starter");
  const state = { networks: [NETWORK], containers: [SERVER, API, KEYS, STARTER] };
  const keys = container("keys", { status: "created", networks: ["none"] });

  test("is well when it is there with every container that runs", () => {
    const stopped = container("api-1", { status: "exited", networks: [] });
    const starter = container("starter-a", { networks: ["none"] });

    expect(examineNetwork(state, ["p-s-network"], [container("server-1"), stopped, keys, starter])).toEqual({
      area: "network",
      ok: true,
      seen: "p-s-network",
      problems: [],
    });
  });

  test("is not when it is missing, which is named once", () => {
    expect(examineNetwork(state, [], [container("server-1", { networks: [] })])).toEqual({
      area: "network",
      ok: false,
      seen: "none",
      problems: [
        {
          what: "p-s-network is missing",
          advice: "pulumi refresh --yes --target 'urn:consul' && npm run up",
        },
      ],
    });
  });

  test("is not when a container that runs was taken out of it, or another is left over", () => {
    const outside = [
      container("server-1", { networks: [] }),
      container("api-1", { networks: ["bridge"] }),
      keys,
    ];

    expect(examineNetwork(state, ["p-s-network", "p-s-old"], outside).problems).toEqual([
      {
        what: "server-1 is not in p-s-network",
        advice: "docker network connect --alias server-1 --ip 10.9.0.11 p-s-network p-s-server-1",
      },
      {
        what: "api-1 is not in p-s-network",
        advice: "docker network connect --alias api-1 p-s-network p-s-api-1",
      },
      {
        what: "p-s-old is left over: the stack's state does not know it",
        advice: "docker network rm p-s-old",
      },
    ]);
  });
});

describe("ports", () => {
  const client = declared("client-1", "client");
  const attempts = (failure?: string): Attempt[] => [
    { what: "UI", at: "http://127.0.0.1:8500/ui/", container: client, failure },
    { what: "DNS by UDP", at: "127.0.0.1:8600", container: client, failure },
    { what: "api-1", at: "http://127.0.0.1:8080", container: API },
  ];

  test("are well when all answer", () => {
    expect(examinePorts(attempts(), [])).toEqual({
      area: "ports",
      ok: true,
      seen: "3 of 3 answer: UI, DNS by UDP, api-1",
      problems: [],
    });
  });

  const what =
    "client-1 does not answer: UI at http://127.0.0.1:8500/ui/ (ECONNREFUSED), DNS by UDP at 127.0.0.1:8600 (ECONNREFUSED)";
  test.each([
    ["stopped", "exited", "docker start p-s-client-1"],
    ["running", "running", "docker restart p-s-client-1"],
  ])("are not when those of a %s container are silent, which is one problem", (_, status, advice) => {
    expect(examinePorts(attempts("ECONNREFUSED"), [container("client-1", { status })])).toEqual({
      area: "ports",
      ok: false,
      seen: "1 of 3 answer: api-1",
      problems: [{ what, advice }],
    });
  });

  test("are not when those of two containers are silent, which is a problem for each", () => {
    const silent = attempts("ECONNREFUSED").map((attempt) => ({ ...attempt, failure: "ECONNREFUSED" }));

    expect(examinePorts(silent, []).problems.map((problem) => problem.what)).toEqual([
      what,
      "api-1 does not answer: api-1 at http://127.0.0.1:8080 (ECONNREFUSED)",
    ]);
  });

  test("are not when none answers", () => {
    expect(examinePorts(attempts("ECONNREFUSED").slice(0, 2), []).seen).toBe("0 of 2 answer");
  });
});
