import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { AccessControl, type AccessControlArgs, type Credentials } from "../../components/access-control";
import {
  dnsRules,
  monitorRules,
  serviceRules,
  snapshotRules,
  type Discovery,
} from "../../components/policies";
import { SecretFiles } from "../../components/secret-files";
import { datacenter, httpsDatacenter, labelsOf, onePlatform, onlyHost, owner } from "./fixtures";
import {
  accessorOf,
  create,
  idOf,
  mockPulumi,
  secretOf,
  TOKEN_SECRETS,
  valueOf,
  type Created,
} from "./mocks";

const args = (name: string, https = false): AccessControlArgs => {
  const files = new SecretFiles(`${name}-keys`, { owner, imageId: "sha256:consul", folders: {} });
  return {
    owner,
    platform: onePlatform,
    imageIdOn: () => "sha256:consul",
    datacenter: https ? httpsDatacenter(name) : datacenter(name),
    agentSecrets: {
      agents: (["server-1", "client-1"] as const).map((agent) => ({
        name: agent,
        role: agent === "server-1" ? "server" : "client",
        address: "10.9.0.9",
        host: onlyHost,
        volume: new docker.Volume(`${name}-${agent}`, { name: `volume-of-${agent}` }),
      })),
      filesOn: () => files,
    },
    services: [
      { name: "gateway", discovers: ["catalog"] },
      { name: "catalog", discovers: [] },
    ],
  };
};

let access: Created<AccessControl>;

beforeAll(async () => {
  await mockPulumi({ answers: TOKEN_SECRETS });
  access = await create(() => new AccessControl("access", args("access")));
});

const secret = (name: string) => secretOf(accessorOf(name));

/** The files that the carrier of tokens writes, each with who alone may read it. */
function files({ get }: Created<AccessControl>): Record<string, [content: string, reader: string]> {
  const uploads = get("docker.Container tokens").inputs["uploads"] as Record<string, string>[];
  return Object.fromEntries(
    uploads.map(({ file = "", content = "", owner = "", group = "" }) => [
      file,
      [content, `${owner}:${group}`],
    ]),
  );
}

test("has a token for each agent, each service, the monitors and DNS, and a policy where there are rules", () => {
  const named = (kind: string) =>
    access.refs.filter((ref) => ref.startsWith(`consul.${kind} `)).map((ref) => ref.split(" ")[1]);

  expect(named("AclToken").sort()).toEqual([
    "agent-client-1",
    "agent-server-1",
    "dns",
    "monitor",
    "service-catalog",
    "service-gateway",
  ]);
  expect(named("AclPolicy").sort()).toEqual(["dns", "monitor", "service-catalog", "service-gateway"]);
});

test("an agent may write its own node, and nothing else", () => {
  for (const agent of ["server-1", "client-1"]) {
    expect(access.get(`consul.AclToken agent-${agent}`).inputs).toEqual({
      description: `consul-docker: agent-${agent}`,
      nodeIdentities: [{ nodeName: agent, datacenter: "dc7" }],
    });
  }
});

test("everybody else has the rules that are made for it", () => {
  const { services } = args("rules");
  const [gateway, catalog] = services as [Discovery, Discovery];
  const rules = (name: string) => access.get(`consul.AclPolicy ${name}`).inputs["rules"];

  expect(rules("dns")).toBe(dnsRules(services));
  expect(rules("monitor")).toBe(monitorRules(services));
  expect(rules("service-gateway")).toBe(serviceRules(gateway));
  expect(rules("service-catalog")).toBe(serviceRules(catalog));
});

test("each holder but the agents has a volume made for its token", () => {
  for (const [holder, role] of [
    ["monitor", "monitor"],
    ["gateway", "service"],
    ["catalog", "service"],
  ] as const) {
    expect(access.get(`docker.Volume ${holder}-secrets`)).toMatchObject({
      inputs: { name: `shop-test-${holder}-secrets`, labels: labelsOf(role) },
      parent: "AccessControl access",
      deleteBeforeReplace: true,
    });
  }
  expect(access.get("docker.Container tokens").inputs).toMatchObject({
    image: "sha256:consul",
    volumes: [
      { volumeName: "volume-of-server-1", containerPath: "/secrets/server-1" },
      { volumeName: "volume-of-client-1", containerPath: "/secrets/client-1" },
      { volumeName: "shop-test-monitor-secrets", containerPath: "/secrets/monitor" },
      { volumeName: "shop-test-gateway-secrets", containerPath: "/secrets/gateway" },
      { volumeName: "shop-test-catalog-secrets", containerPath: "/secrets/catalog" },
    ],
  });
});

test("each token goes to its holder alone; a client gets that of DNS, too, and what it joined with is emptied", () => {
  const agent = (tokens: Record<string, string>) => JSON.stringify({ acl: { tokens } });
  const [CONSUL, SERVICE] = ["100:1000", "10001:10001"];
  const holder = (name: string, identity: string, reader: string) => ({
    [`/secrets/${name}/token`]: [secret(identity), reader],
    [`/secrets/${name}/token.json`]: [JSON.stringify({ token: secret(identity) }), reader],
  });

  expect(files(access)).toEqual({
    "/secrets/server-1/tokens.json": [agent({ agent: secret("agent-server-1") }), CONSUL],
    "/secrets/client-1/tokens.json": [agent({ agent: secret("agent-client-1"), dns: secret("dns") }), CONSUL],
    "/secrets/client-1/join.json": ["{}", CONSUL],
    ...holder("monitor", "monitor", CONSUL),
    ...holder("gateway", "service-gateway", SERVICE),
    ...holder("catalog", "service-catalog", SERVICE),
  });
});

test("the tokens are written again whenever the keys are", () => {
  expect(access.get("docker.Container tokens").inputs["labels"]).toContainEqual({
    label: "consul-docker.after",
    value: idOf("access-keys"),
  });
});

test("hands each holder its volume, and the public half of its token", async () => {
  const { monitor, services } = access.component;
  const handed = async ({ volumeName, accessorId }: Credentials) => [
    await valueOf(volumeName),
    await valueOf(accessorId),
    await pulumi.isSecret(accessorId),
  ];

  expect(await handed(monitor)).toEqual(["shop-test-monitor-secrets", accessorOf("monitor"), false]);
  expect([...services.keys()]).toEqual(["gateway", "catalog"]);
  for (const [name, credentials] of services) {
    expect(await handed(credentials)).toEqual([
      `shop-test-${name}-secrets`,
      accessorOf(`service-${name}`),
      false,
    ]);
  }
});

test("who verifies HTTPS finds the authority's certificate", async () => {
  const https = await create(() => new AccessControl("https", args("https", true)));

  const paths = Object.keys(files(https)).filter((path) => path.endsWith("ca.pem"));
  expect(paths).toEqual(["/secrets/monitor/ca.pem", "/secrets/gateway/ca.pem", "/secrets/catalog/ca.pem"]);
  expect(files(https)["/secrets/monitor/ca.pem"]).toEqual(["CA CERTIFICATE", "100:1000"]);
  expect(files(https)["/secrets/gateway/ca.pem"]).toEqual(["CA CERTIFICATE", "10001:10001"]);
});

test("where snapshots are taken, who takes them has a token and a volume for it", async () => {
  const taking = await create(
    () => new AccessControl("taking", { ...args("taking"), snapshots: { intervalMinutes: 1, keep: 1 } }),
  );

  expect(access.component.snapshots).toBeUndefined();
  expect(taking.get("consul.AclPolicy snapshots").inputs["rules"]).toBe(snapshotRules());
  expect(taking.get("docker.Volume snapshots-secrets").inputs).toEqual({
    name: "shop-test-snapshots-secrets",
    labels: labelsOf("snapshots"),
  });
  expect(files(taking)["/secrets/snapshots/token"]).toEqual([secret("snapshots"), "100:1000"]);
  expect(await valueOf(pulumi.output(taking.component.snapshots?.volumeName))).toBe(
    "shop-test-snapshots-secrets",
  );
});
