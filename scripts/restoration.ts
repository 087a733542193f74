import { createReadStream } from "node:fs";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { SNAPSHOTS_KEY } from "../components/policies";
import { RefusedError, type ConsulApi } from "./consul-api";
import { addManagementToken, MANAGEMENT, revokeAllBut } from "./rotations";
import { ATTEMPTS } from "./snapshot-file";
import { newestSnapshot } from "./snapshots";

/** What a restore works with. */
export interface Restoration {
  /** A verified snapshot. */
  readonly file: string;
  /** Consul's API, by this token. */
  readonly consul: (token?: string) => ConsulApi;
  /** The stack's management token; undefined without access control. */
  readonly managementToken: string | undefined;
  /** A management token of the datacenter that the snapshot is of, where that is another one. */
  readonly snapshotToken: string | undefined;
  /** IDs of the ACL tokens and policies that the stack's state has. */
  readonly aclIds: () => Promise<ReadonlySet<string>>;
  /** Makes the stack's resources what they were, whatever became of them; throws when that fails. */
  readonly up: () => Promise<void>;
  /** Restarts the client agents, one after the other. */
  readonly restartClients: () => Promise<void>;
}

interface Token {
  readonly AccessorID: string;
  readonly Description: string;
  readonly Policies?: readonly { readonly ID: string; readonly Name: string }[] | null;
}

const READABLE_SECONDS = 30;
const CONNECT_MS = 30_000;
// Agents look every minute whether the catalog has them, and not all at once.
const REGISTER_SECONDS = 150;
const OWN = "consul-docker: ";

/**
 * Puts a snapshot's data in the place of the datacenter's, then makes it and the stack agree: the stack's management
 * token is good, its agents are in the catalog, and what else it has in Consul is as its state says. When it is cut
 * off, the same restore begins again.
 */
export async function restore(restoration: Restoration): Promise<void> {
  const { file, managementToken, up } = restoration;
  console.log("step 1 of 4: Consul takes the data of the snapshot");
  const before = await admitted(restoration);
  // This tells of snapshots outside Consul, and so is true whatever data Consul has.
  const newest = await newestSnapshot(before);
  await before.upload("snapshot", createReadStream(file));

  console.log("step 2 of 4: it forgets what the stack has no longer");
  const consul = await admitted(restoration);
  if (newest !== undefined) await consul.send("PUT", `kv/${SNAPSHOTS_KEY}`, newest);
  await forgetAgents(consul);
  if (managementToken !== undefined) {
    await admit(consul, managementToken);
    await forgetIdentities(consul, await restoration.aclIds());
  }

  console.log("step 3 of 4: the stack gets what it had in Consul");
  await up();
  const own = restoration.consul(managementToken);
  if (managementToken !== undefined) await revokeAllBut(own, managementToken);

  console.log("step 4 of 4: the agents register themselves");
  if (managementToken !== undefined && !(await canConnect(own))) await restoration.restartClients();
  await agentsRegistered(own);
}

/** Consul's API by whichever token it knows, once it has a leader. */
async function admitted({ consul, managementToken, snapshotToken }: Restoration): Promise<ConsulApi> {
  const tokens = [managementToken, snapshotToken].filter((token) => token !== undefined);
  for (const token of tokens.length === 0 ? [undefined] : tokens) {
    const api = consul(token);
    if (await knows(api)) return api;
  }
  throw new Error("Consul knows neither the stack's management token nor that of CONSUL_HTTP_TOKEN");
}

async function knows(api: ConsulApi): Promise<boolean> {
  const deadline = Date.now() + READABLE_SECONDS * 1000;
  for (;;) {
    try {
      await api.get("catalog/nodes");
      return true;
    } catch (error) {
      if (error instanceof RefusedError && error.status === 403) return false;
      if (Date.now() > deadline) throw error;
      await sleep(500);
    }
  }
}

async function admit(consul: ConsulApi, managementToken: string): Promise<void> {
  const tokens = await consul.get<{ SecretID: string }[]>("acl/tokens");
  if (tokens.some(({ SecretID }) => SecretID === managementToken)) return;
  await addManagementToken(consul, managementToken);
}

/** Consul refuses an agent where the catalog has a healthy one of the same name, but with another ID. */
async function forgetAgents(consul: ConsulApi): Promise<void> {
  const ids = await agentIds(consul);
  for (const { Node, ID } of await nodes(consul))
    if (ids.has(Node) && ids.get(Node) !== ID) await consul.send("PUT", "catalog/deregister", { Node });
}

/**
 * Whether the servers take new connections of the client agents. Consul's own authority, which certifies the clients,
 * comes with the data: where it is another one, only what is connected already goes on, and a client asks for another
 * certificate when it starts. Each snapshot has a connection to itself.
 */
async function canConnect(consul: ConsulApi): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      await finished((await consul.download("snapshot", AbortSignal.timeout(CONNECT_MS))).resume());
      return true;
    } catch {
      // One attempt may fail for another reason, as a snapshot does that is saved.
    }
  }
  return false;
}

async function agentsRegistered(consul: ConsulApi): Promise<void> {
  const deadline = Date.now() + REGISTER_SECONDS * 1000;
  for (;;) {
    const registered = new Map((await nodes(consul)).map(({ Node, ID }) => [Node, ID]));
    const missing = [...(await agentIds(consul))].filter(([name, id]) => registered.get(name) !== id);
    if (missing.length === 0) return;
    if (Date.now() > deadline) {
      const names = missing.map(([name]) => name).join(", ");
      throw new Error(`not in the catalog after ${REGISTER_SECONDS} s: ${names}; docker logs says why`);
    }
    await sleep(1000);
  }
}

/** The IDs of the agents that are there, by their names. */
async function agentIds(consul: ConsulApi): Promise<Map<string, string | undefined>> {
  const ALIVE = 1;
  const members =
    await consul.get<{ Name: string; Status: number; Tags: Record<string, string> }[]>("agent/members");
  return new Map(
    members.filter(({ Status }) => Status === ALIVE).map(({ Name, Tags }) => [Name, Tags["id"]]),
  );
}

function nodes(consul: ConsulApi): Promise<{ Node: string; ID: string }[]> {
  return consul.get("catalog/nodes");
}

/**
 * Revokes the tokens that a stack of this project made, but which this one does not have: they are those of another
 * datacenter, or from before a rotation. Their policies go, too, since the stack's own need the names. Of what a team
 * made itself, nothing.
 */
async function forgetIdentities(consul: ConsulApi, known: ReadonlySet<string>): Promise<void> {
  const own = (await consul.get<Token[]>("acl/tokens")).filter(
    ({ Description }) => Description.startsWith(OWN) && Description !== MANAGEMENT,
  );
  const policies = own.flatMap(({ Description, Policies }) =>
    (Policies ?? []).filter(({ Name }) => `${OWN}${Name}` === Description).map(({ ID }) => ID),
  );
  for (const id of new Set(policies)) if (!known.has(id)) await consul.send("DELETE", `acl/policy/${id}`);
  for (const { AccessorID } of own)
    if (!known.has(AccessorID)) await consul.send("DELETE", `acl/token/${AccessorID}`);
}
