import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { versionOf } from "../../versions";
import { copyOfTheProject } from "./project";
import { servicesAt, TEST_STACK, TestStack } from "./test-stack";

// The policy pack as Pulumi's own CLI runs it. Nothing is brought up.
jest.setTimeout(300_000);

// Beyond loopback, so that the ports of the secured datacenter are looked at, too.
const SETTINGS = {
  ...TEST_STACK,
  datacenter: "pol",
  subnet: "10.98.0.0/24",
  httpPort: 19540,
  dnsPort: 19640,
  services: servicesAt(19120),
};

// What a user may write at the end of index.ts, with a fault for each rule.
const ADDITIONS = `
  const { Container, RemoteImage } = await import("@pulumi/docker");
  const { Keys, Service: Registration } = await import("@pulumi/consul");
  const inConsul = { provider: datacenter.provider };
  new RemoteImage("web", { name: "nginx:latest" });
  new Container("web", {
    name: "web",
    image: "nginx",
    privileged: true,
    ports: [{ internal: 80, external: 19121, ip: "0.0.0.0" }],
    envs: ["API_TOKEN=hunter2"],
  });
  new Container("extra", {
    name: "extra",
    image: "hashicorp/consul:${versionOf("consul_version")}",
    user: "100:1000",
    mustRun: false,
    labels: [
      { label: "consul-docker.project", value: owner.project },
      { label: "consul-docker.stack", value: owner.stack },
      { label: "consul-docker.role", value: "server" },
    ],
  });
  new Registration("web", { name: "web", node: "catalog-1" }, inConsul);
  new Keys("web", { keys: [{ path: "services/web/apiToken", value: "hunter2" }] }, inConsul);
`;

const STOPPED = [
  'remote image web must name a version of its image, got "nginx:latest"',
  'container web must name a version of its image, got "nginx"',
  "container web must have a health check, got none",
  "container web must have a memory limit, got none",
  "container web must have a limit for processes, got none",
  "container web must not run as root, got no user",
  "container web must not be privileged",
  "container web must have no secret in the environment variable API_TOKEN, got a secret, by its name",
  'container web must have the label consul-docker.stack with "pol", got none',
  "service web must have at least one check, got none",
  "keys web must have its secrets marked, got keys[0].value in plain",
  "container web must publish port 19121 on loopback while its API is plain HTTP, got 0.0.0.0",
  "the stack must have 1, 3 or 5 Consul servers, got 4: extra, server-1, server-2, server-3",
];

it("lets the program as it is pass, beyond loopback too", async () => {
  const stack = await TestStack.create("pol");
  try {
    await stack.configure({ ...SETTINGS, bindAddress: "0.0.0.0" });
    const { code, output } = await stack.preview("--policy-pack", "policy");
    expect(output).toMatch(/consul-docker@v\S+ \(local: policy\)/);
    expect(output).not.toMatch(/mandatory|advisory/);
    expect(code).toBe(0);
  } finally {
    await stack.remove();
  }
});

it("stops a version with published holes where that is asked for", async () => {
  const stack = await TestStack.create("pol");
  try {
    const strict = ["--policy-pack", "policy", "--policy-pack-config", "policy/strict.json"];
    await stack.configure({ ...SETTINGS, services: [], consulVersion: "2.0.4" });
    const { code, output } = await stack.preview(...strict);
    expect(output.replace(/\s+/g, " ")).toContain(
      'remote image consul must be of a version without published holes, got "2.0.4"',
    );
    expect(code).not.toBe(0);

    await stack.configure({ ...SETTINGS, services: [], consulVersion: "2.1.0" });
    const mended = await stack.preview(...strict);
    expect(mended.output).not.toMatch(/published holes/);
    expect(mended.code).toBe(0);
  } finally {
    await stack.remove();
  }
});

it("stops additions that break its rules", async () => {
  const project = copyOfTheProject();
  const index = join(project, "index.ts");
  writeFileSync(index, readFileSync(index, "utf8").replace(/\n {2}return defined\(/, `${ADDITIONS}$&`));
  const stack = await TestStack.create("pol", { cwd: project });
  try {
    // Without services, none of which has to be bundled anew in the copy.
    await stack.configure({ ...SETTINGS, services: [] });
    const { code, output } = await stack.preview("--policy-pack", "policy");
    for (const message of STOPPED) expect(output.replace(/\s+/g, " ")).toContain(message);
    expect(output).not.toContain("hunter2");
    expect(code).not.toBe(0);
  } finally {
    await stack.remove();
    rmSync(project, { recursive: true, force: true });
  }
});
