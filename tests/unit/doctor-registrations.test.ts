import { examineRegistrations, type Catalog } from "../../scripts/doctor/registrations";
import { container, declared, EMPTY } from "./doctor-fixtures";

const check = (changes: Partial<Catalog["checks"][number]> = {}) => ({
  Node: "api-1",
  CheckID: "api-1:/ready",
  Name: "HTTP /ready",
  Status: "passing",
  Output: "",
  ServiceName: "api",
  Definition: { HTTP: "http://api-1:80/ready" },
  ...changes,
});
const SERVICE = { Node: "api-1", ServiceID: "api-1", ServiceAddress: "api-1", ServicePort: 80 };
const CATALOG: Catalog = {
  nodes: [{ Node: "api-1", Address: "api-1" }],
  services: [SERVICE],
  checks: [check()],
};
const STATE = {
  ...EMPTY,
  outputs: { httpApiUrl: "http://127.0.0.1:8500", managementToken: "the-token" },
  containers: [declared("api-1", "service")],
  nodes: [{ name: "api-1", address: "api-1" }],
  services: [
    {
      name: "api",
      serviceId: "api-1",
      node: "api-1",
      address: "api-1",
      port: 80,
      checks: [{ checkId: "api-1:/ready", http: "http://api-1:80/ready" }],
    },
  ],
};
const RUNNING = [container("api-1")];
const examine = (
  changes: Partial<Catalog>,
  containers = RUNNING,
  outputs: typeof STATE.outputs = STATE.outputs,
) => examineRegistrations({ ...STATE, outputs }, containers, { ...CATALOG, ...changes });

test("registrations are well when the catalog has what the state has, and every check passes", () => {
  expect(examine({})).toEqual({
    area: "registrations",
    ok: true,
    seen: "1 declared, 1 of 1 checks pass",
    problems: [],
  });
});

test.each<[Partial<Catalog>, string]>([
  [{ nodes: [], services: [], checks: [] }, "api-1 is not in the catalog"],
  [{ nodes: [{ Node: "api-1", Address: "10.0.0.1" }] }, "node api-1 has the address 10.0.0.1, not api-1"],
  [{ services: [] }, "api-1 is not in the catalog, though its node is"],
  [{ services: [{ ...SERVICE, Node: "api-2" }] }, "api-1 is not in the catalog, though its node is"],
  [{ services: [{ ...SERVICE, ServicePort: 81 }] }, "api-1 is registered at api-1:81, not at api-1:80"],
  [
    { services: [{ ...SERVICE, ServiceAddress: "api-9" }] },
    "api-1 is registered at api-9:80, not at api-1:80",
  ],
  [{ checks: [] }, "api-1 lacks the check api-1:/ready"],
  [
    { checks: [check({ Definition: { HTTP: "http://evil/" } })] },
    "the check api-1:/ready asks http://evil/, not http://api-1:80/ready",
  ],
  [{ checks: [check({ Definition: {} })] }, "the check api-1:/ready asks nothing, not http://api-1:80/ready"],
])("what differs from the state is named once, and repaired by a refresh: %j", (changes, what) => {
  expect(examine(changes).problems).toEqual([{ what, advice: "npm run up -- --refresh" }]);
});

describe("a node that the state does not know", () => {
  const stale = {
    nodes: [...CATALOG.nodes, { Node: "o'ld", Address: "x" }],
    checks: [check(), check({ Node: "o'ld", Status: "critical" })],
  };
  const what = "o'ld is a stale registration: the stack's state does not know it";

  test("is named without its checks, and taken out without the token in an argument", () => {
    expect(examine(stale)).toEqual({
      area: "registrations",
      ok: false,
      seen: "1 declared, 1 of 2 checks pass",
      problems: [
        {
          what,
          advice: `pulumi stack output managementToken --show-secrets | sed 's/^/X-Consul-Token: /' | curl -sS -X PUT -H @- -d '{"Node":"o'\\''ld"}' http://127.0.0.1:8500/v1/catalog/deregister`,
        },
      ],
    });
  });

  test("is taken out by HTTPS where the API is that, and without a token where there is none", () => {
    const outputs = { httpApiUrl: "https://127.0.0.1:8500", caCertificate: "PEM" };

    expect(examine(stale, RUNNING, outputs as never).problems).toEqual([
      {
        what,
        advice: `curl -sS -X PUT --cacert <(pulumi stack output caCertificate) -d '{"Node":"o'\\''ld"}' https://127.0.0.1:8500/v1/catalog/deregister`,
      },
    ]);
  });
});

test("a check that does not pass is named with the first line that it wrote, and helped at its container", () => {
  const failing = [
    check({ Status: "critical", Output: "connection refused\nmore\n" }),
    check({ Node: "server-1", CheckID: "serfHealth", Name: "Serf", Status: "warning", ServiceName: "" }),
    check({ Node: "client-1", ServiceName: "consul-esm", Status: "critical" }),
  ];
  const serf = { what: "server-1's check Serf is warning", advice: "npm run status" };
  const what = "api-1's check HTTP /ready is critical: connection refused";

  expect(examine({ checks: failing }).problems).toEqual([
    { what, advice: "docker logs --tail 20 p-s-api-1" },
    serf,
  ]);
  expect(examine({ checks: failing }, [container("api-1", { status: "paused" })]).problems).toEqual([
    { what, advice: "docker unpause p-s-api-1" },
    serf,
  ]);
});

test("a check of an instance that Swarm runs is helped where Swarm says why it does not run", () => {
  const hosts = [
    { name: "a", endpoint: "ssh://a", address: "192.0.2.1" },
    { name: "b", endpoint: "tcp://b:2376", certPath: "/certs", address: "192.0.2.2", manager: true },
  ];
  const failing = { checks: [check({ Status: "critical" })] };
  const state = { ...STATE, containers: [], outputs: { hosts } };

  expect(examineRegistrations(state, [], { ...CATALOG, ...failing }).problems).toEqual([
    {
      what: "api-1's check HTTP /ready is critical",
      advice:
        "docker -H tcp://b:2376 --tlsverify --tlscacert /certs/ca.pem --tlscert /certs/cert.pem --tlskey /certs/key.pem service ps --no-trunc p-s-api-1",
    },
  ]);
});
