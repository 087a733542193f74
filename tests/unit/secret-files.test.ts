import { SecretFiles } from "../../components/secret-files";
import { labelsOf, owner } from "./fixtures";
import { create, mockPulumi } from "./mocks";

const args = {
  owner,
  imageId: "sha256:consul",
  folders: {
    a: { volumeName: "volume-a", reader: "100:1000", files: { token: "secret-a" } },
    b: { volumeName: "volume-b", reader: "10001:10001", files: { token: "secret-b" } },
  },
};

beforeAll(() => mockPulumi());

test("a container that never starts carries each file to its volume, for its reader alone", async () => {
  const { get, refs } = await create(() => new SecretFiles("keys", args));

  const carrier = get("docker.Container keys");
  expect(refs).toEqual(["SecretFiles keys", "docker.Container keys"]);
  expect(carrier.inputs).toEqual({
    name: "shop-test-keys",
    image: "sha256:consul",
    command: ["true"],
    start: false,
    mustRun: false,
    networkMode: "none",
    memory: 64,
    memorySwap: 64,
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    logDriver: "json-file",
    logOpts: { "max-file": "3", "max-size": "10m" },
    labels: labelsOf("secrets"),
    volumes: [
      { volumeName: "volume-a", containerPath: "/secrets/a" },
      { volumeName: "volume-b", containerPath: "/secrets/b" },
    ],
    uploads: [
      { file: "/secrets/a/token", content: "secret-a", owner: "100", group: "1000", permissions: "0400" },
      { file: "/secrets/b/token", content: "secret-b", owner: "10001", group: "10001", permissions: "0400" },
    ],
  });
});

test("what it carries is secret, and replaces it when it changes, the old one first", async () => {
  const { get } = await create(() => new SecretFiles("tokens", args));

  expect(get("docker.Container tokens")).toMatchObject({
    parent: "SecretFiles tokens",
    secretInputs: ["uploads"],
    additionalSecretOutputs: ["uploads"],
    deleteBeforeReplace: true,
  });
});

test("it is replaced with what it comes after", async () => {
  const { get } = await create(() => new SecretFiles("later", { ...args, after: "the-id-of-another" }));

  expect(get("docker.Container later").inputs["labels"]).toEqual([
    { label: "consul-docker.after", value: "the-id-of-another" },
    ...labelsOf("secrets"),
  ]);
});
