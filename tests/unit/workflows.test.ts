import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

// What GitHub runs with our rights: who may get at them, and by what.
interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly if?: string;
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
  readonly "runs-on": string;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly concurrency: { readonly group: string };
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const FOLDER = ".github/workflows";
const texts = new Map(
  [...readdirSync(FOLDER).map((file) => join(FOLDER, file)), ".github/actions/prepare/action.yml"].map(
    (file) => [file, readFileSync(file, "utf8")] as const,
  ),
);
const workflows = [...texts]
  .filter(([file]) => file.startsWith(FOLDER))
  .map(([file, text]) => [file, parse(text) as Workflow] as const);
const jobs = workflows.flatMap(([file, workflow]) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ at: `${file} ${name}`, file, name, workflow, job })),
);

test("there are workflows to look at", () => {
  expect(jobs.length).toBeGreaterThanOrEqual(6);
});

test("an action of somebody else is pinned to one commit everywhere, whose release stands beside it", () => {
  const pinned = new Map<string, string>();
  for (const [file, text] of texts) {
    for (const [, use = ""] of text.matchAll(/uses: *(.*)/g)) {
      if (use.startsWith("./")) continue;
      expect(`${file}: ${use}`).toMatch(/: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
      const [name = "", commit = ""] = use.split("@");
      expect(`${file}: ${commit}`).toBe(`${file}: ${pinned.get(name) ?? commit}`);
      pinned.set(name, commit);
    }
  }
  expect(pinned.size).toBeGreaterThan(0);
});

test("no workflow gives a stranger's program the rights of this repository", () => {
  for (const [file, { on }] of workflows) {
    for (const event of ["pull_request_target", "workflow_run", "issue_comment", "issues"])
      expect(`${file}: ${Object.keys(on).join(" ")}`).not.toMatch(new RegExp(`\\b${event}\\b`));
  }
});

test("a token may read, and a job that writes comments says so for itself", () => {
  for (const [file, { permissions }] of workflows)
    expect([file, permissions]).toEqual([file, { contents: "read" }]);
  const own = jobs.filter(({ job }) => job.permissions !== undefined);
  expect(own.map(({ at, job }) => [at, job.permissions])).toEqual([
    [`${FOLDER}/preview.yml preview`, { contents: "read", "pull-requests": "write" }],
  ]);
});

test("no text that somebody else chose is pasted into a script", () => {
  for (const { at, job } of jobs) {
    for (const { run = "" } of job.steps) expect(`${at}: ${run}`).not.toContain("${{");
  }
});

test("a job with a secret has an environment, and does not run for whoever opens a pull request", () => {
  const withSecret = jobs.filter(({ job }) => JSON.stringify(job).includes("secrets."));
  expect(withSecret.map(({ name }) => name).sort()).toEqual(["drift", "preview", "up"]);
  for (const { at, job, workflow } of withSecret) {
    expect([at, typeof job.environment]).toEqual([at, "string"]);
    if ("pull_request" in workflow.on)
      expect(`${at}: ${job.if ?? ""}`).toContain(
        "github.event.pull_request.head.repo.full_name == github.repository",
      );
  }
});

test("no script of a package that is installed sees a secret", () => {
  for (const { at, job } of jobs.filter(({ job }) => JSON.stringify(job).includes("secrets."))) {
    const setUp = job.steps.findIndex(({ run }) => run?.startsWith("bash scripts/setup") === true);
    const withSecret = job.steps.findIndex((step) => JSON.stringify(step).includes("secrets."));
    expect([at, setUp > -1 && setUp < withSecret]).toEqual([at, true]);
  }
});

test("no workflow takes the place of another one that waits", () => {
  const groups = workflows.map(([, { concurrency }]) => concurrency.group.replace(/\$.*/, ""));
  expect(new Set(groups).size).toBe(groups.length);
});

test("what is dangerous passes for the commit that somebody looked at, not for later ones", () => {
  expect(texts.get(`${FOLDER}/preview.yml`)).toContain(
    "ACCEPT_DANGEROUS: ${{ github.event.action == 'labeled' && github.event.label.name == 'accept-dangerous' }}",
  );
});

test("what a pull request runs is on a machine of GitHub's, which is thrown away", () => {
  for (const { at, job, workflow } of jobs) {
    if ("pull_request" in workflow.on) expect([at, job["runs-on"]]).toEqual([at, "ubuntu-latest"]);
  }
});

test("git keeps no token, and every job ends in time", () => {
  for (const { at, job } of jobs) {
    expect([at, job["timeout-minutes"]]).toEqual([at, expect.any(Number)]);
    for (const step of job.steps.filter(({ uses }) => uses?.startsWith("actions/checkout@") === true))
      expect([at, step.with?.["persist-credentials"]]).toEqual([at, false]);
  }
});
