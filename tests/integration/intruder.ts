import { versionOf } from "../../versions";
import { docker, run } from "./command";

// Programs that attack a stack from containers of their own. Every container says what it did on one line.

const NODE = `node:${versionOf("node_image_tag")}`;
const CONSUL = `hashicorp/consul:${versionOf("consul_version")}`;
const LABEL = "consul-docker.stack=intruder";

/** Runs a Node.js program in a container on `network`; resolves to what it printed. */
export async function runProgram(
  network: string,
  program: string,
  volumes: readonly string[] = [],
): Promise<string> {
  const mounts = volumes.flatMap((volume) => ["-v", volume]);
  return docker(
    "run",
    "--rm",
    "--label",
    LABEL,
    "--network",
    network,
    ...mounts,
    NODE,
    "node",
    "-e",
    program,
  );
}

/** Which of `HOST:PORT` a container on `network` can connect to by TCP. */
export async function reachable(network: string, addresses: readonly string[]): Promise<string[]> {
  const program = `
    const net = require("node:net");
    const probe = (address) => new Promise((resolve) => {
      const [host, port] = address.split(":");
      const socket = net.connect({ host, port: Number(port), timeout: 1500 });
      socket.on("connect", () => { socket.destroy(); resolve([address]); });
      socket.on("timeout", () => { socket.destroy(); resolve([]); });
      socket.on("error", () => resolve([]));
    });
    Promise.all(${JSON.stringify(addresses)}.map(probe)).then((all) => console.log(JSON.stringify(all.flat())));`;
  return JSON.parse(await runProgram(network, program)) as string[];
}

/** What a server's RPC port does to a TLS client: "open" after a second, else why it closed. */
export function handshake(
  network: string,
  options: string,
  volumes: readonly string[] = [],
): Promise<string> {
  const program = `
    const tls = require("node:tls"), { readFileSync } = require("node:fs");
    const end = (what) => { console.log(what); process.exit(0); };
    const socket = tls.connect({ host: "server-1", port: 8300, rejectUnauthorized: false, ALPNProtocols: ["consul/rpc-multi"], ...(${options}) });
    socket.on("error", (error) => end(error.code ?? error.message)).on("close", () => end("closed"));
    socket.on("secureConnect", () => setTimeout(end, 1000, "open " + socket.getPeerCertificate().serialNumber));`;
  return runProgram(network, program, volumes);
}

/** What a server's RPC port answers to who speaks plain RPC: "closed", or "open" after two seconds. */
export function plainRpc(network: string): Promise<string> {
  const program = `
    const end = (what) => { console.log(what); process.exit(0); };
    const socket = require("node:net").connect(8300, "server-1", () => socket.write(Buffer.from([0])));
    socket.on("error", (error) => end("closed")).on("close", () => end("closed"));
    setTimeout(end, 2000, "open");`;
  return runProgram(network, program);
}

/** A Consul agent of the intruder's, with this configuration, on `network`; to be removed in the end. */
export async function startAgent(
  name: string,
  network: string,
  config: Readonly<Record<string, unknown>>,
  volumes: readonly string[] = [],
): Promise<void> {
  await removeAgent(name);
  const mounts = volumes.flatMap((volume) => ["-v", volume]);
  await docker(
    ...[
      "run",
      "-d",
      "--name",
      name,
      "--hostname",
      name,
      "--label",
      LABEL,
      "--network",
      network,
      "--user",
      "100:1000",
    ],
    ...["-e", "CONSUL_DISABLE_PERM_MGMT=1", "-e", `CONSUL_LOCAL_CONFIG=${JSON.stringify(config)}`, ...mounts],
    ...[CONSUL, "agent", '-bind={{ GetInterfaceIP "eth0" }}'],
  );
}

/** The log of an intruder's agent. */
export async function logOf(name: string): Promise<string> {
  return (await run("docker", ["logs", name])).output;
}

/** Lets an intruder's agent leave, if it is there, and removes it. */
export async function removeAgent(name: string): Promise<void> {
  await run("docker", ["stop", name]);
  await run("docker", ["rm", "-fv", name]);
}
