import { componentChanges } from "../../scripts/preview/components";
import { dangers } from "../../scripts/preview/dangers";
import { differences, inWords } from "../../scripts/preview/differences";
import { openings } from "../../scripts/preview/openings";
import {
  asksDefaultEngine,
  planned,
  type PlannedResource,
  type PreviewOutput,
} from "../../scripts/preview/plan";
import { markdown } from "../../scripts/preview/render";
import { previewReport } from "../../scripts/preview/report";
import { imageChanges } from "../../scripts/preview/sources";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const labels = (role: string) => [{ label: "consul-docker.role", value: role }];

type Given = Partial<PlannedResource> & Pick<PlannedResource, "name" | "type" | "operation">;

function resource(given: Given): PlannedResource {
  const { operation } = given;
  return {
    urn: `urn:pulumi:dev::consul-docker::${given.type}::${given.name}`,
    parent: undefined,
    before: operation === "create" ? undefined : {},
    after: operation === "delete" ? undefined : {},
    replacedFor: [],
    ...given,
  };
}

function volume(name: string, role: string, operation: PlannedResource["operation"]): PlannedResource {
  const args = { labels: labels(role) };
  return resource({
    name,
    type: "docker:index/volume:Volume",
    operation,
    ...(operation === "create" ? {} : { before: args }),
    ...(operation === "delete" ? {} : { after: args }),
  });
}

describe("what is dangerous", () => {
  const servers = (operation: PlannedResource["operation"]) =>
    ["server-1", "server-2", "server-3"].map((name) => volume(name, "server", operation));

  it.each([
    ["no change", servers("same"), []],
    ["servers that come", servers("create"), []],
    [
      "a server that goes and leaves others",
      [...servers("same"), volume("server-4", "server", "delete")],
      [],
    ],
    [
      "what a host has of secrets",
      [
        ...servers("same"),
        resource({
          name: "catalog-secrets-host1",
          type: "docker:index/volume:Volume",
          operation: "delete",
          before: { name: "shop-test-catalog-secrets", labels: labels("service") },
        }),
      ],
      [],
    ],
    ["every server's data", servers("delete"), ["all data is lost: no server keeps its volume"]],
    ["data replaced by nothing", servers("replace"), ["all data is lost: no server keeps its volume"]],
    [
      "one server's data replaced by nothing",
      [...servers("same"), volume("server-4", "server", "replace")],
      ["data is lost: the volume server-4 is replaced"],
    ],
    [
      "the snapshots",
      [...servers("same"), volume("snapshots", "snapshots", "delete")],
      ["data is lost: the volume snapshots is deleted"],
    ],
    [
      "files that the state holds, too",
      [...servers("same"), volume("server-1-secrets", "server", "delete")],
      [],
    ],
  ])("%s", (_, resources, expected) => {
    expect(dangers(resources)).toEqual(expected);
  });
});

describe("what opens", () => {
  const container = (before: object | undefined, after: object) =>
    resource({
      name: "extra",
      type: "docker:index/container:Container",
      operation: "replace",
      before: before as PlannedResource["before"],
      after: after as PlannedResource["after"],
    });

  it.each([
    [
      { ports: [{ internal: 80, external: 8080, ip: "127.0.0.1", protocol: "tcp" }] },
      ["port 127.0.0.1:8080/tcp leads to its 80, from this host alone"],
    ],
    [
      { ports: [{ internal: 80, external: 8080 }] },
      ["port 0.0.0.0:8080/tcp leads to its 80, FROM OTHER HOSTS, TOO"],
    ],
    [{ ports: [{ internal: 80 }] }, ["port 0.0.0.0:any/tcp leads to its 80, FROM OTHER HOSTS, TOO"]],
    [{ capabilities: { adds: ["CAP_NET_ADMIN"] } }, ["capability CAP_NET_ADMIN"]],
    [{ privileged: true }, ["all privileges on the host"]],
    [{ networkMode: "host" }, ["the host's own network"]],
    [{ user: "0:0" }, ["runs as root"]],
    [{ user: "root" }, ["runs as root"]],
    [{ user: "10001:10001", readOnly: true, networkMode: "bridge" }, []],
    [{ readOnly: false }, ["may write to its own files"]],
    [
      { volumes: [{ hostPath: "/var/run/docker.sock", containerPath: "/x" }, { volumeName: "data" }] },
      ["the host's /var/run/docker.sock"],
    ],
  ])("%j", (after, expected) => {
    expect(openings([container({}, after)])).toEqual(expected.map((line) => `extra: ${line}`));
    expect(openings([container(after, after)])).toEqual([]);
    expect(openings([{ ...container(after, {}), after: undefined }])).toEqual([]);
  });

  it("ports and privileges of a Swarm service", () => {
    const service = resource({
      name: "gateway-1",
      type: "docker:index/service:Service",
      operation: "update",
      after: {
        taskSpec: {
          containerSpec: {
            user: "root",
            capAdds: ["CAP_NET_ADMIN"],
            mounts: [
              { type: "bind", source: "/etc", target: "/host" },
              { type: "volume", source: "gateway-secrets", target: "/run/consul" },
            ],
          },
        },
        endpointSpec: { ports: [{ targetPort: 8080, publishedPort: 80, protocol: "tcp" }] },
      },
    });

    expect(openings([service])).toEqual([
      "gateway-1: port 0.0.0.0:80/tcp leads to its 8080, FROM OTHER HOSTS, TOO",
      "gateway-1: capability CAP_NET_ADMIN",
      "gateway-1: runs as root",
      "gateway-1: the host's /etc",
    ]);
  });

  it("rules of a policy that were not there before, and none that deny", () => {
    const policy = resource({
      name: "service-a",
      type: "consul:index/aclPolicy:AclPolicy",
      operation: "update",
      before: { rules: 'service "a" {\n  policy = "write"\n}' },
      after: {
        rules:
          'service "a" {\n  policy = "write"\n}\nservice "b" { policy = "read" }\nkey "" { policy = "deny" }',
      },
    });
    expect(openings([policy])).toEqual(['service-a: right service "b" { policy = "read" }']);
  });
});

describe("a difference", () => {
  it.each([
    [{ memory: 256 }, { memory: 512 }, ["memory 256 → 512"]],
    [{ a: 1 }, { b: 2 }, ["a 1 removed", "b 2 added"]],
    [{ envs: ["A=1", "B=2"] }, { envs: ["B=3", "A=1"] }, ["envs.B 2 → 3"]],
    [{ tags: ["rpc"] }, { tags: ["rpc", "fast"] }, ["tags.fast added"]],
    [{ envs: ['CONFIG={"a":{"b":1}}'] }, { envs: ['CONFIG={"a":{"b":2}}'] }, ["envs.CONFIG.a.b 1 → 2"]],
    [{ labels: [{ label: "x", value: "1" }] }, { labels: [{ label: "x", value: "2" }] }, ["labels.x 1 → 2"]],
    [
      { ports: [{ external: 80, protocol: "tcp", ip: "127.0.0.1" }] },
      { ports: [{ external: 80, protocol: "tcp", ip: "0.0.0.0" }] },
      ["ports.80/tcp.ip 127.0.0.1 → 0.0.0.0"],
    ],
    [{ image: "sha256:1" }, { image: UNKNOWN }, ["image changed"]],
    [{ input: "[secret]" }, { input: UNKNOWN }, ["input changed"]],
    [{ tests: ["sh", "x".repeat(61)] }, { tests: ["sh", "y".repeat(61)] }, ["tests changed"]],
    [
      { ipam: [{ subnet: "10.0.0.0/24" }] },
      { ipam: [{ subnet: "10.1.0.0/24" }] },
      ["ipam.subnet 10.0.0.0/24 → 10.1.0.0/24"],
    ],
    [{ __defaults: ["a"], a: 1 }, { __defaults: [], a: 1 }, []],
    [{ text: "{not JSON" }, { text: "{nor this" }, ["text {not JSON → {nor this"]],
  ])("between %j and %j", (before, after, expected) => {
    expect(differences(before, after).map(inWords)).toEqual(expected);
  });
});

test("the steps of a replacement are one change of the resource", () => {
  const type = "docker:index/container:Container";
  const urn = `urn:pulumi:dev::consul-docker::${type}::a`;
  const [oldState, newState] = [
    { type, inputs: { memory: 1 } },
    { type, inputs: { memory: 2 } },
  ];
  const output: PreviewOutput = {
    steps: [
      { op: "delete-replaced", urn, oldState },
      { op: "replace", urn, oldState, newState },
      { op: "create-replacement", urn, oldState, newState, replaceReasons: ["memory"] },
      { op: "refresh", urn, oldState, newState },
    ],
  };
  expect(planned(output)).toEqual([
    {
      urn,
      name: "a",
      type,
      operation: "replace",
      parent: undefined,
      before: { memory: 1 },
      after: { memory: 2 },
      replacedFor: ["memory"],
    },
  ]);
});

describe("images", () => {
  const image = (name: string, before: object | undefined, after: object | undefined) =>
    resource({
      name,
      type: "docker:index/remoteImage:RemoteImage",
      operation: before === undefined ? "create" : after === undefined ? "delete" : "replace",
      before: before as PlannedResource["before"],
      after: after as PlannedResource["after"],
    });
  const told = async (resources: readonly PlannedResource[]) =>
    (await imageChanges(resources, undefined)).map(({ before, after }) => [before, after]);

  it("are told once, on however many hosts", async () => {
    const change = [{ name: "node:24" }, { name: "node:26" }] as const;
    expect(await told([image("node-a", ...change), image("node-b", ...change)])).toEqual([
      ["node:24", "node:26"],
    ]);
  });

  it("are told by what is built, not by what is pushed and pulled of it", async () => {
    const [before, after] = ["registry:5000/catalog:1", "registry:5000/catalog:2"];
    const pulled = { name: `${before}@sha256:${"a".repeat(64)}` };
    const pushed = resource({
      name: "service-catalog",
      type: "docker:index/registryImage:RegistryImage",
      operation: "replace",
      before: { name: before },
      after: { name: after },
    });

    const built = image("built-catalog", { name: before }, { name: after });
    expect(
      await told([
        built,
        pushed,
        image("service-catalog-a", pulled, { name: UNKNOWN }),
        image("service-catalog-b", undefined, { name: UNKNOWN }),
      ]),
    ).toEqual([[before, after]]);
    expect(componentChanges([pushed]).flatMap(({ changes }) => changes)).toEqual([
      `pushed image replaced: name ${before} → ${after}`,
    ]);
  });

  it("that hosts built themselves go when one is built for all of them", async () => {
    expect(
      await told([
        image("built-catalog", undefined, { name: "registry:5000/catalog:1" }),
        image("service-catalog-a", { name: "catalog:1" }, { name: UNKNOWN }),
      ]),
    ).toEqual([
      [undefined, "registry:5000/catalog:1"],
      ["catalog:1", undefined],
    ]);
  });
});

test("the comment has the same parts, as Markdown that shows every character", () => {
  const type = "consul:index/service:Service";
  const check = {
    checkId: "a:/ready",
    name: "HTTP /ready",
    http: "http://a/ready",
    interval: "2s",
    timeout: "1s",
  };
  const inputs = { name: "a_b", address: "a", port: 80, tags: ["x|y"], checks: [check] };
  const output: PreviewOutput = {
    steps: [
      {
        op: "update",
        urn: `urn:pulumi:dev::p::${type}::a`,
        oldState: { type, inputs },
        newState: { type, inputs: { ...inputs, checks: [] } },
      },
    ],
    diagnostics: [{ severity: "warning", message: "<{%reset%}>mind this<{%reset%}>\n" }],
  };
  expect(markdown(previewReport("dev", output, false, []))).toBe(`## dev: 1 change, 1 DANGEROUS

0 to create, 1 to update, 0 to replace, 0 to delete, 0 unchanged

### Dangerous

- a check is removed: a loses HTTP /ready

### Warnings

- mind this

### Registrations

|     | before                                                                | after                     |
| --- | --------------------------------------------------------------------- | ------------------------- |
| a   | a\\_b at a:80<br>tags x\\|y<br>check http://a/ready every 2s, within 1s | a\\_b at a:80<br>tags x\\|y |

### Components

|     | change                                     | consequence |
| --- | ------------------------------------------ | ----------- |
| a   | registration updated: check /ready removed |             |`);
});

describe("an engine that is not there", () => {
  const provider = (host: string, before = "tcp://b:2376") => ({
    op: "update",
    urn: "urn:pulumi:dev::consul-docker::pulumi:providers:docker::b",
    oldState: { type: "pulumi:providers:docker", inputs: { host: before } },
    newState: { type: "pulumi:providers:docker", inputs: { host } },
  });
  const operations = (host: string) => planned({ steps: [provider(host)] }).map(({ operation }) => operation);

  it("is no change where the preview itself put a stand-in into its place", () => {
    expect(operations("unix:///tmp/consul-docker-preview-a1/engine.sock")).toEqual(["same"]);
    expect(operations("tcp://c:2376")).toEqual(["update"]);
  });

  it.each([
    ["urn:pulumi:dev::p::pulumi:providers:docker::default_5_2_0::id", true],
    ["urn:pulumi:dev::p::pulumi:providers:docker::b::id", false],
    ["urn:pulumi:dev::p::pulumi:providers:consul::default::id", false],
  ])("is the one that the shell names where %s is used: %s", (used, expected) => {
    const steps = [
      { op: "same", urn: "urn", newState: { type: "docker:index/volume:Volume", provider: used } },
    ];
    expect(asksDefaultEngine({ steps })).toBe(expected);
  });
});
