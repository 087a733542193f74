import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { expectSuccess, run } from "../integration/command";

const SCRIPT = join(__dirname, "swarm-hosts");
/** This machine, as the hosts reach it. */
export const GATEWAY = "10.213.0.1";

/** Hosts of a Docker Swarm on this machine: each an engine in a network of its own. */
export class Lab {
  readonly #dns: Socket = createSocket("udp4");

  /** `env` is added to the environment of each engine. */
  constructor(private readonly env: NodeJS.ProcessEnv = {}) {}

  /** Boots so many hosts. */
  async boot(hosts: number): Promise<void> {
    await this.#script("up", hosts);
    // Who asks for the name of a container that is gone is told so, as by any DNS: without one, Docker would be silent.
    this.#dns.on("message", (query, { port, address }) => {
      this.#dns.send(noSuchName(query), port, address);
    });
    this.#dns.bind(53, GATEWAY);
    await once(this.#dns, "listening");
  }

  /** Boots what is missing of so many hosts, and has it join the others. */
  grow(hosts: number): Promise<void> {
    return this.#script("up", hosts);
  }

  /** Removes every trace. */
  async remove(): Promise<void> {
    this.#dns.close();
    await this.#script("down");
  }

  /** Takes a host's power. */
  kill(host: number): Promise<void> {
    return this.#script("kill", host);
  }

  /** Takes a host's power, and its disk. */
  wipe(host: number): Promise<void> {
    return this.#script("wipe", host);
  }

  /** Boots a host that has lost its power. */
  start(host: number): Promise<void> {
    return this.#script("start", host);
  }

  /** Pulls a host's network cable. */
  cut(host: number): Promise<void> {
    return this.#script("cut", host);
  }

  /** Plugs it in again. */
  heal(host: number): Promise<void> {
    return this.#script("heal", host);
  }

  /** Standard output of a Docker command on a host, trimmed. */
  async docker(host: number, ...args: readonly string[]): Promise<string> {
    const result = await run("docker", ["-H", socket(host), ...args]);
    if (result.code !== 0) throw new Error(`docker on host${host}: ${args.join(" ")}: ${result.output}`);
    return result.stdout.trim();
  }

  async #script(command: string, host?: number): Promise<void> {
    expectSuccess(await run(SCRIPT, [command, ...(host === undefined ? [] : [String(host)])], this.env));
  }
}

/** Where a host is reached. */
export function address(host: number): string {
  return `10.213.0.1${host}`;
}

const FOLDER = "/tmp/cdh-hosts";

/** Where a host's engine listens, for this machine alone. */
export function socket(host: number): string {
  return `unix://${FOLDER}/host${host}/docker.sock`;
}

/** How a host's engine is reached: the first by its socket, the second by TLS, all others by SSH. */
export function reached(host: number): { endpoint: string; certPath?: string } {
  if (host === 1) return { endpoint: socket(host) };
  if (host === 2) return { endpoint: `tcp://${address(host)}:2376`, certPath: `${FOLDER}/tls` };
  return { endpoint: `ssh://root@${address(host)}` };
}

/** What a program needs in its environment to reach them. */
export const REACHING = { PATH: `${FOLDER}/ssh:${process.env["PATH"] ?? ""}` };

/** The query's header and question, as an answer with the code NXDOMAIN (RFC 1035, 4.1.1). */
function noSuchName(query: Buffer): Buffer {
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8183, 2);
  // What else was asked along is no part of the answer.
  answer.writeUInt16BE(0, 10);
  const end = answer.indexOf(0, 12) + 5;
  return answer.subarray(0, end);
}
