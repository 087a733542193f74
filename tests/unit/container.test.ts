import {
  containerArgs,
  containerOptions,
  labelList,
  labels,
  physicalName,
  type ContainerSpec,
} from "../../components/container";
import { HARDENED, healthcheck, labelsOf, owner, scripts } from "./fixtures";

const spec: ContainerSpec = {
  owner,
  role: "service",
  imageId: "sha256:image",
  attachment: { networkId: "network-id", alias: "api-1" },
  memoryMb: 200,
  user: "node",
  healthTest: ["true"],
  readyTimeoutSeconds: 60,
  stopTimeoutSeconds: 15,
};

test("a container is bounded, unprivileged, restarted and waited for", () => {
  expect(containerArgs(spec)).toEqual({
    ...HARDENED,
    name: "shop-test-api-1",
    hostname: "api-1",
    image: "sha256:image",
    user: "node",
    memory: 200,
    memorySwap: 200,
    labels: labelsOf("service"),
    networksAdvanced: [{ name: "network-id", aliases: ["api-1"] }],
    healthcheck: healthcheck("true"),
    waitTimeout: 60,
    stopTimeout: 15,
    destroyGraceSeconds: 15,
  });
});

test("a health check has its own times", () => {
  expect(containerArgs({ ...spec, healthIntervalSeconds: 90, startIntervalSeconds: 5 }).healthcheck).toEqual({
    ...healthcheck(),
    tests: ["CMD", "sh", "-c", scripts("rest.sh"), "rest.sh", "90", "true"],
    interval: "5s",
    timeout: "2m0s",
  });
});

test("no capability is added and nothing of the host's is shared", () => {
  const args = containerArgs(spec);

  expect(args.capabilities).toEqual({ drops: ["ALL"] });
  for (const privilege of ["privileged", "networkMode", "pidMode", "ipcMode", "usernsMode", "devices"]) {
    expect(args).not.toHaveProperty(privilege);
  }
  for (const share of ["mounts", "ports", "envs", "publishAllPorts", "hosts"]) {
    expect(args).not.toHaveProperty(share);
  }
});

test("a fixed address is asked for only where there is one", () => {
  const attachment = { networkId: "network-id", alias: "api-1", address: "10.9.0.9" };

  expect(containerArgs({ ...spec, attachment }).networksAdvanced).toEqual([
    { name: "network-id", aliases: ["api-1"], ipv4Address: "10.9.0.9" },
  ]);
});

test("a changed health check replaces the container, the old one first", () => {
  expect(containerOptions({})).toEqual({ replaceOnChanges: ["healthcheck"], deleteBeforeReplace: true });
});

test("names and labels say whose a resource is", () => {
  expect(physicalName(owner, "server-1-data")).toBe("shop-test-server-1-data");
  expect(labels(owner, "client")).toEqual({
    "consul-docker.project": "shop",
    "consul-docker.stack": "test",
    "consul-docker.role": "client",
  });
  expect(labelList(owner, "client")).toEqual(labelsOf("client"));
});

test("what it may write to is in memory, or a volume", () => {
  const args = containerArgs({
    ...spec,
    scratch: { "/run/x": "size=1m" },
    volumes: {
      "/data": { volumeName: "data", readOnly: false },
      "/keys": { volumeName: "keys", readOnly: true },
    },
  });

  expect(args.readOnly).toBe(true);
  expect(args.tmpfs).toEqual({ "/tmp": "size=16m", "/run/x": "size=1m" });
  expect(args.volumes).toEqual([
    { containerPath: "/data", volumeName: "data", readOnly: false },
    { containerPath: "/keys", volumeName: "keys", readOnly: true },
  ]);
});
