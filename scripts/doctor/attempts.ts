import { Resolver } from "node:dns/promises";
import { connect } from "node:net";
import { Agent, request } from "undici";
import { reachableAt } from "../../components/addresses";
import { connecting } from "../consul-api";
import { answer } from "./answer";
import type { Attempt } from "./ports";
import type { DeclaredPort, StackState } from "./state";

const TIMEOUT_MS = 3_000;
const DNS_PORT = 53;
const HTTPS_PORT = 8501;

/** Tries every port that the stack publishes on the host. */
export function tryPorts({ containers, services, outputs }: StackState): Promise<Attempt[]> {
  const { caCertificate } = outputs;
  const attempts = containers.flatMap((container) =>
    container.ports.flatMap((port) => {
      const address = `${reachableAt(port.ip)}:${port.external}`;
      const tried = (what: string, at: string, trial: Promise<void>) =>
        attempt({ what, at, container }, trial);
      if (container.role === "client" && port.internal === DNS_PORT)
        return port.protocol === "udp"
          ? tried("DNS by UDP", address, resolve(address))
          : tried("DNS by TCP", address, open(port));
      const url = `${port.internal === HTTPS_PORT ? "https" : "http"}://${address}`;
      if (container.role === "client")
        return [
          tried("HTTP API", url, get(`${url}/v1/status/leader`, caCertificate)),
          tried("UI", `${url}/ui/`, get(`${url}/ui/`, caCertificate)),
        ];
      // What the monitors ask the service for, too.
      const check = services.find(({ node }) => node === container.alias)?.checks[0]?.http;
      const path = check === undefined ? "/" : new URL(check).pathname;
      return tried(container.alias, url, get(`${url}${path}`));
    }),
  );
  return Promise.all(attempts);
}

async function attempt(place: Omit<Attempt, "failure">, trial: Promise<void>): Promise<Attempt> {
  const result = await answer(trial);
  return { ...place, failure: "failure" in result ? result.failure : undefined };
}

/** Whatever the status: an answer is one. */
async function get(url: string, caCertificate?: string): Promise<void> {
  const dispatcher = new Agent({ connect: connecting(caCertificate, TIMEOUT_MS) });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const { body } = await request(url, { dispatcher, signal });
    await body.dump();
  } catch (error) {
    throw reason(error);
  } finally {
    await dispatcher.destroy();
  }
}

async function resolve(server: string): Promise<void> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  resolver.setServers([server]);
  await resolver.resolve4("consul.service.consul").catch((error: unknown) => {
    throw reason(error);
  });
}

function open({ ip, external }: DeclaredPort): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: reachableAt(ip), port: external, timeout: TIMEOUT_MS })
      .once("connect", () => {
        socket.destroy();
        resolve();
      })
      .once("timeout", () => {
        socket.destroy();
        reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`));
      })
      .once("error", (error) => {
        reject(reason(error));
      });
  });
}

/** One line, with the word of the system where there is one. */
function reason(error: unknown): Error {
  const { name, code, message } = error as Error & { readonly code?: unknown };
  if (name === "TimeoutError" || code === "ETIMEOUT" || code === "UND_ERR_CONNECT_TIMEOUT")
    return new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
  return new Error(typeof code === "string" ? code : message);
}
