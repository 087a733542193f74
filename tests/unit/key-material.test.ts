import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import {
  createAuthority,
  expiryOf,
  issueCertificate,
  isIssuedBy,
  type KeyPair,
} from "../../components/certificates";
import { KeyMaterial, type KeyMaterialArgs } from "../../components/key-material";
import { create, mockPulumi, valueOf, type Created } from "./mocks";

const args: KeyMaterialArgs = {
  datacenter: "dc7",
  bindAddress: "192.0.2.7",
  apiNames: ["consul.example.com"],
};

let keys: Created<KeyMaterial>;

beforeAll(async () => {
  await mockPulumi();
  keys = await create(() => new KeyMaterial("keys", args));
});

const stash = ({ registrations }: Created<KeyMaterial>, name: string) => {
  const found = registrations.find(({ ref }) => ref.startsWith(`pulumi.Stash ${name}`));
  if (found === undefined)
    throw new Error(`no ${name} among ${registrations.map(({ ref }) => ref).join(", ")}`);
  return found;
};

const ALL = [
  "gossip-key",
  "management-token",
  "recovery-token",
  "ca-dc7",
  "server-certificate-",
  "api-certificate-",
];

test("keeps each secret in the state, encrypted, and ignores what later runs come up with", () => {
  expect(keys.registrations).toHaveLength(ALL.length + 1);
  for (const name of ALL) {
    expect(stash(keys, name)).toMatchObject({
      parent: "KeyMaterial keys",
      secretInputs: ["input"],
      additionalSecretOutputs: ["input", "output"],
      replaceOnChanges: ["input"],
      ignoreChanges: ["input"],
    });
  }
});

test("makes a key of 32 bytes, two tokens and certificates that belong together", async () => {
  const { component } = keys;

  expect(Buffer.from(await valueOf(component.gossipKey), "base64")).toHaveLength(32);
  expect(await valueOf(component.managementToken)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(await valueOf(component.recoveryToken)).not.toBe(await valueOf(component.managementToken));
  const ca = await valueOf(component.caCertificate);
  for (const pair of [component.server, component.api])
    expect(isIssuedBy((await valueOf(pair)).certificate, ca)).toBe(true);
});

test("no two runs make the same", async () => {
  const second = await create(() => new KeyMaterial("second", args));

  for (const name of ALL) expect(stash(second, name).inputs).not.toEqual(stash(keys, name).inputs);
});

const x509 = async (pair: pulumi.Output<KeyPair>) => new X509Certificate((await valueOf(pair)).certificate);
const namesOf = ({ subjectAltName = "" }: X509Certificate) => subjectAltName.split(", ");

test("the certificate of the API is for every name that it is called by, now and later", async () => {
  expect(namesOf(await x509(keys.component.api))).toEqual([
    "DNS:client.dc7.consul",
    "DNS:localhost",
    "IP Address:127.0.0.1",
    "IP Address:192.0.2.7",
    "DNS:consul.example.com",
    ...Array.from({ length: 100 }, (_, index) => `DNS:client-${index + 1}`),
  ]);
});

test("the servers' certificate is for the name by which Consul verifies servers, whoever of them it is", async () => {
  expect(namesOf(await x509(keys.component.server))).toEqual([
    "DNS:server.dc7.consul",
    "DNS:localhost",
    "IP Address:127.0.0.1",
  ]);
});

test("servers also connect with theirs, the API only answers", async () => {
  const [SERVER, CLIENT] = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];

  expect((await x509(keys.component.server)).keyUsage).toEqual([SERVER, CLIENT]);
  expect((await x509(keys.component.api)).keyUsage).toEqual([SERVER]);
});

test("tells when each certificate expires", async () => {
  const { component } = keys;

  expect(await valueOf(component.expiries)).toEqual({
    ca: expiryOf(await valueOf(component.caCertificate)),
    server: expiryOf((await valueOf(component.server)).certificate),
    api: expiryOf((await valueOf(component.api)).certificate),
  });
});

test("other names are another certificate, another datacenter is another authority", async () => {
  const named = await create(() => new KeyMaterial("named", { ...args, apiNames: [] }));
  const other = await create(() => new KeyMaterial("other", { ...args, datacenter: "dc8" }));

  const certificate = (kind: string, of = keys) => stash(of, `${kind}-certificate-`).ref;
  expect(certificate("api")).toMatch(/^pulumi\.Stash api-certificate-[0-9a-f]{8}$/);
  expect(certificate("api", named)).not.toBe(certificate("api"));
  expect(certificate("server", named)).toBe(certificate("server"));
  expect(certificate("api", other)).not.toBe(certificate("api"));
  expect(certificate("server", other)).not.toBe(certificate("server"));
  expect(other.refs).toContain("pulumi.Stash ca-dc8");
});

test("the authority's certificate and the expiries are no secrets, the rest is", async () => {
  const { component } = keys;

  expect(await pulumi.isSecret(component.caCertificate)).toBe(false);
  expect(await pulumi.isSecret(component.expiries)).toBe(false);
  expect(
    await Promise.all(
      [component.gossipKey, component.managementToken, component.recoveryToken].map((token) =>
        pulumi.isSecret(token),
      ),
    ),
  ).toEqual([true, true, true]);
  expect(await Promise.all([component.server, component.api].map((pair) => pulumi.isSecret(pair)))).toEqual([
    true,
    true,
  ]);
});

describe("of one's own", () => {
  let ca: KeyPair;
  let server: KeyPair;

  beforeAll(async () => {
    ca = await createAuthority("team");
    server = await issueCertificate(ca, { names: ["server.dc7.consul"], client: true });
  });

  test("takes the place of what would be made, now and whenever it changes", async () => {
    const own = await create(
      () =>
        new KeyMaterial("own", {
          ...args,
          gossipKey: "gossip",
          managementToken: "token",
          caCertificate: ca.certificate,
          caKey: ca.key,
        }),
    );

    for (const name of ["gossip-key", "management-token", "ca-dc7"])
      expect(stash(own, name)).toMatchObject({
        secretInputs: ["input"],
        ignoreChanges: [],
        replaceOnChanges: ["input"],
      });
    expect(stash(own, "server-certificate-").ignoreChanges).toEqual(["input"]);
    expect(await valueOf(own.component.gossipKey)).toBe("gossip");
    expect(await valueOf(own.component.managementToken)).toBe("token");
    expect(await valueOf(own.component.caCertificate)).toBe(ca.certificate);
    expect(isIssuedBy((await valueOf(own.component.server)).certificate, ca.certificate)).toBe(true);
  });

  test("needs no authority's key where both certificates are given", async () => {
    const own = await create(
      () =>
        new KeyMaterial("keyless", {
          ...args,
          caCertificate: ca.certificate,
          serverCertificate: server.certificate,
          serverKey: server.key,
          apiCertificate: server.certificate,
          apiKey: server.key,
        }),
    );

    expect(stash(own, "ca-dc7").inputs).toEqual({ input: { certificate: ca.certificate, key: "" } });
    expect(await valueOf(own.component.server)).toEqual(server);
    expect(await valueOf(own.component.api)).toEqual(server);
    for (const kind of ["server", "api"])
      expect(stash(own, `${kind}-certificate-`)).toMatchObject({
        secretInputs: ["input"],
        ignoreChanges: [],
      });
  });

  test("is refused where a certificate is another authority's", async () => {
    const foreign = await issueCertificate(await createAuthority("team"), { names: ["x"], client: true });
    const own = { ...args, caCertificate: ca.certificate, caKey: ca.key };

    const messages = await rejections([
      { ...own, serverCertificate: foreign.certificate, serverKey: foreign.key },
      { ...own, apiCertificate: foreign.certificate, apiKey: foreign.key },
    ]);

    expect(messages).toEqual([
      "apiCertificate must be issued by the certificate authority",
      "serverCertificate must be issued by the certificate authority",
    ]);
  });
});

// An output that is rejected would end the process of the tests, so it is another one.
const PROGRAM = `
  const pulumi = require("@pulumi/pulumi");
  const messages = new Set();
  process.on("unhandledRejection", ({ message }) => messages.add(message));
  process.on("exit", () => console.log(JSON.stringify([...messages].sort())));
  const newResource = ({ name, inputs }) => ({ id: name, state: { output: inputs.input } });
  pulumi.runtime.setMocks({ newResource, call: () => ({}) }).then(() => {
    const { KeyMaterial } = require("./components/key-material");
    for (const [index, given] of JSON.parse(process.env.GIVEN).entries()) new KeyMaterial("keys-" + index, given);
  });
`;

/** The messages with which a program ends that is given these key materials. */
async function rejections(given: readonly KeyMaterialArgs[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ["-r", "tsx/cjs", "-e", PROGRAM], {
    cwd: join(__dirname, "../.."),
    env: { PATH: process.env["PATH"], GIVEN: JSON.stringify(given) },
  });
  return JSON.parse(stdout);
}
