import { createPrivateKey, X509Certificate, type KeyObject, type webcrypto } from "node:crypto";
import { isIPv4 } from "node:net";

/** A certificate and its private key, both in PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate is for. */
export interface CertificateArgs {
  /** Host names and IPv4 addresses, the first one also as the subject. */
  readonly names: readonly string[];
  /** Whether its holder also connects to others with it, not only answers. */
  readonly client: boolean;
}

/** Days that an authority's certificate is valid. */
export const AUTHORITY_DAYS = 3650;
/** Days that an issued certificate is valid. */
export const CERTIFICATE_DAYS = 365;

const DAY_MS = 86_400_000;
// What a host's clock may be behind.
const SKEW_MS = 300_000;
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };

/** What makes certificates. It takes a fifth of a second to load, and a preview makes none. */
async function maker() {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

/** A new certificate authority with this name. */
export async function createAuthority(name: string): Promise<KeyPair> {
  const x509 = await maker();
  const keys = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: subject(name),
    keys,
    signingAlgorithm: SIGNATURE,
    ...validity(AUTHORITY_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await toPem(keys.privateKey) };
}

/** A new certificate, signed by `authority`, whose key may be an EC or an RSA key. */
export async function issueCertificate(
  authority: KeyPair,
  { names, client }: CertificateArgs,
): Promise<KeyPair> {
  const x509 = await maker();
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const signer = await signingKey(createPrivateKey(authority.key));
  const certificate = await x509.X509CertificateGenerator.create({
    subject: subject(names[0] ?? ""),
    issuer: issuer.subjectName.toString(),
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    ...validity(CERTIFICATE_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        ...(client ? [x509.ExtendedKeyUsage.clientAuth] : []),
      ]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIPv4(name) ? "ip" : "dns", value: name })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await toPem(keys.privateKey) };
}

/** Whether `authority` issued `certificate`, both in PEM. */
export function isIssuedBy(certificate: string, authority: string): boolean {
  const [issued, issuer] = [new X509Certificate(certificate), new X509Certificate(authority)];
  return issued.checkIssued(issuer) && issued.verify(issuer.publicKey);
}

/** The moment from which a certificate in PEM is no longer valid, as `2027-11-25T00:00:00.000Z`. */
export function expiryOf(certificate: string): string {
  return new Date(new X509Certificate(certificate).validTo).toISOString();
}

function subject(name: string): string {
  return `CN=${name}`;
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + days * DAY_MS) };
}

async function signingKey(key: KeyObject) {
  const algorithm =
    key.asymmetricKeyType === "rsa"
      ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
      : { ...SIGNATURE, namedCurve: curveOf(key) };
  const der = key.export({ type: "pkcs8", format: "der" });
  return { algorithm, key: await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]) };
}

function curveOf(key: KeyObject): string {
  const curves: Readonly<Record<string, string>> = {
    prime256v1: "P-256",
    secp384r1: "P-384",
    secp521r1: "P-521",
  };
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (curve === undefined)
    throw new Error("the authority's key must be an RSA key or on P-256, P-384 or P-521");
  return curve;
}

async function toPem(key: webcrypto.CryptoKey): Promise<string> {
  return (await maker()).PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}
