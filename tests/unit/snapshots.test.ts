import { readFileSync } from "node:fs";
import { Snapshots, type SnapshotsArgs } from "../../components/snapshots";
import {
  credentials,
  datacenter,
  HARDENED,
  healthcheck,
  httpsDatacenter,
  labelsOf,
  onlyHost,
  owner,
} from "./fixtures";
import { create, mockPulumi, type Created } from "./mocks";

const args = (name: string): SnapshotsArgs => ({
  owner,
  host: onlyHost,
  imageId: "sha256:consul",
  datacenter: datacenter(name),
  intervalMinutes: 15,
  keep: 3,
});

let snapshots: Created<Snapshots>;

beforeAll(async () => {
  await mockPulumi();
  snapshots = await create(() => new Snapshots("snapshots", args("snapshots")));
});

test("is one hardened container that is healthy while its newest snapshot is young enough", () => {
  expect(snapshots.get("docker.Container snapshots").inputs).toEqual({
    ...HARDENED,
    name: "shop-test-snapshots",
    hostname: "snapshots",
    image: "sha256:consul",
    command: [
      "sh",
      "-c",
      readFileSync("components/snapshots.sh", "utf8"),
      "snapshots.sh",
      "dc7",
      "900",
      "3",
      "consul-docker/snapshots/newest",
      "http://client-1:8500",
      "http://client-2:8500",
    ],
    envs: [],
    user: "100:1000",
    memory: 128,
    memorySwap: 128,
    labels: labelsOf("snapshots"),
    networksAdvanced: [{ name: "network-id", aliases: ["snapshots"] }],
    volumes: [{ containerPath: "/consul/data", volumeName: "shop-test-snapshots", readOnly: false }],
    healthcheck: {
      ...healthcheck("sh", "-c", "find /consul/data -maxdepth 1 -name '*.snap' -mmin -17 | grep -q ."),
      interval: "5s",
    },
    waitTimeout: 120,
    stopTimeout: 10,
    destroyGraceSeconds: 10,
  });
});

test("keeps them in a volume of the stack", () => {
  expect(snapshots.get("docker.Volume snapshots")).toMatchObject({
    inputs: { name: "shop-test-snapshots", labels: labelsOf("snapshots") },
    parent: "Snapshots snapshots",
    deleteBeforeReplace: true,
  });
  expect(snapshots.refs.filter((ref) => !ref.includes("snapshots-"))).toEqual([
    "Snapshots snapshots",
    "docker.Volume snapshots",
    "docker.Container snapshots",
  ]);
});

test("waits for the client agents", () => {
  const container = snapshots.get("docker.Container snapshots");

  expect(container.parent).toBe("Snapshots snapshots");
  expect(container.dependencies).toEqual([
    "docker.Container snapshots-agent-1",
    "docker.Container snapshots-agent-2",
    "docker.Volume snapshots",
  ]);
  expect(container.replaceOnChanges).toEqual(["healthcheck"]);
  expect(container.deleteBeforeReplace).toBe(true);
});

test("shows its token, and trusts nobody's certificates where the agents serve HTTP", async () => {
  const secured = await create(
    () => new Snapshots("secured", { ...args("secured"), credentials: credentials("secured") }),
  );

  expect(secured.get("docker.Container secured").inputs["envs"]).toEqual([
    "CONSUL_HTTP_TOKEN_FILE=/run/consul/token",
  ]);
});

test("verifies HTTPS by a file in its credentials, and waits for them", async () => {
  const secured = await create(
    () =>
      new Snapshots("https", {
        ...args("https"),
        datacenter: httpsDatacenter("https"),
        credentials: credentials("https"),
      }),
  );

  const { inputs, dependencies } = secured.get("docker.Container https");
  expect(inputs["envs"]).toEqual([
    "CONSUL_HTTP_TOKEN_FILE=/run/consul/token",
    "CONSUL_CACERT=/run/consul/ca.pem",
  ]);
  expect(inputs["volumes"]).toEqual([
    { containerPath: "/consul/data", volumeName: "shop-test-https", readOnly: false },
    { containerPath: "/run/consul", volumeName: "https-secrets", readOnly: true },
  ]);
  expect((inputs["command"] as string[]).slice(-2)).toEqual([
    "https://client-1:8501",
    "https://client-2:8501",
  ]);
  expect(dependencies).toContain("docker.Container https-files");
});
