import { dnsRules, monitorRules, serviceRules, snapshotRules } from "../../components/policies";

const gateway = { name: "gateway", discovers: ["catalog"] };
const catalog = { name: "catalog", discovers: ["catalog", "pricing"] };

const lines = (rules: string) => rules.split("\n");

test("a service writes its own entry and keys, and reads what it discovers", () => {
  expect(lines(serviceRules(gateway))).toEqual([
    'service "gateway" { policy = "write" }',
    'key_prefix "services/gateway/" { policy = "write" }',
    'service "catalog" { policy = "read" }',
    'node_prefix "catalog-" { policy = "read" }',
    'node_prefix "gateway-" { policy = "read" }',
  ]);
});

test("a service that discovers itself keeps the right to write", () => {
  expect(lines(serviceRules(catalog)).filter((line) => line.startsWith('service "catalog"'))).toEqual([
    'service "catalog" { policy = "write" }',
  ]);
});

test("DNS reads the declared services, Consul, and the names of nodes", () => {
  expect(lines(dnsRules([gateway, catalog]))).toEqual([
    'service "consul" { policy = "read" }',
    'service "gateway" { policy = "read" }',
    'service "catalog" { policy = "read" }',
    'node_prefix "" { policy = "read" }',
  ]);
});

test("the monitors write the declared services and their nodes, and what they need among themselves", () => {
  expect(lines(monitorRules([gateway]))).toEqual([
    'service "consul-esm" { policy = "write" }',
    'key_prefix "consul-esm/" { policy = "write" }',
    'session_prefix "client-" { policy = "write" }',
    'agent_prefix "client-" { policy = "read" }',
    'node_prefix "client-" { policy = "read" }',
    'service "gateway" { policy = "write" }',
    'node_prefix "gateway-" { policy = "write" }',
  ]);
});

test("who takes snapshots writes one key, and has the one right that Consul asks for", () => {
  expect(lines(snapshotRules())).toEqual([
    'acl = "write"',
    'key "consul-docker/snapshots/newest" { policy = "write" }',
  ]);
});
