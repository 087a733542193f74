import type { DatacenterStatus } from "../../scripts/datacenter";
import { renderDatacenter } from "../../scripts/render";

const agent = { version: "1.22.7", status: "alive", leader: false } as const;
const passing = [{ name: "HTTP /ready", status: "passing", output: "200 OK" }] as const;
const healthy: DatacenterStatus = {
  datacenter: "dc7",
  members: [
    { ...agent, name: "server-1", role: "server", address: "10.9.0.11", leader: true },
    { ...agent, name: "client-1", role: "client", address: "10.9.0.21" },
  ],
  services: [{ name: "api", instances: [{ name: "api-1", address: "api-1:8080", checks: passing }] }],
  monitorFaults: [],
};
const broken: DatacenterStatus = {
  datacenter: "dc7",
  members: [
    { ...agent, name: "server-1", role: "server", address: "10.9.0.11", status: "failed" },
    { ...agent, name: "client-1", role: "client", address: "10.9.0.21" },
  ],
  services: [
    {
      name: "api",
      instances: [
        { name: "api-1", address: "api-1:8080", checks: passing },
        {
          name: "api-10",
          address: "api-10:8080",
          checks: [...passing, { name: "HTTP /live", status: "critical", output: "connection refused" }],
        },
        {
          name: "api-11",
          address: "api-11:8080",
          checks: [{ name: "HTTP /live", status: "warning", output: "slow" }],
        },
      ],
    },
    { name: "web", instances: [] },
  ],
  monitorFaults: ["monitor-1 is not registered"],
};

const GREEN = "\u001b[32m";
const RED = "\u001b[31m";
const YELLOW = "\u001b[33m";
const PLAIN = "\u001b[39m";
const BOLD = "\u001b[1m";
const NORMAL = "\u001b[22m";

test("a healthy datacenter reads as a table without colour codes", () => {
  expect(renderDatacenter(healthy, false).split("\n")).toEqual([
    "datacenter dc7  healthy  leader server-1",
    "",
    "  server-1  server, leader  10.9.0.11  1.22.7  alive",
    "  client-1  client          10.9.0.21  1.22.7  alive",
    "",
    "api  1 of 1 passing",
    "  api-1  api-1:8080  passing",
  ]);
});

test("a broken one says what is wrong, and why", () => {
  expect(renderDatacenter(broken, false).split("\n")).toEqual([
    "datacenter dc7  not healthy  no leader",
    "",
    "  server-1  server  10.9.0.11  1.22.7  failed",
    "  client-1  client  10.9.0.21  1.22.7  alive",
    "",
    "api  1 of 3 passing",
    "  api-1   api-1:8080   passing",
    "  api-10  api-10:8080  critical  HTTP /live: connection refused",
    "  api-11  api-11:8080  warning   HTTP /live: slow",
    "web  0 of 0 passing",
    "monitor-1 is not registered",
  ]);
});

test("on a terminal, good is green and headings are bold", () => {
  expect(renderDatacenter(healthy, true).split("\n")).toEqual([
    `${BOLD}datacenter dc7${NORMAL}${GREEN}  healthy${PLAIN}  leader server-1`,
    "",
    `  server-1  server, leader  10.9.0.11  1.22.7  ${GREEN}alive${PLAIN}`,
    `  client-1  client          10.9.0.21  1.22.7  ${GREEN}alive${PLAIN}`,
    "",
    `${BOLD}api  1 of 1 passing${NORMAL}`,
    `  api-1  api-1:8080  ${GREEN}passing${PLAIN}`,
  ]);
});

test("on a terminal, bad is red and doubtful is yellow", () => {
  const text = renderDatacenter(broken, true);

  expect(text).toContain(`${RED}  not healthy${PLAIN}${RED}  no leader${PLAIN}`);
  expect(text).toContain(`${RED}failed${PLAIN}`);
  expect(text).toContain(`${RED}critical${PLAIN}`);
  expect(text).toContain(`${YELLOW}warning${PLAIN}`);
});

test("colour changes nothing but the colour", () => {
  for (const status of [healthy, broken]) {
    const plain = renderDatacenter(status, true).replaceAll(/\u001b\[\d+m/g, "");
    expect(plain).toBe(renderDatacenter(status, false));
  }
});
