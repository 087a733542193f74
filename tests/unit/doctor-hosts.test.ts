import { atHosts, enginesByContainer } from "../../scripts/doctor/at-hosts";
import { found } from "../../scripts/doctor/finding";
import { container, declared, EMPTY } from "./doctor-fixtures";

const hosts = [
  { name: "a", endpoint: "ssh://a", address: "192.0.2.1" },
  { name: "b", endpoint: "tcp://b:2376", certPath: "/certs", address: "192.0.2.2" },
];
const TLS = "--tlsverify --tlscacert /certs/ca.pem --tlscert /certs/cert.pem --tlskey /certs/key.pem";

test("an engine is known for each declared container, and for each that is found", () => {
  const state = {
    ...EMPTY,
    outputs: { hosts },
    containers: [{ ...declared("server-1", "server"), host: "a" }, declared("keys-a", "secrets")],
  };
  const [, b = {}] = hosts;
  const stack = {
    containers: { value: [container("old", { engine: b })] },
    networks: { failure: "" },
    clocks: [],
    views: [],
    autopilot: { failure: "" },
    monitors: { failure: "" },
    catalog: { failure: "" },
    ports: [],
  };
  const engine = { failure: "" };

  const engines = enginesByContainer({ engine, state: { value: state }, stack });
  expect([...engines]).toEqual([
    ["p-s-server-1", hosts[0]],
    ["p-s-old", hosts[1]],
  ]);
  expect(enginesByContainer({ engine, state: { failure: "locked" } }).size).toBe(0);
});

test.each([
  ["docker logs --tail 20 one", "docker -H ssh://a logs --tail 20 one"],
  ["docker rm -fv two, then npm run doctor", `docker -H tcp://b:2376 ${TLS} rm -fv two, then npm run doctor`],
  [
    "npm run doctor again in 10 s; if it stays so, docker restart one two, one after the other",
    `npm run doctor again in 10 s; if it stays so, docker -H ssh://a restart one && docker -H tcp://b:2376 ${TLS} restart two, one after the other`,
  ],
  [
    "docker unpause one; docker start two",
    `docker -H ssh://a unpause one; docker -H tcp://b:2376 ${TLS} start two`,
  ],
  ["docker network rm p-s-network", "docker network rm p-s-network"],
  ["docker start three", "docker start three"],
  ["npm run up", "npm run up"],
])("%s is for the engine of the container", (advice, expected) => {
  const engines = new Map(hosts.map((engine, index) => [["one", "two"][index] ?? "", engine]));

  expect(atHosts([found("containers", "seen", [{ what: "docker", advice }])], engines)).toEqual([
    found("containers", "seen", [{ what: "docker", advice: expected }]),
  ]);
});
