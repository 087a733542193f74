import "reflect-metadata";
import {
  createPrivateKey,
  generateKeyPairSync,
  webcrypto,
  X509Certificate,
  type KeyPairKeyObjectResult,
} from "node:crypto";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import * as x509 from "@peculiar/x509";
import {
  createAuthority,
  expiryOf,
  isIssuedBy,
  issueCertificate,
  type KeyPair,
} from "../../components/certificates";

const NAMES = ["server.dc7.consul", "localhost", "127.0.0.1"];
const DAY_MS = 86_400_000;

let authority: KeyPair;
let issued: KeyPair;

beforeAll(async () => {
  authority = await createAuthority("Consul CA dc7");
  issued = await issueCertificate(authority, { names: NAMES, client: true });
});

const days = (certificate: string) => (Date.parse(expiryOf(certificate)) - Date.now()) / DAY_MS;

/** What only the library shows of a certificate: its basic constraints and its key usage. */
function limits(certificate: string) {
  const parsed = new x509.X509Certificate(certificate);
  const constraints = parsed.getExtension(x509.BasicConstraintsExtension);
  const usage = parsed.getExtension(x509.KeyUsagesExtension);
  return {
    ca: constraints?.ca,
    pathLength: constraints?.pathLength,
    usages: usage?.usages,
    critical: [constraints?.critical, usage?.critical],
  };
}

test("an authority is valid for ten years, and signs certificates and nothing else", () => {
  const certificate = new X509Certificate(authority.certificate);

  expect(certificate.subject).toBe("CN=Consul CA dc7");
  expect(certificate.ca).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(authority.key))).toBe(true);
  expect(days(authority.certificate)).toBeCloseTo(3650, 1);
  expect(limits(authority.certificate)).toEqual({
    ca: true,
    pathLength: 0,
    usages: x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
    critical: [true, true],
  });
});

test("a certificate is for its names, by the authority, valid for a year, and signs nothing", () => {
  const certificate = new X509Certificate(issued.certificate);

  expect(certificate.subject).toBe("CN=server.dc7.consul");
  expect(certificate.issuer).toBe("CN=Consul CA dc7");
  expect(certificate.subjectAltName).toBe("DNS:server.dc7.consul, DNS:localhost, IP Address:127.0.0.1");
  expect(certificate.ca).toBe(false);
  expect(certificate.checkPrivateKey(createPrivateKey(issued.key))).toBe(true);
  expect(isIssuedBy(issued.certificate, authority.certificate)).toBe(true);
  expect(days(issued.certificate)).toBeCloseTo(365, 1);
  expect(limits(issued.certificate)).toEqual({
    ca: false,
    pathLength: undefined,
    usages: x509.KeyUsageFlags.digitalSignature,
    critical: [true, true],
  });
});

test("both are valid on a host whose clock is five minutes behind", () => {
  for (const { certificate } of [authority, issued]) {
    const minutes = (Date.now() - Date.parse(new X509Certificate(certificate).validFrom)) / 60_000;
    expect(minutes).toBeGreaterThanOrEqual(5);
    expect(minutes).toBeLessThan(6);
  }
});

test("the moment that a certificate expires is told in ISO 8601", () => {
  const { validTo } = new X509Certificate(issued.certificate);

  expect(expiryOf(issued.certificate)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
  expect(Date.parse(expiryOf(issued.certificate))).toBe(Date.parse(validTo));
});

test("only a client's certificate is good for a client", async () => {
  const [SERVER, CLIENT] = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
  const answering = await issueCertificate(authority, { names: NAMES, client: false });

  expect(new X509Certificate(issued.certificate).keyUsage).toEqual([SERVER, CLIENT]);
  expect(new X509Certificate(answering.certificate).keyUsage).toEqual([SERVER]);
});

test("two certificates are two keys and two serial numbers", async () => {
  const second = await issueCertificate(authority, { names: NAMES, client: true });

  expect(second.key).not.toBe(issued.key);
  expect(new X509Certificate(second.certificate).serialNumber).not.toBe(
    new X509Certificate(issued.certificate).serialNumber,
  );
});

test("another authority of the same name did not issue it", async () => {
  const other = await createAuthority("Consul CA dc7");

  expect(isIssuedBy(issued.certificate, other.certificate)).toBe(false);
});

test.each([
  [
    "RSA",
    () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  ],
  [
    "P-384",
    () => generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
    { name: "ECDSA", namedCurve: "P-384", hash: "SHA-256" },
  ],
] as const)("a team's own authority may have an %s key", async (_kind, generate, algorithm) => {
  const own = await authorityOf(generate(), algorithm);

  const { certificate, key } = await issueCertificate(own, { names: NAMES, client: true });

  expect(isIssuedBy(certificate, own.certificate)).toBe(true);
  expect(new X509Certificate(certificate).issuer).toBe("CN=team");
  expect(createPrivateKey(key).asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
});

test("a key on another curve is refused", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();

  await expect(issueCertificate({ ...authority, key }, { names: NAMES, client: true })).rejects.toThrow(
    new Error("the authority's key must be an RSA key or on P-256, P-384 or P-521"),
  );
});

describe("a connection", () => {
  /** Connects to a server that has `pair`; "connected", or the code of the error. */
  async function dial(pair: KeyPair, ca: string): Promise<string> {
    const server = createServer({ cert: pair.certificate, key: pair.key });
    server.on("tlsClientError", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      return await new Promise<string>((resolve) => {
        const socket = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, ca });
        socket.on("secureConnect", () => {
          resolve("connected");
          socket.destroy();
        });
        socket.on("error", ({ code }: NodeJS.ErrnoException) => {
          resolve(code ?? "");
        });
      });
    } finally {
      server.close();
    }
  }

  test("is made by who trusts the authority", async () => {
    expect(await dial(issued, authority.certificate)).toBe("connected");
  });

  test("is refused by who trusts another authority, of the same name or not", async () => {
    const same = await createAuthority("Consul CA dc7");
    const other = await createAuthority("Consul CA dc8");

    expect(await dial(issued, same.certificate)).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    expect(await dial(issued, other.certificate)).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  test("is refused where the certificate is for other names", async () => {
    const elsewhere = await issueCertificate(authority, { names: ["192.0.2.7"], client: true });

    expect(await dial(elsewhere, authority.certificate)).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  });
});

/** A self-signed authority with a key that was made elsewhere. */
async function authorityOf(
  { privateKey, publicKey }: KeyPairKeyObjectResult,
  algorithm: webcrypto.Algorithm & (webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams),
): Promise<KeyPair> {
  const keys = {
    privateKey: await webcrypto.subtle.importKey(
      "pkcs8",
      privateKey.export({ type: "pkcs8", format: "der" }),
      algorithm,
      true,
      ["sign"],
    ),
    publicKey: await webcrypto.subtle.importKey(
      "spki",
      publicKey.export({ type: "spki", format: "der" }),
      algorithm,
      true,
      ["verify"],
    ),
  };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=team",
    keys,
    signingAlgorithm: algorithm,
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return {
    certificate: certificate.toString("pem"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
