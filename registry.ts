import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";
import { registryHost } from "./components/pushed-image";
import { docker, type Engine } from "./engine";

const SETTING = "consul-docker:registry";
const ANSWER_MS = 10_000;
// Where Linux distributions have the authorities that programs in Go trust, as Pulumi's providers are.
const AUTHORITIES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/**
 * Sees to it that the docker command has a configuration, be it an empty one: without the file, in which docker login
 * keeps its logins, not even a preview gets past the provider.
 */
export async function provideDockerConfig(): Promise<void> {
  const folder = process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker");
  const file = join(folder, "config.json");
  if (existsSync(file)) return;
  await mkdir(folder, { recursive: true });
  await writeFile(file, "{}\n", { mode: 0o600 });
}

/** Whether this machine and each engine reach the registry, trust it, and are let in; without one, nobody is asked. */
export async function registryFaults(
  registry: string | undefined,
  engines: readonly Engine[],
): Promise<string[]> {
  if (registry === undefined) return [];
  const host = registryHost(registry);
  const faults = await Promise.all([
    reachFaults(host),
    ...engines.map((engine) => loginFaults(host, engine)),
  ]);
  return faults.flat();
}

/** Tries the login that the docker command has, as the engine will use it. */
async function loginFaults(host: string, engine: Engine): Promise<string[]> {
  try {
    await docker(["login", host], engine);
    return [];
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    if (stderr.includes("Error saving credentials")) return [];
    const refusal = /did not succeed, error: (?:Error response from daemon: )?(.+)/.exec(stderr)?.[1];
    return refusal === undefined
      ? [`the docker command has no login for the registry ${host}; run docker login ${host} on this machine`]
      : [
          `${engine.name ?? "the engine"} cannot use the registry ${host} (${refusal}); ${remedy(refusal, host)}`,
        ];
  }
}

function remedy(refusal: string, host: string): string {
  if (/x509|certificate/.test(refusal))
    return `put its authority's certificate into /etc/docker/certs.d/${host}/ca.crt there`;
  return /unauthorized|denied|\b40[13]\b/i.test(refusal)
    ? `run docker login ${host} on this machine again`
    : `correct ${SETTING}, or see to the registry and the network between`;
}

/** Pulumi's provider asks the registry from this machine what the digest of an image is. */
async function reachFaults(host: string): Promise<string[]> {
  // It goes through a proxy, about which there is nothing to find out here.
  if (process.env["HTTPS_PROXY"] ?? process.env["https_proxy"]) return [];
  const ca = await authorities();
  const obstacle = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const options = { ca, rejectUnauthorized: ca.length > 0, timeout: ANSWER_MS, agent: false };
    const request = get(`https://${host}/v2/`, options, (response) => {
      response.resume();
      resolve(undefined);
    });
    request
      .on("timeout", () => request.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
      .on("error", resolve);
  });
  if (obstacle === undefined) return [];
  return /CERT|SIGNATURE|ISSUER/.test(obstacle.code ?? "")
    ? [
        // Node.js adds an advice of its own, which would help no other program.
        `this machine does not trust the registry ${host} (${obstacle.message.replace(/; .*/, "")}); add its authority's certificate to the system's, or set SSL_CERT_FILE to it`,
      ]
    : [
        `this machine cannot reach the registry ${host} (${obstacle.message}); ${remedy(obstacle.message, host)}`,
      ];
}

/** The certificates of what this machine trusts; none where it keeps them in another way, as macOS does. */
function authorities(): Promise<Buffer[]> {
  const files = [process.env["SSL_CERT_FILE"] ?? "", ...(process.platform === "linux" ? AUTHORITIES : [])];
  return Promise.all(files.filter((file) => existsSync(file)).map((file) => readFile(file)));
}
