import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueCertificate } from "../../components/certificates";
import { expectSuccess, run } from "../integration/command";
import { eventually } from "../integration/eventually";

const LOGIN = { user: "hosts", password: "only-for-this-test" };
// What htpasswd -B makes of the password.
const HASH = "$2y$05$ThisSaltIsForATest....de9uVsHqczlKeoP6oBEQ4ozgOugQywC";
const INSTALLED = "/usr/bin/docker-registry";

/** A registry on this machine: over TLS, with an authority that nobody knows, and for who has a login. */
export class Registry {
  #process: ChildProcess | undefined;

  private constructor(
    /** Its `HOST:PORT`. */
    public readonly host: string,
    private readonly folder: string,
  ) {}

  /** A registry for this address, which need not be there yet. */
  static async create(host: string): Promise<Registry> {
    const registry = new Registry(host, await mkdtemp(join(tmpdir(), "hosts-registry-")));
    const authority = await createAuthority("registry");
    const [address = ""] = host.split(":");
    const { certificate, key } = await issueCertificate(authority, { names: [address], client: false });
    const files = {
      "ca.pem": authority.certificate,
      "cert.pem": certificate,
      "key.pem": key,
      htpasswd: `${LOGIN.user}:${HASH}\n`,
      // A part of YAML.
      "config.yml": JSON.stringify({
        version: "0.1",
        log: { level: "warn", accesslog: { disabled: true } },
        storage: { filesystem: { rootdirectory: registry.#file("images") } },
        http: {
          addr: host,
          tls: { certificate: registry.#file("cert.pem"), key: registry.#file("key.pem") },
        },
        auth: { htpasswd: { realm: "hosts", path: registry.#file("htpasswd") } },
      }),
    };
    for (const [name, content] of Object.entries(files)) await writeFile(registry.#file(name), content);
    return registry;
  }

  /** For whoever is to trust it, and to have the login once there is one. */
  get env(): { SSL_CERT_FILE: string; DOCKER_CONFIG: string } {
    return { SSL_CERT_FILE: this.#file("ca.pem"), DOCKER_CONFIG: this.#file("docker") };
  }

  /** Begins to answer. */
  async start(): Promise<void> {
    const log = openSync(this.#file("log"), "a");
    this.#process = spawn(await this.#program(), ["serve", this.#file("config.yml")], {
      stdio: ["ignore", log, log],
    });
    await eventually(async () => {
      expectSuccess(await run("curl", ["-s", "--cacert", this.#file("ca.pem"), `https://${this.host}/v2/`]));
    });
  }

  /** Answers no more. */
  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running?.exitCode === null && running.kill()) await once(running, "exit");
  }

  /** Logs the docker command in, as a user would, with the help of an engine. */
  async login(endpoint: string, password = LOGIN.password): Promise<void> {
    const script = 'printf %s "$PASSWORD" | docker -H "$1" login -u "$2" --password-stdin "$3"';
    const args = ["-c", script, "login", endpoint, LOGIN.user, this.host];
    expectSuccess(await run("sh", args, { ...this.env, PASSWORD: password }));
  }

  /** Forgets the login. */
  logout(): Promise<void> {
    return rm(this.env.DOCKER_CONFIG, { recursive: true, force: true });
  }

  /** Whether a text has the login in it. */
  isToldBy(text: string): boolean {
    const { user, password } = LOGIN;
    const secrets = [password, Buffer.from(password), Buffer.from(`${user}:${password}`)];
    return secrets.some((secret) =>
      text.includes(typeof secret === "string" ? secret : secret.toString("base64")),
    );
  }

  /** Ends, and takes its files along. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true });
  }

  #file(name: string): string {
    return join(this.folder, name);
  }

  /** Debian's, unpacked where it is not installed: installed, it would start by itself. */
  async #program(): Promise<string> {
    if (existsSync(INSTALLED)) return INSTALLED;
    const script =
      'cd "$1" && apt-get update -qq && apt-get download -qq docker-registry && dpkg -x docker-registry_*.deb .';
    expectSuccess(await run("sh", ["-c", script, "unpack", this.folder]));
    return join(this.folder, INSTALLED);
  }
}
