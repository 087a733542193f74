import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, request as http, type RequestOptions } from "node:http";
import { request as https } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Endpoint } from "./engine";

/** Where an engine is that answers a ping and nothing else, until `close`. */
export interface StandIn {
  readonly endpoint: string;
  readonly close: () => void;
}

const FOLDER = "consul-docker-preview-";
const TIMEOUT_MS = 3_000;
// What the docker plugin falls back on.
const DEFAULT_ENDPOINT = "unix:///var/run/docker.sock";
// How the shell tells the plugin of an engine. It takes the files for TLS of any.
const VARIABLES = ["DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_CONTEXT"] as const;

/** The engine that the plugin asks where the program names none. */
export function defaultEngine(env: NodeJS.ProcessEnv): Required<Pick<Endpoint, "endpoint">> & Endpoint {
  const [host, certPath] = [env["DOCKER_HOST"], env["DOCKER_CERT_PATH"]].map((value) => value ?? "");
  return {
    endpoint: host === "" || host === undefined ? DEFAULT_ENDPOINT : host,
    ...(certPath === "" ? {} : { certPath }),
  };
}

/** `env` with this engine in the place of whichever it tells of. */
export function withEngine(env: NodeJS.ProcessEnv, endpoint: string): NodeJS.ProcessEnv {
  const rest = Object.entries(env).filter(([name]) => !VARIABLES.some((variable) => variable === name));
  return { ...Object.fromEntries(rest), DOCKER_HOST: endpoint };
}

/**
 * Whether the official docker plugin would take this engine. It sends it a ping as soon as it is configured, in a
 * preview as well, and ends where nobody answers; it trusts in those behind SSH.
 */
export async function passesPing({ endpoint = DEFAULT_ENDPOINT, certPath }: Endpoint): Promise<boolean> {
  const { protocol, hostname, port, pathname } = new URL(endpoint);
  if (protocol === "ssh:") return true;
  try {
    const options: RequestOptions = {
      method: "HEAD",
      path: "/_ping",
      timeout: TIMEOUT_MS,
      ...(protocol === "unix:" ? { socketPath: pathname } : { hostname, port }),
    };
    if (certPath === undefined) return await answers(http(options));
    const [ca, cert, key] = await Promise.all(
      ["ca.pem", "cert.pem", "key.pem"].map((file) => readFile(join(certPath, file))),
    );
    return await answers(https({ ...options, ca, cert, key }));
  } catch {
    return false;
  }
}

function answers(request: ReturnType<typeof http>): Promise<boolean> {
  return new Promise((resolve) => {
    request
      .once("response", (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
      .once("timeout", () => request.destroy())
      .once("close", () => {
        resolve(false);
      })
      .on("error", () => {
        resolve(false);
      })
      .end();
  });
}

/**
 * Serves a stand-in for an engine that is not there, for the docker plugin to ping. It has nothing to say about what is
 * on an engine, so whoever asks for that fails. It keeps no process alive.
 */
export async function standIn(): Promise<StandIn> {
  const folder = mkdtempSync(join(tmpdir(), FOLDER));
  const socket = join(folder, "engine.sock");
  const server = createServer((request, response) => {
    response.shouldKeepAlive = false;
    response.writeHead(request.url?.endsWith("/_ping") === true ? 200 : 503).end();
  });
  const close = () => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(socket, resolve).unref();
  });
  process.once("exit", close);
  return { endpoint: `unix://${socket}`, close };
}

/** Whether that is where a stand-in is, or was. */
export function isStandIn(endpoint: unknown): boolean {
  return typeof endpoint === "string" && endpoint.includes(`/${FOLDER}`);
}
