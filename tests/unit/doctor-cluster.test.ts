import { certainSkew, examineClock, type Reading } from "../../scripts/doctor/clock";
import { examineLeader } from "../../scripts/doctor/leader";
import { examineMonitors } from "../../scripts/doctor/monitors";
import { examineVoters, type Autopilot } from "../../scripts/doctor/voters";
import { container, declared } from "./doctor-fixtures";

const SERVERS = [1, 2, 3].map((number) => declared(`server-${number}`, "server", `10.9.0.1${number}`));
const PEERS = ["10.9.0.11:8300", "10.9.0.12:8300", "10.9.0.13:8300"];
const RUNNING = SERVERS.map(({ alias }) => container(alias));
const view = (from: string, leader: string, peers = PEERS) => ({ from, leader, peers });

describe("the leader", () => {
  const views = ["server-1", "server-2", "server-3"].map((from) => view(from, "10.9.0.12:8300"));

  test("is named where the servers agree", () => {
    expect(examineLeader(SERVERS, RUNNING, views)).toEqual({
      area: "leader",
      ok: true,
      seen: "server-2",
      problems: [],
    });
  });

  test("is enough when it is known to the API alone", () => {
    expect(examineLeader(SERVERS, [], [view("the API", "10.9.0.99:8300")])).toMatchObject({
      ok: true,
      seen: "10.9.0.99:8300",
    });
  });

  test("is a problem where the servers do not agree", () => {
    const split = [view("server-1", PEERS[0] ?? ""), view("server-2", PEERS[1] ?? ""), view("server-3", "")];

    expect(examineLeader(SERVERS, RUNNING, split)).toEqual({
      area: "leader",
      ok: false,
      seen: "server-1, server-2",
      problems: [
        {
          what: "the servers do not agree: server-1 follows server-1, server-2 follows server-2, server-3 follows nobody",
          advice:
            "npm run doctor again in 10 s; if it stays so, docker restart p-s-server-1 p-s-server-2 p-s-server-3, one after the other",
        },
      ],
    });
  });

  test("is missing when the quorum is lost, and each server that is away has its remedy", () => {
    const containers = [
      container("server-1"),
      container("server-2", { status: "paused" }),
      container("server-3"),
    ];

    expect(examineLeader(SERVERS, containers, [view("server-1", "")])).toEqual({
      area: "leader",
      ok: false,
      seen: "none",
      problems: [
        {
          what: "the quorum is lost: 1 of 3 servers answers, 2 must",
          advice: "docker unpause p-s-server-2; docker restart p-s-server-3",
        },
      ],
    });
  });

  test("may be missing though all answer", () => {
    expect(
      examineLeader(
        SERVERS,
        RUNNING,
        views.map(({ from }) => view(from, "")),
      ).problems,
    ).toEqual([
      {
        what: "no leader, though 3 of 3 servers answer, 2 must",
        advice: "npm run doctor again in 10 s, or docker logs --tail 20 p-s-server-1",
      },
    ]);
  });

  test("needs more servers while raft counts peers that are gone for good", () => {
    const peers = [...PEERS, "10.9.0.14:8300", "10.9.0.15:8300"];

    const { problems } = examineLeader(SERVERS.slice(0, 2), RUNNING, [
      view("server-1", "", peers),
      view("server-2", "", peers),
    ]);

    expect(problems[0]?.what).toBe("the quorum is lost: 2 of 5 servers answer, 3 must");
  });
});

describe("voters", () => {
  const peer = (number: number, changes: Partial<Autopilot["Servers"][string]> = {}) => ({
    ID: `id-${number}`,
    Name: `server-${number}`,
    Address: `10.9.0.1${number}:8300`,
    NodeStatus: "alive",
    Healthy: true,
    Status: number === 1 ? "leader" : "voter",
    ...changes,
  });
  const examine = (peers: readonly ReturnType<typeof peer>[], secured = true, tolerance = 1) =>
    examineVoters(
      SERVERS,
      [container("server-1"), container("server-2"), container("server-3", { status: "exited" })],
      { FailureTolerance: tolerance, Servers: Object.fromEntries(peers.map((one) => [one.ID, one])) },
      secured,
    );

  test("are well when autopilot calls each server one, healthy", () => {
    expect(examine([peer(1), peer(2), peer(3)])).toEqual({
      area: "voters",
      ok: true,
      seen: "3 of 3 healthy, 1 may fail",
      problems: [],
    });
    expect(examine([peer(1), peer(2), peer(3)], true, 0).seen).toBe("3 of 3 healthy, none may fail");
  });

  test("are not when one is failed, no peer, or no voter", () => {
    expect(examine([peer(1), peer(3, { Healthy: false, NodeStatus: "failed" })])).toEqual({
      area: "voters",
      ok: false,
      seen: "1 of 3 healthy, 1 may fail",
      problems: [
        { what: "server-2 is no raft peer", advice: "docker logs --tail 20 p-s-server-2" },
        {
          what: "server-3 is no healthy voter, the other agents call it failed",
          advice: "docker start p-s-server-3",
        },
      ],
    });
    expect(examine([peer(1), peer(2, { Status: "non-voter" }), peer(3)]).problems).toEqual([
      {
        what: "server-2 is healthy, but not a voter: non-voter",
        advice: "docker logs --tail 20 p-s-server-2",
      },
    ]);
  });

  test.each([
    [true, " -token-file=/consul/secrets/management-token"],
    [false, ""],
  ])("are not when a stranger is a peer; secured: %s", (secured, token) => {
    expect(examine([peer(1), peer(2), peer(3), peer(4, { ID: "a; b" })], secured).problems).toEqual([
      {
        what: "server-4 at 10.9.0.14:8300 is a raft peer, but no server of the stack",
        advice: `docker exec p-s-server-1 consul operator raft remove-peer${token} -id='a; b'`,
      },
    ]);
  });
});

describe("the clock", () => {
  const reading = (changes: Partial<Reading> = {}): Reading => ({
    of: "engine",
    shown: 10_000,
    resolutionMs: 0,
    asked: 10_000,
    answered: 10_000,
    ...changes,
  });
  const agent = { of: { agent: "client-1", container: "p-s-client-1" }, resolutionMs: 1_000 } as const;

  test.each<[string, Partial<Reading>, number]>([
    ["what lies within the round trip", { asked: 9_000, answered: 12_000 }, 0],
    ["what a clock without fractions may show", { resolutionMs: 1_000, asked: 10_900, answered: 10_950 }, 0],
    ["what is ahead of the answer", { shown: 15_000, answered: 12_000 }, 3_000],
    ["what is behind the question", { shown: 5_000 }, -5_000],
    ["what is behind by a second that was shown in full", { shown: 5_000, resolutionMs: 1_000 }, -4_000],
  ])("is off by as much as is certain: %s", (_, changes, skew) => {
    expect(certainSkew(reading(changes))).toBe(skew);
  });

  test("is well within two seconds", () => {
    expect(examineClock([reading({ shown: 12_000 }), reading({ ...agent, shown: 7_000 })])).toEqual({
      area: "clock",
      ok: true,
      seen: "engine and 1 agent compared with this machine",
      problems: [],
    });
  });

  test("of the engine is named once, whatever its containers show", () => {
    expect(examineClock([reading({ shown: 12_001 }), reading({ ...agent, shown: 90_000 })]).problems).toEqual(
      [
        {
          what: "the engine's clock is 2.0 s ahead of this machine's",
          advice: "on both machines: sudo timedatectl set-ntp true",
        },
      ],
    );
  });

  test("of an agent alone is its own problem", () => {
    expect(examineClock([reading(), reading({ ...agent, shown: 3_500 })])).toEqual({
      area: "clock",
      ok: false,
      seen: "engine and 1 agent compared with this machine",
      problems: [
        { what: "client-1's clock is 5.5 s behind this machine's", advice: "docker restart p-s-client-1" },
      ],
    });
  });
});

describe("monitors", () => {
  const monitors = [declared("monitor-1", "monitor"), declared("monitor-2", "monitor")];
  const clients = [declared("client-1", "client"), declared("client-2", "client")];
  const running = [...monitors, ...clients].map(({ alias }) => container(alias));
  const both = { "consul-esm:monitor-1": true, "consul-esm:monitor-2": true };

  const watched = { passing: both, unwatched: [], unrun: [] };
  const again =
    "npm run doctor again in a minute; if it stays so, docker restart p-s-monitor-1 p-s-monitor-2";

  test("are well when both pass, and every node is in a share", () => {
    expect(examineMonitors(monitors, clients, running, watched)).toEqual({
      area: "monitors",
      ok: true,
      seen: "2 of 2 passing, every node watched",
      problems: [],
    });
  });

  test("are not when a node is in nobody's share, or a check was never run", () => {
    const standing = {
      ...watched,
      unwatched: ["api-1", "api-2"],
      unrun: [
        { node: "api-2", name: "HTTP /ready", intervalSeconds: 2 },
        { node: "web-1", name: "HTTP /ready", intervalSeconds: 2 },
      ],
    };

    expect(examineMonitors(monitors, clients, running, standing)).toEqual({
      area: "monitors",
      ok: false,
      seen: "2 of 2 passing, 2 not watched",
      problems: [
        { what: "no monitor runs the checks of api-1, api-2", advice: again },
        { what: "no monitor has run web-1's check HTTP /ready", advice: again },
      ],
    });
  });

  test("are not when one is not registered and one does not pass, which also says why nothing is watched", () => {
    const facts = { passing: { "consul-esm:monitor-2": false }, unwatched: ["api-1"], unrun: [] };

    expect(examineMonitors(monitors, clients, running, facts)).toMatchObject({
      seen: "0 of 2 passing, nothing watched",
      problems: [
        { what: "monitor-1 is not registered", advice: "docker restart p-s-monitor-1" },
        {
          what: "monitor-2 does not pass: Consul misses its heartbeat",
          advice: "docker restart p-s-monitor-2",
        },
      ],
    });
  });

  test("are helped where the cause is: at the client that one works through, else at its own container", () => {
    const containers = [
      container("monitor-1", { status: "paused" }),
      container("client-1"),
      container("monitor-2"),
      container("client-2", { status: "exited" }),
    ];

    const { problems } = examineMonitors(monitors, clients, containers, { ...watched, passing: {} });

    expect(problems.map(({ advice }) => advice)).toEqual([
      "docker unpause p-s-monitor-1",
      "docker start p-s-client-2",
    ]);
  });
});
