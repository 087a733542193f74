import { existsSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { docker, expectSuccess, run, type Result } from "../integration/command";
import { edit, REPOSITORY, Runner, type Trigger } from "./act";
import { GitHub } from "./github";

// Each run installs the npm packages anew, and one brings a stack up.
jest.setTimeout(600_000);

const STACK = "act";
const CONTAINER = `consul-docker-${STACK}-pricing-1`;
const NUMBER = 7;
const MARK = `<!-- consul-docker preview of ${STACK} -->`;

let runner: Runner;
let base: string;

/** What the owner of the repository has set. */
const variables = () => ({
  PULUMI_BACKEND_URL: `file://${join(runner.folder, "state")}`,
  PULUMI_STACK: STACK,
});
const secrets = { PULUMI_CONFIG_PASSPHRASE: "of the workflows' tests" };

/** A small stack, whose ports and network no other one uses. */
const STACK_FILE = `config:
  consul-docker:datacenter: act
  consul-docker:subnet: 10.96.0.0/24
  consul-docker:httpPort: 19550
  consul-docker:dnsPort: 19560
  consul-docker:servers: 1
  consul-docker:clients: 1
  consul-docker:services:
    - name: pricing
      port: 8080
`;
const stackFile = () => join(runner.clone, `Pulumi.${STACK}.yaml`);

beforeAll(async () => {
  runner = await Runner.create();
  await readyForStack();
  await keepTwoTests();
  base = await runner.commit("main");
});

afterAll(async () => {
  const { code, output } = await pulumi("destroy", "--yes", "--skip-preview", "--suppress-outputs");
  await runner.remove();
  expect(output).not.toBe("");
  expect(code).toBe(0);
});

/** The stack and its salt, as its owner makes them once. */
async function readyForStack(): Promise<void> {
  expectSuccess(await run("mkdir", [join(runner.folder, "state")]));
  await writeFile(stackFile(), STACK_FILE);
  expectSuccess(await pulumi("stack", "init", STACK, "--no-select"));
}

function pulumi(...args: readonly string[]): Promise<Result> {
  const env = { ...runner.env, ...variables(), ...secrets };
  return run(join(runner.clone, "scripts/pulumi-launcher"), args, env, runner.clone);
}

/** All tests would take long: the clone has one of each kind. */
async function keepTwoTests(): Promise<void> {
  const kept = { unit: "duration.test.ts", integration: "workflows.test.ts" };
  for (const [kind, test] of Object.entries(kept)) {
    const folder = join(runner.clone, "tests", kind);
    for (const file of await readdir(folder))
      if (file.endsWith(".test.ts") && file !== test) await rm(join(folder, file));
  }
  const { stdout } = await run("find", [join(runner.clone, "services"), "-name", "*.test.ts"]);
  for (const file of stdout.split("\n").filter(Boolean)) await rm(file);
}

/** How a workflow ended: whether each of its jobs that ran succeeded, and what was written. */
async function outcome(trigger: Trigger) {
  const { code, output } = await runner.run(trigger);
  const ended = output.matchAll(/^\[[^\]/]+\/(\S+) *\] 🏁 {2}Job (succeeded|failed)$/gm);
  const jobs: Record<string, string> = {};
  for (const [, job = "", how = ""] of ended) jobs[job] = how;
  return { code, output, jobs };
}

const push = (workflow: string, commit: string) => ({
  event: "push" as const,
  workflow,
  commit,
  payload: { ref: "refs/heads/main", after: commit, deleted: false },
});

/** What would be made on the runner if a shell read what a stranger names. */
const injected = () => join(runner.folder, "injected");

/** A pull request of a commit, which is what GitHub would merge. */
const pullRequest = (
  workflow: string,
  commit: string,
  {
    from = REPOSITORY,
    author = "somebody",
    added,
  }: { from?: string; author?: string; added?: "accept-dangerous" } = {},
) => ({
  event: "pull_request" as const,
  workflow,
  commit,
  payload: {
    action: added === undefined ? "synchronize" : "labeled",
    number: NUMBER,
    label: { name: added },
    pull_request: {
      number: NUMBER,
      title: `"; touch ${injected()} #`,
      head: { ref: `$(touch\${IFS}${injected()})`, sha: commit, repo: { full_name: from } },
      base: { ref: "main", sha: base, repo: { full_name: REPOSITORY } },
      // From an earlier commit.
      labels: [{ name: "accept-dangerous" }],
      user: { login: author },
    },
  },
});

/** Commits other settings as what GitHub would merge for the pull request. */
async function proposal(settings: Readonly<Record<string, unknown>>): Promise<string> {
  await runner.main();
  await edit(stackFile(), (text) => {
    const file = parse(text) as { config: Record<string, unknown> };
    for (const [name, value] of Object.entries(settings)) file.config[`consul-docker:${name}`] = value;
    return stringify(file);
  });
  return runner.commit("proposal", `refs/pull/${NUMBER}/merge`);
}

/** The service of the stack with something else in it. */
const pricing = (changed: Readonly<Record<string, unknown>>) => ({
  services: [{ name: "pricing", port: 8080, ...changed }],
});

const owned = () => ({ variables: variables(), secrets });
const writing = () => ({ ...owned(), token: GitHub.WRITES });

describe("check", () => {
  test("a project that is in order passes, and fills the caches that the next run finds", async () => {
    const first = await outcome({ ...push("check", base), job: "check" });
    expect(first.jobs).toEqual({ check: "succeeded" });
    expect(first.output).toMatch(/Cache saved with the key: node-cache-.*\n/);
    expect(first.output).toMatch(/Cache saved with key: pulumi-/);

    const second = await outcome({ ...push("check", base), job: "test" });
    expect(second.output).toMatch(/Cache restored from key: node-cache-/);
    expect(second.output).toMatch(/Cache restored from key: pulumi-/);
    expect(second.output).toMatch(/\| \d+ passed, 0 failed/);
    expect(second.jobs).toEqual({ test: "succeeded" });
  });

  test("a pull request with a fault of style fails, also one from a fork", async () => {
    await runner.main();
    await edit(join(runner.clone, "fault.ts"), (text) => `${text}const  unused = 1;\n`);
    const commit = await runner.commit("untidy", `refs/pull/${NUMBER}/merge`);
    const { code, jobs, output } = await outcome({
      ...pullRequest("check", commit, { from: "stranger/registry" }),
      job: "check",
    });
    expect(output).toContain("'unused' is declared but its value is never read");
    expect({ code, jobs }).toEqual({ code: 1, jobs: { check: "failed" } });
  });

  test("a test that fails fails its job", async () => {
    await runner.main();
    await writeFile(
      join(runner.clone, "tests/unit/duration.test.ts"),
      'test("fails", () => { expect(1).toBe(2); });\n',
    );
    const commit = await runner.commit("failing", `refs/pull/${NUMBER}/merge`);
    const { code, jobs, output } = await outcome({ ...pullRequest("check", commit), job: "test" });
    expect(output).toMatch(/\| \d+ passed, 1 failed/);
    expect({ code, jobs }).toEqual({ code: 1, jobs: { test: "failed" } });
  });
});

describe("without a backend", () => {
  test.each([
    ["up", () => push("up", base)],
    ["drift", () => ({ ...push("drift", base), event: "schedule" as const })],
    ["preview", () => pullRequest("preview", base)],
  ])("%s runs nothing", async (_, trigger) => {
    expect(await outcome(trigger())).toMatchObject({ code: 0, jobs: {} });
  });
});

describe("with a stack", () => {
  test("a merge brings it up", async () => {
    const { code, jobs, output } = await outcome({ ...push("up", base), ...owned() });
    expect(output).toMatch(/\| UI +http/);
    expect({ code, jobs }).toEqual({ code: 0, jobs: { up: "succeeded" } });
    expect(await docker("ps", "--format", "{{.Names}}")).toContain(CONTAINER);
  });

  test("a pull request gets a comment, and the next push writes it anew", async () => {
    const first = await proposal(pricing({ tags: ["rpc"] }));
    expect(await outcome({ ...pullRequest("preview", first), ...writing() })).toMatchObject({
      code: 0,
      jobs: { preview: "succeeded" },
    });
    expect(runner.github.comments).toHaveLength(1);
    expect(runner.github.comments[0]?.body).toMatch(new RegExp(`^${MARK}\n## ${STACK}: \\d+ changes?\n`));

    const second = await proposal({});
    expect(await outcome({ ...pullRequest("preview", second), ...writing() })).toMatchObject({
      code: 0,
      jobs: { preview: "succeeded" },
    });
    expect(runner.github.comments.map(({ body }) => body)).toEqual([
      expect.stringMatching(new RegExp(`^${MARK}\n## ${STACK}: nothing changes\n`)),
    ]);
    expect(existsSync(injected())).toBe(false);
  });

  test("a dangerous change fails, until the label is added for this commit", async () => {
    const commit = await proposal(pricing({ checks: [{ path: "/live" }] }));
    const refused = await outcome({ ...pullRequest("preview", commit), ...writing() });
    expect(refused.output).toContain(
      "error: a change is dangerous; adding the label accept-dangerous lets this commit pass",
    );
    expect(refused).toMatchObject({ code: 1, jobs: { preview: "failed" } });
    expect(runner.github.comments.at(-1)?.body).toContain("a check is removed: pricing-1 loses HTTP /ready");

    const accepted = pullRequest("preview", commit, { added: "accept-dangerous" });
    expect(await outcome({ ...accepted, ...writing() })).toMatchObject({
      code: 0,
      jobs: { preview: "succeeded" },
    });
  });

  test.each([
    ["from a fork", { from: "stranger/registry" }],
    ["of Dependabot", { author: "dependabot[bot]" }],
  ])("a pull request %s is previewed without state and secret, into the summary", async (_, whose) => {
    const before = runner.github.calls.length;
    const commit = await proposal({});
    const { code, jobs, output } = await outcome({
      ...pullRequest("preview", commit, whose),
      variables: variables(),
    });
    expect({ code, jobs }).toEqual({ code: 0, jobs: { "first-up": "succeeded" } });
    expect(output).toMatch(/Summary - ## dev: \d+ changes/);
    expect(output).toContain("Of a first `up`: this run was given no state of a stack and no secret");
    expect(runner.github.calls).toHaveLength(before);
  });

  test("each night it is looked for drift, which fails once something was changed by hand", async () => {
    const nightly = { ...push("drift", base), event: "schedule" as const, ...owned() };
    expect(await outcome(nightly)).toMatchObject({ code: 0, jobs: { drift: "succeeded" } });

    await docker("rm", "--force", CONTAINER);
    const { code, jobs, output } = await outcome(nightly);
    expect(output).toContain("pricing-1");
    expect({ code, jobs }).toEqual({ code: 1, jobs: { drift: "failed" } });
  });

  test("a pull request with a wrong setting fails, and the comment says why", async () => {
    const commit = await proposal({ servers: 2 });
    const { code, jobs } = await outcome({ ...pullRequest("preview", commit), ...writing() });
    expect({ code, jobs }).toEqual({ code: 1, jobs: { preview: "failed" } });
    expect(runner.github.comments.at(-1)?.body).toContain(
      "### Why it failed\n\n- error: the stack file has a fault:\n-   consul-docker:servers must be 1, 3 or 5, got 2",
    );
  });
});
