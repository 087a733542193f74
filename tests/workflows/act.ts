import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expectSuccess, run, type Result } from "../integration/command";
import { GitHub } from "./github";

/** What scripts/act brought. */
const BROUGHT = join(process.cwd(), ".pulumi-local/act");
/** What the runs wrote, for people. */
const LOG = "artifacts/workflows.log";
export const REPOSITORY = "we/registry";

/** What GitHub knows of an event, and gives to the workflows that it starts. */
export interface Trigger {
  readonly event: "push" | "pull_request" | "schedule";
  readonly workflow: string;
  /** The only job that is to run. @default all */
  readonly job?: string;
  /** Commit that is checked out. */
  readonly commit: string;
  readonly payload?: object;
  readonly variables?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** @default one that may only read */
  readonly token?: string;
}

/**
 * A runner of GitHub on this machine: act, with the actions as they are pinned, a home of its own, and a repository
 * with a copy of this project that a stub of GitHub serves.
 */
export class Runner {
  private constructor(
    readonly folder: string,
    readonly github: GitHub,
  ) {}

  static async create(): Promise<Runner> {
    const folder = await mkdtemp(join(tmpdir(), "workflows-"));
    await mkdir(join(folder, "repositories/we"), { recursive: true });
    await rm(LOG, { force: true });
    const runner = new Runner(folder, await GitHub.start(join(folder, "repositories")));
    await runner.#makeHome();
    await runner.#makeToolCache();
    await runner.#makeRepository();
    return runner;
  }

  /** The clone in which commits are made; act runs what is checked out there. */
  get clone(): string {
    return join(this.folder, "clone");
  }

  /** Commits all that was changed in the clone, on a branch from main, and serves it; resolves to the commit. */
  async commit(branch: string, ...refs: readonly string[]): Promise<string> {
    await this.#git("checkout", "--quiet", "-B", branch);
    await this.#git("add", "--all");
    await this.#git("commit", "--quiet", "--allow-empty", "--message", `tests: ${branch}`);
    await this.#git("push", "--quiet", "--force", "origin", ...[branch, ...refs].map((ref) => `HEAD:${ref}`));
    return this.#git("rev-parse", "HEAD");
  }

  /** The clone is main again. */
  async main(): Promise<string> {
    await this.#git("checkout", "--quiet", "--force", "main");
    return this.#git("rev-parse", "HEAD");
  }

  /** Runs what an event starts to its end. */
  async run({ event, workflow, job, commit, payload = {}, ...given }: Trigger): Promise<Result> {
    const { variables = {}, secrets = {}, token = GitHub.READS } = given;
    await this.#git("checkout", "--quiet", "--force", commit);
    const files = { event: join(this.folder, "event.json"), secrets: join(this.folder, "secrets.env") };
    await writeFile(files.event, JSON.stringify(payload));
    await writeFile(
      files.secrets,
      Object.entries({ ...secrets, GITHUB_TOKEN: token })
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
      { mode: 0o600 },
    );
    const args = [
      event,
      ...["--directory", this.clone, "--workflows", `.github/workflows/${workflow}.yml`],
      ...(job === undefined ? [] : ["--job", job]),
      ...["--eventpath", files.event, "--secret-file", files.secrets],
      ...Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}=${value}`]),
      // Steps run on this machine, so no image is needed.
      ...["--platform", "ubuntu-latest=-self-hosted", "--platform", "self-hosted=-self-hosted"],
      ...["--no-skip-checkout", "--concurrent-jobs", "1"],
      ...["--action-cache-path", join(this.folder, "cache"), "--use-new-action-cache"],
      ...["--cache-server-path", join(this.folder, "caches"), "--cache-server-addr", "127.0.0.1"],
      ...(await this.#localActions()),
      ...["--env", `GITHUB_SERVER_URL=${this.github.url}`, "--env", `GITHUB_API_URL=${this.github.api}`],
      ...["--env", `GITHUB_REPOSITORY=${REPOSITORY}`, "--env", `GITHUB_REPOSITORY_OWNER=we`],
    ];
    const act = existsSync(join(BROUGHT, "bin/act")) ? join(BROUGHT, "bin/act") : "act";
    const result = await run(act, args, this.env, this.clone);
    await mkdir("artifacts", { recursive: true });
    await appendFile(LOG, `${new Date().toISOString()} ${event} ${workflow}\n${result.output}\n`);
    return result;
  }

  /** What programs on the runner see: nothing is written into the home of who runs the tests, nor into /usr/local. */
  get env(): NodeJS.ProcessEnv {
    const npm = Object.keys(process.env).filter((name) => name.startsWith("npm_"));
    return {
      // What the npm that runs the tests hands on, such as where its cache is.
      ...Object.fromEntries(npm.map((name) => [name, undefined])),
      HOME: join(this.folder, "home"),
      PATH: [join(BROUGHT, "node/bin"), process.env["PATH"]].join(delimiter),
      SETUP_LAUNCHER_DIR: join(this.folder, "home"),
    };
  }

  async remove(): Promise<void> {
    await this.github.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A home with the settings of this one, and the CLI and plugins that its set-up found or made. */
  async #makeHome(): Promise<void> {
    const home = join(this.folder, "home");
    await mkdir(join(home, ".pulumi"), { recursive: true });
    // By what registries, engines and git are reached, and what Go has built.
    const shared = [".npmrc", ".gitconfig", ".docker", ".config/go", ".cache/go-build", "go"];
    for (const name of shared.filter((one) => existsSync(join(homedir(), one)))) {
      await mkdir(join(home, name, ".."), { recursive: true });
      await symlink(join(homedir(), name), join(home, name));
    }
    const pulumi = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
    for (const name of ["bin", "plugins"].filter((one) => existsSync(join(pulumi, one))))
      await cp(join(pulumi, name), join(home, ".pulumi", name), { recursive: true });
  }

  /** The Node.js that the workflows ask for, where actions/setup-node looks before it downloads. */
  async #makeToolCache(): Promise<void> {
    const { stdout } = await run(join(BROUGHT, "node/bin/node"), ["-v"]);
    const arch = process.arch === "arm64" ? "arm64" : "x64";
    const version = join(this.folder, "cache/tool_cache/node", stdout.trim().slice(1));
    await mkdir(version, { recursive: true });
    await symlink(join(BROUGHT, "node"), join(version, arch));
    await writeFile(join(version, `${arch}.complete`), "");
  }

  /** This project as it is, changes that are not committed included. */
  async #makeRepository(): Promise<void> {
    const bare = join(this.folder, "repositories", REPOSITORY);
    expectSuccess(await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", bare]));
    expectSuccess(await run("git", ["clone", "--quiet", "--no-hardlinks", process.cwd(), this.clone]));
    await this.#git("remote", "set-url", "origin", bare);
    await this.#git("config", "user.name", "tests");
    await this.#git("config", "user.email", "tests@localhost");
    await this.#git("checkout", "--quiet", "-B", "main");
    const list = async (...options: readonly string[]) =>
      (await run("git", ["ls-files", "-z", ...options])).stdout.split("\0").filter(Boolean);
    for (const path of await list("--deleted")) await rm(join(this.clone, path), { force: true });
    for (const path of await list("--modified", "--others", "--exclude-standard"))
      if (existsSync(path)) await cp(path, join(this.clone, path));
  }

  /** Each pinned action, from the folder that scripts/act brought it to. */
  async #localActions(): Promise<string[]> {
    const { stdout } = await run("grep", [
      "-rhoE",
      "uses: +[^. ][^ ]*@[0-9a-f]{40}",
      join(this.clone, ".github"),
    ]);
    const pinned = new Set(
      stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => line.replace(/^uses: +/, "")),
    );
    return [...pinned].flatMap((action) => [
      "--local-repository",
      `${action}=${join(BROUGHT, "actions", action)}`,
    ]);
  }

  async #git(...args: readonly string[]): Promise<string> {
    const result = await run("git", args, {}, this.clone);
    expectSuccess(result);
    return result.stdout.trim();
  }
}

/** Writes something else into a file of the clone. */
export async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, "utf8")));
}
