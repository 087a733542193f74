import { serviceArgs } from "../../components/swarm-service";
import { UNKNOWN, type Resource } from "../../policy/resource";
import type { ResourceRule } from "../../policy/rule";
import { exposedSecrets } from "../../policy/rules/exposed-secrets";
import { healthAndLimits } from "../../policy/rules/health-and-limits";
import { imageVersions } from "../../policy/rules/image-versions";
import { ownerLabels } from "../../policy/rules/owner-labels";
import { privileges } from "../../policy/rules/privileges";
import { publishedPorts } from "../../policy/rules/published-ports";
import { asContainer } from "../../policy/swarm-service";
import { owner } from "./fixtures";

const SERVICE = "docker:index/service:Service";
const OWN = JSON.parse(
  JSON.stringify(
    serviceArgs({
      owner,
      role: "service",
      imageId: "shop-test-web:0123456789ab",
      attachment: { networkId: "network-id", alias: "web-1" },
      memoryMb: 128,
      user: "10001:10001",
      healthTest: ["true"],
      readyTimeoutSeconds: 60,
      stopTimeoutSeconds: 15,
      envs: ["PORT=8080"],
      dns: [],
      publish: { internal: 8080, external: 80, address: "192.0.2.1" },
    }),
  ),
) as { taskSpec: { containerSpec: object; resources: object } };

/** A Swarm service as a rule sees it: the project's own, with this in the place of what its containers have. */
function service(change: object = {}, task: object = {}): Resource {
  const { taskSpec } = OWN;
  const containerSpec = { ...taskSpec.containerSpec, ...change };
  const props = { ...OWN, taskSpec: { ...taskSpec, containerSpec, ...task } };
  return asContainer({
    type: SERVICE,
    name: "web-1",
    urn: `urn:pulumi:test::shop::${SERVICE}::web-1`,
    props,
  });
}

test.each([exposedSecrets, healthAndLimits, imageVersions, ownerLabels, privileges])(
  "the project's own Swarm services pass $name",
  ({ faults }) => {
    expect(faults(service())).toEqual([]);
  },
);

test.each<[string, ResourceRule, Resource, string]>([
  ["latest", imageVersions, service({ image: "web:latest" }), "must name a version of its image"],
  ["no health check", healthAndLimits, service({ healthcheck: undefined }), "must have a health check"],
  ["no memory limit", healthAndLimits, service({}, { resources: {} }), "must have a memory limit"],
  ["root", privileges, service({ user: "root" }), "must not run as root"],
  ["a capability", privileges, service({ capAdds: ["NET_ADMIN"] }), "must add no capability, got NET_ADMIN"],
  [
    "the engine's socket",
    privileges,
    service({ mounts: [{ source: "/var/run/docker.sock" }] }),
    "must not reach the engine's socket",
  ],
  [
    "a secret in its environment",
    exposedSecrets,
    service({ env: { API_TOKEN: "hunter2" } }),
    "must have no secret in the environment variable API_TOKEN",
  ],
])("one with %s is stopped", (_, rule, resource, fault) => {
  expect(rule.faults(resource)[0]).toMatch(fault);
});

test("what a Swarm service publishes is reached from other machines", () => {
  const agent = (config: object): Resource => ({
    type: "docker:index/container:Container",
    name: "client-1",
    urn: "urn:client-1",
    props: {
      labels: [{ label: "consul-docker.role", value: "client" }],
      envs: [`CONSUL_LOCAL_CONFIG=${JSON.stringify(config)}`],
    },
  });
  const closed = { acl: { enabled: true, default_policy: "deny" } };

  expect(publishedPorts.faults([agent({}), service()])[0]?.[0]).toMatch("must publish port 80 on loopback");
  expect(publishedPorts.faults([agent(closed), service()])).toEqual([]);
});

test("what is not known yet stops nothing, and others are left as they are", () => {
  const unknown: Resource = { type: SERVICE, name: "web-1", urn: "urn:web-1", props: { taskSpec: UNKNOWN } };
  const volume: Resource = { ...unknown, type: "docker:index/volume:Volume" };

  for (const resource of [unknown, volume]) expect(asContainer(resource)).toBe(resource);
  expect(exposedSecrets.faults(service({ env: { API_TOKEN: UNKNOWN } }))).toEqual([]);
  expect(healthAndLimits.faults(service({}, { resources: { limits: { memoryBytes: UNKNOWN } } }))).toEqual(
    [],
  );
});
