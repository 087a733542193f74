import { execFile, execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// scripts/act in a project whose one workflow uses one action.
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "act-"));
  for (const name of ["bin", "project/scripts", "project/.github/actions/prepare", "sources/we/tool"])
    mkdirSync(join(folder, name), { recursive: true });
  cpSync("scripts/act", join(folder, "project/scripts/act"));
  // The project's own, which says the Node.js, without the actions that it uses.
  const action = readFileSync(".github/actions/prepare/action.yml", "utf8").replace(/uses:.*/g, "");
  writeFileSync(join(folder, "project/.github/actions/prepare/action.yml"), action);
  // An npm that installs what it is asked for.
  program(
    "npm",
    'mkdir -p "$4/node_modules/node/bin"; printf "#!/bin/sh\\necho v24.1.0" >"$4/node_modules/node/bin/node"; chmod +x "$4/node_modules/node/bin/node"',
  );
  for (const tool of [
    "bash",
    "dirname",
    "mkdir",
    "grep",
    "sed",
    "sort",
    "git",
    "tar",
    "mv",
    "tail",
    "rm",
    "ln",
    "chmod",
    "sh",
  ])
    program(tool, `exec ${execFileSync("which", [tool], { encoding: "utf8" }).trim()} "$@"`);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function program(name: string, script: string): void {
  writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, "bin", name), 0o755);
}

function git(...args: readonly string[]): string {
  const identity = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"];
  return execFileSync("git", [...identity, ...args], {
    cwd: join(folder, "sources/we/tool"),
    encoding: "utf8",
  }).trim();
}

/** A commit of the action, after which there is another one. */
function release(): string {
  git("init", "--quiet");
  writeFileSync(join(folder, "sources/we/tool/action.yml"), "name: released\n");
  git("add", "--all");
  git("commit", "--quiet", "--message", "released");
  const commit = git("rev-parse", "HEAD");
  writeFileSync(join(folder, "sources/we/tool/action.yml"), "name: later\n");
  git("commit", "--quiet", "--all", "--message", "later");
  return commit;
}

function uses(commit: string): void {
  mkdirSync(join(folder, "project/.github/workflows"));
  writeFileSync(
    join(folder, "project/.github/workflows/one.yml"),
    `      - uses: we/tool@${commit} # v1.0.0\n      - uses: ./.github/actions/prepare\n`,
  );
}

function bring(): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      join(folder, "project/scripts/act"),
      {
        env: { PATH: join(folder, "bin"), HOME: folder, ACTIONS_SOURCES: join(folder, "sources") },
      },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
      },
    );
  });
}

test("without act and Go it says in a line what is missing", async () => {
  expect(await bring()).toEqual({
    code: 1,
    output: "error: act is missing: install it (https://github.com/nektos/act) or Go\n",
  });
});

test("where act cannot be built it says why", async () => {
  program("go", "echo 'go: downloading this'; echo 'go: the module is not served' >&2; exit 1");
  expect(await bring()).toEqual({
    code: 1,
    output: "building act\nerror: act cannot be built: go: the module is not served\n",
  });
});

test("an action that its source does not have is named, with what may be done", async () => {
  program("act", "");
  release();
  uses("0123456789abcdef0123456789abcdef01234567");
  const { code, output } = await bring();
  expect(code).toBe(1);
  expect(output).toContain(
    `error: ${folder}/sources/we/tool has no commit 0123456789abcdef0123456789abcdef01234567: name a folder with git repositories OWNER/NAME in ACTIONS_SOURCES (`,
  );
  expect(output.trim().split("\n")).toHaveLength(1);
});

test("actions are brought as they are pinned, and a second run brings nothing anew", async () => {
  program("act", "");
  const commit = release();
  uses(commit);
  expect(await bring()).toEqual({ code: 0, output: "installing Node.js 24 for the workflows\n" });
  const brought = join(folder, "project/.pulumi-local/act");
  expect(readFileSync(join(brought, `actions/we/tool@${commit}/action.yml`), "utf8")).toBe(
    "name: released\n",
  );
  expect(existsSync(join(brought, "node/bin/node"))).toBe(true);

  rmSync(join(folder, "sources"), { recursive: true });
  expect(await bring()).toEqual({ code: 0, output: "" });
});
