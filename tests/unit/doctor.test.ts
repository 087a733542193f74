import { examineAdvisories } from "../../scripts/doctor/advisories";
import { examineCertificates } from "../../scripts/doctor/certificates";
import { examineEngine } from "../../scripts/doctor/engine";
import { examine } from "../../scripts/doctor/examine";
import type { Facts, StackFacts } from "../../scripts/doctor/facts";
import { found, notExamined, type Finding } from "../../scripts/doctor/finding";
import { renderFindings } from "../../scripts/doctor/render";
import { examineStack } from "../../scripts/doctor/stack";
import { container, declared, EMPTY } from "./doctor-fixtures";

const NOW = new Date("2026-11-25T12:00:00Z");
const LINUX = { platform: "linux", dockerHost: undefined } as const;
const ENGINE = { version: "28.2.2", system: "linux/amd64", shown: +NOW, asked: +NOW, answered: +NOW };

describe("the engine", () => {
  test("is well when it answers", () => {
    expect(examineEngine({ value: ENGINE }, LINUX)).toEqual({
      area: "engine",
      ok: true,
      seen: "Docker Engine 28.2.2 on linux/amd64",
      problems: [],
    });
  });

  test.each([
    ["connection refused", LINUX, "sudo systemctl start docker; without systemd: npm run setup, as root"],
    ["connection refused", { ...LINUX, platform: "darwin" as const }, "open -a Docker"],
    [
      "connection refused",
      { ...LINUX, dockerHost: "tcp://x:2375" },
      "start the engine at tcp://x:2375, or: unset DOCKER_HOST",
    ],
    [
      "permission denied while trying",
      LINUX,
      "sudo usermod -aG docker $USER, then log in again; or run this as root",
    ],
    ["the command docker is not installed", LINUX, "npm run setup"],
  ])("is not when it does not: %s on %j", (failure, caller, advice) => {
    expect(examineEngine({ failure }, caller)).toEqual({
      area: "engine",
      ok: false,
      seen: "no answer",
      problems: [{ what: `the Docker Engine does not answer: ${failure}`, advice }],
    });
  });
});

describe("the stack", () => {
  test("is well when it came up", () => {
    expect(examineStack({ value: { ...EMPTY, size: 9, outputs: { httpApiUrl: "http://x" } } })).toEqual({
      area: "stack",
      ok: true,
      seen: "s, 9 resources",
      problems: [],
    });
  });

  test("is not when nothing of it is there, or when it never came up as a whole", () => {
    expect(examineStack({ value: EMPTY })).toEqual({
      area: "stack",
      ok: false,
      seen: "s is not up",
      problems: [{ what: "the stack s has created nothing", advice: "npm run up" }],
    });
    expect(examineStack({ value: { ...EMPTY, size: 9 } })).toEqual({
      area: "stack",
      ok: false,
      seen: "s, 9 resources",
      problems: [{ what: "the stack never came up as a whole: it has no outputs", advice: "npm run up" }],
    });
  });

  test.each([
    ["no stack selected", "npm run setup, which selects the stack; pulumi stack ls lists what there is"],
    [
      "incorrect passphrase",
      "unset PULUMI_CONFIG_PASSPHRASE; export PULUMI_CONFIG_PASSPHRASE_FILE=$PWD/.dev-passphrase",
    ],
  ])("is not when its state cannot be read: %s", (failure, advice) => {
    expect(examineStack({ failure })).toEqual({
      area: "stack",
      ok: false,
      seen: "cannot be read",
      problems: [{ what: `Pulumi cannot read the stack's state: ${failure}`, advice }],
    });
  });
});

describe("certificates", () => {
  const valid = (name: string, from: string, to: string) => ({
    name,
    from: new Date(from),
    to: new Date(to),
  });
  const api = valid("api", "2026-01-01", "2027-11-25");

  test("are well when they are valid for longer than 30 days", () => {
    expect(examineCertificates([valid("ca", "2026-01-01", "2036-11-22"), api], NOW)).toEqual({
      area: "certificates",
      ok: true,
      seen: "2, api is the first to expire, on 2027-11-25",
      problems: [],
    });
  });

  test("are not missed where there are none", () => {
    expect(examineCertificates([], NOW)).toMatchObject({
      ok: true,
      seen: "none: the datacenter is insecure",
    });
  });

  test("are not when one has expired, expires soon or is not valid yet", () => {
    const certificates = [
      valid("ca", "2026-01-01", "2026-12-05"),
      valid("server", "2026-01-01", "2026-11-24"),
      valid("api", "2026-11-26", "2027-11-25"),
    ];

    expect(examineCertificates(certificates, NOW)).toEqual({
      area: "certificates",
      ok: false,
      seen: "3, server is the first to expire, on 2026-11-24",
      problems: [
        {
          what: "api is not valid before 2026-11-26T00:00:00.000Z, this machine's clock shows 2026-11-25T12:00:00.000Z",
          advice: "sudo timedatectl set-ntp true",
        },
        { what: "server has expired", advice: "npm run rotate -- certificates" },
        {
          what: "ca expires in 9 days",
          advice:
            "npm run down, then npm run up: another authority needs a new datacenter, without the old one's data",
        },
      ],
    });
  });
});

describe("advisories", () => {
  const seen = (...images: readonly string[]) => {
    const { ok, problems, seen } = examineAdvisories(images);
    expect([ok, problems]).toEqual([true, []]);
    return seen;
  };

  test("are named with the version that mends them, and are no problem", () => {
    expect(seen("hashicorp/consul-esm:0.9.1", "node:24-slim", "hashicorp/consul:1.22.7")).toBe(
      "consul 1.22.7 8 known, mended in 2.0.3 CVE-2026-19113, CVE-2026-19016, CVE-2026-19014, CVE-2026-19012, in 2.0.4 CVE-2026-87106, CVE-2026-87090, in 2.1.0 CVE-2026-115804, CVE-2026-105626; consul-esm 0.9.1 none known",
    );
  });

  test("are none of a version that mends the last", () => {
    expect(seen("hashicorp/consul:2.1.0", "hashicorp/consul:2.1.0")).toBe("consul 2.1.0 none known");
  });

  test("cannot be told of a tag that is no version", () => {
    expect(seen("hashicorp/consul:1.22")).toBe("consul 1.22 is no version that the advisories name");
  });
});

describe("all of it", () => {
  const state = {
    ...EMPTY,
    size: 9,
    outputs: { httpApiUrl: "http://x" },
    networks: [{ urn: "urn:consul", name: "p-s-network" }],
    containers: [declared("server-1", "server", "10.9.0.11")],
  };
  const peer = {
    ID: "1",
    Name: "server-1",
    Address: "10.9.0.11:8300",
    NodeStatus: "alive",
    Healthy: true,
    Status: "leader",
  };
  const well: StackFacts = {
    containers: { value: [container("server-1")] },
    networks: { value: ["p-s-network"] },
    clocks: [],
    views: [{ from: "server-1", leader: "10.9.0.11:8300", peers: ["10.9.0.11:8300"] }],
    autopilot: { value: { FailureTolerance: 0, Servers: { 1: peer } } },
    monitors: { value: { passing: {}, unwatched: [], unrun: [] } },
    catalog: { value: { nodes: [], services: [], checks: [] } },
    ports: [],
  };
  const all = (facts: Partial<Facts>, stack: Partial<StackFacts> = {}) =>
    examine(
      { engine: { value: ENGINE }, state: { value: state }, stack: { ...well, ...stack }, ...facts },
      LINUX,
      NOW,
    );
  /** The areas that are not well, with what was seen. */
  const amiss = (findings: readonly Finding[]) =>
    findings.filter(({ ok }) => ok !== true).map(({ area, seen }) => `${area}: ${seen}`);

  test("is examined from the outside in", () => {
    const findings = all({});

    expect(findings.map(({ area, ok }) => [area, ok])).toEqual(
      [
        "engine",
        "stack",
        "network",
        "containers",
        "leader",
        "voters",
        "clock",
        "certificates",
        "advisories",
        "monitors",
        "registrations",
        "ports",
      ].map((area) => [area, true]),
    );
  });

  test("is hidden by an engine that does not answer, except for what the ports show", () => {
    const failure = { failure: "connection refused" };

    expect(
      amiss(
        all({ engine: failure }, { containers: failure, networks: failure, views: [], catalog: failure }),
      ),
    ).toEqual([
      "engine: no answer",
      "network: not examined: the engine does not answer",
      "containers: not examined: the engine does not answer",
      "leader: not examined: the engine does not answer",
      "voters: not examined: no leader is known",
      "clock: not examined: the engine does not answer",
      "monitors: not examined: no leader is known",
      "registrations: not examined: no leader is known",
      "ports: not examined: the engine does not answer",
    ]);
  });

  test("is asked as far as it answers where the engine refuses this caller alone", () => {
    const failure = { failure: "permission denied" };
    const client = declared("client-1", "client");
    const ports = [
      { what: "UI", at: "x", container: client },
      { what: "DNS by UDP", at: "y", container: client, failure: "ECONNREFUSED" },
    ];

    const findings = all({ engine: failure }, { containers: failure, networks: failure, ports });

    expect(amiss(findings).slice(1)).toEqual([
      "network: not examined: the engine does not answer",
      "containers: not examined: the engine does not answer",
      "clock: not examined: the engine does not answer",
      "ports: 1 of 2 answer: UI",
    ]);
    // Nobody can say that a container is missing.
    expect(findings.at(-1)?.problems[0]?.advice).toBe("docker restart p-s-client-1");
  });

  test("is hidden by a state that cannot be read", () => {
    const findings = examine(
      { engine: { value: ENGINE }, state: { failure: "no stack selected" } },
      LINUX,
      NOW,
    );

    expect(findings).toHaveLength(12);
    expect(amiss(findings)).toEqual([
      "stack: cannot be read",
      ...findings.slice(2).map(({ area }) => `${area}: not examined: the stack's state is unknown`),
    ]);
  });

  test("is only what may be left when the stack is not up", () => {
    const findings = all({ state: { value: EMPTY } }, { networks: { value: [] } });

    expect(amiss(findings)).toEqual([
      "stack: s is not up",
      "containers: 0 of 0 as they should be",
      ...findings.slice(4).map(({ area }) => `${area}: not examined: the stack is not up`),
    ]);
  });

  test("is hidden in part while there is no leader", () => {
    expect(amiss(all({}, { views: [{ from: "server-1", leader: "", peers: [] }] }))).toEqual([
      "leader: none",
      "voters: not examined: no leader is known",
      "monitors: not examined: no leader is known",
      "registrations: not examined: no leader is known",
    ]);
  });

  test("has no leader to look for before there are servers", () => {
    expect(amiss(all({ state: { value: { ...state, containers: [] } } }, { views: [] }))[1]).toBe(
      "leader: not examined: the stack has no servers yet",
    );
  });

  test("is a problem of its own where a question gets no answer", () => {
    const failure = { failure: "Consul answers 500: rpc error" };
    const unanswered = (area: Finding["area"]) =>
      found(area, "no answer", [{ what: failure.failure, advice: "npm run doctor again" }]);

    const findings = all({}, { networks: failure, autopilot: failure, monitors: failure, catalog: failure });

    expect(findings.filter(({ ok }) => !ok)).toEqual(
      (["network", "voters", "monitors", "registrations"] as const).map(unanswered),
    );
    expect(amiss(all({}, { containers: failure })).slice(0, 2)).toEqual([
      "network: no answer",
      "containers: no answer",
    ]);
  });
});

describe("findings", () => {
  const findings = [
    found("engine", "Docker Engine 28"),
    found("containers", "1 of 3 as they should be", [
      { what: "a is paused", advice: "docker unpause a" },
      { what: "b says \u001b[2J\nboo", advice: "docker logs b" },
    ]),
    notExamined("leader", "no leader"),
  ];

  test("are a line each, with what is wrong and what to do below, and nothing that steers a terminal", () => {
    expect(renderFindings(findings, false).split("\n")).toEqual([
      "ok       engine         Docker Engine 28",
      "problem  containers     1 of 3 as they should be",
      "    a is paused",
      "      docker unpause a",
      "    b says  [2J boo",
      "      docker logs b",
      "-        leader         not examined: no leader",
      "2 problems",
    ]);
  });

  test("end with a verdict", () => {
    expect(
      renderFindings([found("engine", "x")], false)
        .split("\n")
        .at(-1),
    ).toBe("healthy");
    expect(
      renderFindings([found("engine", "x", [{ what: "a", advice: "b" }])], false)
        .split("\n")
        .at(-1),
    ).toBe("1 problem");
  });

  test("are in colour on a terminal, and the same but for it", () => {
    const text = renderFindings(findings, true);

    expect(text).toContain("\u001b[32mok     \u001b[39m  engine");
    expect(text).toContain("    \u001b[31ma is paused\u001b[39m");
    expect(text.replaceAll(/\u001b\[\d+m/g, "")).toBe(renderFindings(findings, false));
  });
});
