import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { dockerLines, expectSuccess, run, type Result } from "./command";

/** Settings of a stack file, without their namespace. */
export type StackFile = Readonly<Record<string, unknown>>;

/** Ports and network that neither the dev stack nor another test stack uses. */
export const TEST_STACK: StackFile = {
  datacenter: "test",
  subnet: "10.88.0.0/24",
  httpPort: 18500,
  dnsPort: 18600,
  services: [
    { name: "gateway", port: 8080, hostPort: 18080, tags: ["http"], discovers: ["catalog"] },
    {
      name: "catalog",
      port: 8080,
      instances: 2,
      tags: ["rpc"],
      meta: { protocol: "connect" },
      discovers: ["pricing"],
    },
    {
      name: "pricing",
      port: 8080,
      instances: 2,
      tags: ["rpc"],
      config: { currency: "EUR", discountPercent: 0 },
    },
  ],
};

/** The same services with the gateway at another port of the host, for a stack beside others. */
export function servicesAt(
  hostPort: number,
): (Readonly<Record<string, unknown>> & { readonly name: string })[] {
  return (TEST_STACK["services"] as { name: string; hostPort?: number }[]).map((service) => ({
    ...service,
    ...(service.hostPort === undefined ? {} : { hostPort }),
  }));
}

function stackFile(settings: StackFile): string {
  const config = Object.entries(settings).map(([key, value]) => [`consul-docker:${key}`, value]);
  return JSON.stringify({ config: Object.fromEntries(config) as object });
}

/** Outputs of the stack, as far as the tests use them. */
export interface Outputs {
  readonly uiUrl: string;
  readonly httpApiUrl: string;
  readonly caCertificate?: string;
  readonly managementToken?: string;
  readonly gatewayUrl: string;
  readonly dnsAddress: string;
  readonly datacenter: string;
  readonly members: readonly { readonly name: string; readonly role: string; readonly address: string }[];
  readonly services: Readonly<Record<string, readonly { readonly name: string; readonly address: string }[]>>;
}

/** A stack of this project with its state in a folder of its own, driven through the genuine CLI. */
export class TestStack {
  private readonly env: NodeJS.ProcessEnv;

  private constructor(
    /** Name of the stack. */
    public readonly name: string,
    private readonly folder: string,
    private readonly cwd: string,
    env: NodeJS.ProcessEnv,
  ) {
    this.env = {
      ...env,
      PULUMI_BACKEND_URL: `file://${folder}/state`,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_STACK: name,
    };
  }

  /** An empty stack; `cwd` is the project's folder, `env` is added to the environment of its commands. */
  static async create(
    name: string,
    { cwd = process.cwd(), env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<TestStack> {
    const folder = await mkdtemp(join(tmpdir(), `consul-docker-${name}-`));
    await mkdir(join(folder, "state"));
    const stack = new TestStack(name, folder, cwd, env);
    expectSuccess(await stack.pulumi("stack", "init", name, "--no-select"));
    // The CLI writes the passphrase's salt beside Pulumi.yaml; the tests' own file takes it over.
    await rm(join(cwd, `Pulumi.${name}.yaml`), { force: true });
    return stack;
  }

  /** Writes the stack file. */
  async configure(settings: StackFile): Promise<void> {
    await writeFile(this.file, stackFile(settings));
  }

  /** Brings the stack up without the preview before; further options may follow. */
  up(...options: readonly string[]): Promise<Result> {
    return this.pulumi(
      "up",
      "--yes",
      "--skip-preview",
      "--suppress-outputs",
      "--config-file",
      this.file,
      ...options,
    );
  }

  /** Brings the stack up, and kills the CLI with all that it started as soon as it has written this. */
  upUntil(until: RegExp): Promise<Result> {
    return run(
      join(this.cwd, "scripts/pulumi-launcher"),
      ["up", "--yes", "--skip-preview", "--suppress-outputs", "--config-file", this.file],
      this.env,
      this.cwd,
      until,
    );
  }

  /** Reads the real world into the state. */
  refresh(): Promise<Result> {
    return this.pulumi(
      "refresh",
      "--yes",
      "--skip-preview",
      "--suppress-outputs",
      "--config-file",
      this.file,
    );
  }

  /** Previews; further options may follow. */
  preview(...options: readonly string[]): Promise<Result> {
    return this.pulumi("preview", "--config-file", this.file, ...options);
  }

  /** Previews; fails on any change. */
  previewExpectingNoChanges(): Promise<Result> {
    return this.pulumi("preview", "--diff", "--expect-no-changes", "--config-file", this.file);
  }

  /** What the settings would change, reported by the program in the folder; without an engine. */
  async previewReport(project: string, settings: StackFile, ...options: readonly string[]): Promise<Result> {
    const other = join(this.folder, `Pulumi.${randomUUID()}.yaml`);
    await writeFile(other, stackFile(settings));
    // Not by npm, whose set-up would see to the packages of a project that has none of its own.
    const args = ["scripts/preview.ts", "--config-file", other, ...options];
    return run("node_modules/.bin/tsx", args, { ...this.env, DOCKER_HOST: "unix:///nowhere" }, project);
  }

  /** Reports what differs between the real world and the state. */
  drift(): Promise<Result> {
    return this.npm("drift", "--config-file", this.file);
  }

  /** Runs the CLI itself, with `env` besides, as somebody does who has one of their own on the PATH. */
  bare(env: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Result> {
    const home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
    const options = ["--config-file", this.file];
    return run(join(home, "bin/pulumi"), [...args, ...options], { ...this.env, ...env }, this.cwd);
  }

  /** Destroys everything of the stack; further options may follow. */
  destroy(...options: readonly string[]): Promise<Result> {
    return this.pulumi(
      "destroy",
      "--yes",
      "--skip-preview",
      "--suppress-outputs",
      "--config-file",
      this.file,
      ...options,
    );
  }

  /** Destroys everything of the stack, as a user does. */
  down(): Promise<Result> {
    return this.npm("down", "--config-file", this.file);
  }

  /** The stack's outputs, secrets in plain. */
  async outputs(): Promise<Outputs> {
    return JSON.parse((await this.pulumi("stack", "output", "--json", "--show-secrets")).stdout) as Outputs;
  }

  /** The stack's outputs as they are shown without being asked for secrets. */
  async shownOutputs(): Promise<string> {
    return (await this.pulumi("stack", "output", "--json")).output;
  }

  /** The state as it lies on the disk, with what the CLI keeps beside it. */
  async plainState(): Promise<string> {
    return (await run("grep", ["-rh", "", join(this.folder, "state")])).stdout;
  }

  /** The state, secrets in plain. */
  async exported(): Promise<string> {
    return (await this.pulumi("stack", "export", "--show-secrets")).stdout;
  }

  /** Puts this in the place of the state. */
  async import(state: string): Promise<Result> {
    const file = join(this.folder, "state.json");
    await writeFile(file, state);
    return this.pulumi("stack", "import", "--file", file);
  }

  /** Begins a rotation; `untilLine` kills it with all that it started as soon as it says so. */
  rotate(kind: "gossip" | "certificates" | "tokens", untilLine?: string): Promise<Result> {
    const args = ["run", "--silent", "rotate", "--", kind, "--config-file", this.file];
    return run("npm", args, this.env, this.cwd, untilLine);
  }

  /** Puts a snapshot's data in the place of the datacenter's; `token` is a management token that the snapshot has. */
  restore(file: string, token?: string): Promise<Result> {
    const args = ["run", "--silent", "restore", "--", file, "--config-file", this.file];
    const env = token === undefined ? this.env : { ...this.env, CONSUL_HTTP_TOKEN: token };
    return run("npm", args, env, this.cwd);
  }

  /** Gives up a lock that a killed update left behind. */
  cancel(): Promise<Result> {
    return this.pulumi("cancel", "--yes");
  }

  /** Runs one of the project's own scripts against this stack. */
  npm(script: string, ...args: readonly string[]): Promise<Result> {
    return run("npm", ["run", "--silent", script, "--", ...args], this.env, this.cwd);
  }

  /** Whether another process holds the stack's lock. */
  async isLocked(): Promise<boolean> {
    return (await run("find", [join(this.folder, "state"), "-path", "*/locks/*.json"])).stdout !== "";
  }

  /** Everything of this stack that is on the engine: containers, volumes, networks, images. */
  async leftovers(): Promise<string[]> {
    const filter = ["--filter", `label=consul-docker.stack=${this.name}`];
    const listings = await Promise.all([
      dockerLines("ps", "-a", "--format", "container {{.Names}}", ...filter),
      dockerLines("volume", "ls", "--format", "volume {{.Name}}", ...filter),
      dockerLines("network", "ls", "--format", "network {{.Name}}", ...filter),
      dockerLines("images", "--format", "image {{.Repository}}", ...filter),
    ]);
    return listings.flat();
  }

  /** Destroys the stack, whatever state it is in, and removes its folder. */
  async remove(): Promise<void> {
    await this.destroy();
    await rm(this.folder, { recursive: true, force: true });
  }

  private pulumi(...args: readonly string[]): Promise<Result> {
    return run(join(this.cwd, "scripts/pulumi-launcher"), args, this.env, this.cwd);
  }

  private get file(): string {
    return join(this.folder, `Pulumi.${this.name}.yaml`);
  }
}
