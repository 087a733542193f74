import { randomBytes, randomUUID, X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { issueCertificate, type KeyPair } from "../components/certificates";
import type { ConsulApi } from "./consul-api";

/** What a rotation works with. */
export interface Rotation {
  /** What the state keeps, by name. */
  readonly kept: ReadonlyMap<string, unknown>;
  /** Consul's API, by the stack's management token unless another is given. */
  readonly consul: (managementToken?: string) => ConsulApi;
  /** Brings the stack up with these secret settings, which the state keeps from then on; throws when that fails. */
  readonly up: (settings: Readonly<Record<string, string>>, ...options: readonly string[]) => Promise<void>;
}

interface Keyring {
  /** Each key, with the number of agents that have it. */
  readonly Keys: Readonly<Record<string, number>>;
  /** Each key, with the number of agents that encrypt with it. */
  readonly PrimaryKeys: Readonly<Record<string, number>>;
  readonly NumNodes: number;
}

interface Token {
  readonly AccessorID: string;
  readonly SecretID: string;
  readonly Description: string;
}

const CONVERGE_SECONDS = 30;
/** What the stack calls its management token. */
export const MANAGEMENT = "consul-docker: management";
// What Consul calls the first one.
const BOOTSTRAP = "Bootstrap Token (Global Management)";

/**
 * Every agent learns the new key, then encrypts with it, then forgets the old one; each agent keeps its keys beside its
 * data, and there they win over its configuration. The state learns the new key before the old one goes, for agents
 * that begin without data.
 */
export async function rotateGossip({ kept, consul, up }: Rotation): Promise<void> {
  const api = consul();
  const old = kept.get("gossip-key") as string;
  const started = Object.keys((await settled("answers", ring)).PrimaryKeys).find((key) => key !== old);
  // Keys that nobody encrypts with are what an earlier rotation left: it was cut at its beginning, or at its end.
  if (started === undefined) await forgetAllBut(old);
  const next = started ?? randomBytes(32).toString("base64");

  console.log("step 1 of 4: every agent learns the new key");
  await settled(
    "has the new key",
    () => api.send("POST", "operator/keyring", { Key: next }).then(ring),
    ({ Keys, NumNodes }) => Keys[next] === NumNodes,
  );
  console.log("step 2 of 4: every agent encrypts with it");
  await settled(
    "encrypts with the new key",
    () => api.send("PUT", "operator/keyring", { Key: next }).then(ring),
    ({ PrimaryKeys, NumNodes }) => PrimaryKeys[next] === NumNodes,
  );
  console.log("step 3 of 4: the state and the agents' files take it");
  await up({ gossipKey: next });
  console.log("step 4 of 4: every agent forgets the old one");
  await forgetAllBut(next);

  async function ring(): Promise<Keyring> {
    return (await api.get<[Keyring]>("operator/keyring"))[0];
  }

  async function forgetAllBut(kept: string): Promise<void> {
    const others = ({ Keys }: Keyring) => Object.keys(Keys).filter((key) => key !== kept);
    await settled(
      "has forgotten the other keys",
      async () => {
        for (const key of others(await ring())) await api.send("DELETE", "operator/keyring", { Key: key });
        return ring();
      },
      (keyring) => others(keyring).length === 0,
    );
  }
}

/**
 * Runs `operation` on the keyring until it succeeds and `done` agrees. Agents answer in the gossip, where one answer of
 * all may get lost: Consul then calls the whole operation failed, and to repeat it does no harm.
 */
async function settled(
  what: string,
  operation: () => Promise<Keyring>,
  done: (keyring: Keyring) => boolean = () => true,
): Promise<Keyring> {
  const deadline = Date.now() + CONVERGE_SECONDS * 1000;
  for (;;) {
    const result = await operation().catch((error: unknown) => error as Error);
    if (!(result instanceof Error) && done(result)) return result;
    if (Date.now() > deadline)
      throw new Error(
        `not every agent ${what} after ${CONVERGE_SECONDS} s${result instanceof Error ? ` (${result.message})` : ""}; npm run status shows who is away`,
      );
    await sleep(500);
  }
}

/** New certificates from the same authority, for the same names; the agents read them again while they run. */
export async function rotateCertificates({ kept, up }: Rotation): Promise<void> {
  const find = (prefix: string) =>
    [...kept].find(([name]) => name.startsWith(prefix))?.[1] as KeyPair | undefined;
  const [authority, server, api] = [find("ca-"), find("server-certificate-"), find("api-certificate-")];
  if (authority === undefined || server === undefined || api === undefined)
    throw new Error("the state has no certificates; npm run up makes them");
  if (authority.key === "")
    throw new Error(
      "the authority's key is not in the state; set serverCertificate, serverKey, apiCertificate and apiKey, then npm run up",
    );

  console.log("step 1 of 2: the authority issues new certificates");
  const [newServer, newApi] = await Promise.all([
    issueCertificate(authority, { names: namesOf(server), client: true }),
    issueCertificate(authority, { names: namesOf(api), client: false }),
  ]);
  console.log("step 2 of 2: the state and the agents take them");
  await up({
    serverCertificate: newServer.certificate,
    serverKey: newServer.key,
    apiCertificate: newApi.certificate,
    apiKey: newApi.key,
  });
}

/**
 * A new management token, then a new one for every agent, service, monitor and DNS. Pulumi revokes the old ones at the
 * end of its update, when their successors are in use; the old management token goes last.
 */
export async function rotateTokens({ kept, consul, up }: Rotation): Promise<void> {
  const current = kept.get("management-token") as string;
  await revokeAllBut(consul(), current);

  console.log("step 1 of 3: Consul learns a new management token");
  const next = randomUUID();
  await addManagementToken(consul(), next);
  console.log("step 2 of 3: everybody gets a new token");
  await up({ managementToken: next }, "--replace", "**consul:index/aclToken:AclToken::**");
  console.log("step 3 of 3: Consul forgets the old management token");
  await revokeAllBut(consul(next), next);
}

/** Makes `secret` a token that may do everything. */
export async function addManagementToken(consul: ConsulApi, secret: string): Promise<void> {
  await consul.send("PUT", "acl/token", {
    SecretID: secret,
    Description: MANAGEMENT,
    Policies: [{ Name: "global-management" }],
  });
}

/** Revokes the management tokens but the one that is `kept`; of the tokens that a team made itself, none. */
export async function revokeAllBut(consul: ConsulApi, kept: string): Promise<void> {
  for (const { AccessorID, SecretID, Description } of await consul.get<Token[]>("acl/tokens"))
    if (SecretID !== kept && (Description === MANAGEMENT || Description === BOOTSTRAP))
      await consul.send("DELETE", `acl/token/${AccessorID}`);
}

function namesOf({ certificate }: KeyPair): string[] {
  const names = new X509Certificate(certificate).subjectAltName ?? "";
  return names.split(", ").map((name) => name.replace(/^(DNS|IP Address):/, ""));
}
