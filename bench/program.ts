import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectSuccess, run, type Result } from "../tests/integration/command";
import { copyOfTheProject } from "../tests/integration/project";

const PROJECT = join(__dirname, "..");

/** A Pulumi program in a temporary folder, with one stack whose state lies beside it. */
export class Program {
  private constructor(
    /** Its folder. */
    public readonly folder: string,
    /** Its stack. */
    public readonly stack: string,
  ) {}

  /** A program of these files, by name. */
  static async of(stack: string, files: Readonly<Record<string, string>>): Promise<Program> {
    const folder = await mkdtemp(join(tmpdir(), `consul-docker-${stack}-`));
    await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return Program.#at(folder, stack);
  }

  /** A copy of this project. */
  static copy(stack: string): Promise<Program> {
    return Program.#at(copyOfTheProject(), stack);
  }

  static async #at(folder: string, stack: string): Promise<Program> {
    await mkdir(join(folder, "state"));
    const program = new Program(folder, stack);
    expectSuccess(await program.#pulumi("stack", "init", stack));
    return program;
  }

  /** Writes the stack file. */
  async configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    const config = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`consul-docker:${key}`, value]),
    );
    await writeFile(this.#stackFile, JSON.stringify({ config }));
  }

  /** Milliseconds that a preview takes that finds nothing to change; throws when it finds something. */
  preview(): Promise<number> {
    return timed(this.#pulumi("preview", "--expect-no-changes", ...this.#configFile));
  }

  /** Milliseconds that an update takes; throws when it fails. */
  up(): Promise<number> {
    return timed(this.#pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", ...this.#configFile));
  }

  /** Destroys everything of the stack. */
  async destroy(): Promise<void> {
    expectSuccess(
      await this.#pulumi("destroy", "--yes", "--skip-preview", "--suppress-outputs", ...this.#configFile),
    );
  }

  /** The stack's state, secrets in plain. */
  async exported(): Promise<string> {
    return (await this.#pulumi("stack", "export", "--show-secrets")).stdout;
  }

  /** Takes this for the stack's state. */
  async import(state: string): Promise<void> {
    const file = join(this.folder, "imported.json");
    await writeFile(file, state);
    expectSuccess(await this.#pulumi("stack", "import", "--file", file));
  }

  /** Removes the folder; what was deployed stays. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #pulumi(...args: readonly string[]): Promise<Result> {
    const env = {
      PULUMI_BACKEND_URL: `file://${this.folder}/state`,
      PULUMI_CONFIG_PASSPHRASE: "bench",
      PULUMI_STACK: this.stack,
    };
    return run(join(PROJECT, "scripts/pulumi-launcher"), args, env, this.folder);
  }

  get #stackFile(): string {
    return join(this.folder, "stack.yaml");
  }

  get #configFile(): string[] {
    return ["--config-file", this.#stackFile];
  }
}

/** Milliseconds until a command has ended; throws what it wrote when it failed. */
export async function timed(command: Promise<Result>): Promise<number> {
  const start = performance.now();
  expectSuccess(await command);
  return performance.now() - start;
}
