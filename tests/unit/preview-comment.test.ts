import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GitHub } from "../workflows/github";

// scripts/preview-comment.ts with an npm that previews as it is told, and a stub of GitHub.
let folder: string;
let github: GitHub;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "preview-comment-"));
  github = await GitHub.start(folder);
});

afterEach(async () => {
  await github.stop();
  rmSync(folder, { recursive: true });
});

const MARK = "<!-- consul-docker preview of dev -->";
const COMMENTS = "/repos/we/registry/issues/7/comments";

/** The script's exit code, what it wrote and what is in the run's summary, where the preview ends like this. */
async function comment({
  code,
  report = "",
  args = ["7", "abc123"],
  env = {},
}: {
  code: number;
  report?: string;
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
}) {
  writeFileSync(join(folder, "report"), report);
  writeFileSync(join(folder, "summary"), "");
  writeFileSync(
    join(folder, "npm"),
    `#!/bin/bash\n[ "$*" = "run --silent preview -- --base abc123 --markdown $8" ] && cat ${folder}/report >"$8"; echo "token: $GH_TOKEN"; exit ${code}\n`,
  );
  chmodSync(join(folder, "npm"), 0o755);
  const { ended, output } = await new Promise<{ ended: number; output: string }>((resolve) => {
    execFile(
      "node_modules/.bin/tsx",
      ["scripts/preview-comment.ts", ...args],
      {
        env: {
          PATH: `${folder}:${process.env["PATH"] ?? ""}`,
          GITHUB_REPOSITORY: "we/registry",
          GITHUB_API_URL: github.api,
          GITHUB_STEP_SUMMARY: join(folder, "summary"),
          GH_TOKEN: GitHub.WRITES,
          PULUMI_STACK: "dev",
          PULUMI_BACKEND_URL: "s3://state",
          ...env,
        },
      },
      (error, stdout, stderr) => {
        resolve({ ended: error === null ? 0 : Number(error.code), output: stdout + stderr });
      },
    );
  });
  return { ended, output, summary: readFileSync(join(folder, "summary"), "utf8") };
}

test("the first preview of a pull request makes a comment, and the report is in the run's summary", async () => {
  const { ended, summary } = await comment({ code: 2, report: "## dev: 3 changes" });
  expect(ended).toBe(0);
  expect(github.calls).toEqual([`GET ${COMMENTS}`, `POST ${COMMENTS}`]);
  expect(github.comments.map(({ body }) => body)).toEqual([`${MARK}\n## dev: 3 changes`]);
  expect(summary).toBe("## dev: 3 changes\n");
});

test("the next one writes it anew, however many comments were made before it", async () => {
  const user = { login: "somebody", type: "User" } as const;
  for (let id = 1; id <= 130; id += 1) github.comments.push({ id, body: "a remark", user });
  await comment({ code: 2, report: "## dev: 3 changes" });
  const { ended } = await comment({ code: 0, report: "## dev: nothing changes" });
  expect(ended).toBe(0);
  expect(github.comments).toHaveLength(131);
  expect(github.comments[130]?.body).toBe(`${MARK}\n## dev: nothing changes`);
});

test("comments of a person and of another stack stay as they are", async () => {
  const others = [
    { id: 1, body: `${MARK}\n## dev: nothing changes`, user: { login: "somebody", type: "User" } },
    { id: 2, body: "<!-- consul-docker preview of other -->", user: { login: "bot", type: "Bot" } },
  ] as const;
  github.comments.push(...others.map((one) => ({ ...one })));
  await comment({ code: 2, report: "## dev: 3 changes" });
  expect(github.comments.slice(0, 2)).toEqual(others);
  expect(github.comments[2]?.body).toBe(`${MARK}\n## dev: 3 changes`);
});

test("a report that is longer than a comment may be is cut at a line, and says where the rest is", async () => {
  const report = ["## dev: 3 changes", ...Array.from({ length: 9000 }, (_, line) => `- line ${line}`)].join(
    "\n",
  );
  const { ended, summary } = await comment({ code: 2, report });
  const body = github.comments[0]?.body ?? "";
  expect(ended).toBe(0);
  expect(body.length).toBeLessThanOrEqual(65_536);
  expect(body).toMatch(
    /\n- line \d+\n\nThe report is longer than a comment may be; all of it is in the summary of the run\.$/,
  );
  expect(summary).toBe(`${report}\n`);
});

test("without a token and a state the report is in the summary alone, and says what it is of", async () => {
  const { ended, output, summary } = await comment({
    code: 2,
    report: "## dev: 60 changes",
    env: { GH_TOKEN: "", PULUMI_BACKEND_URL: "" },
  });
  expect(ended).toBe(0);
  expect(github.calls).toEqual([]);
  expect(output).toContain("no token, so no comment: the report is in the summary");
  expect(summary).toBe(
    "## dev: 60 changes\n\nOf a first `up`: this run was given no state of a stack and no secret, as any of a pull request from a fork.\n",
  );
});

test("a token that may not write fails with what GitHub says", async () => {
  const { ended, output, summary } = await comment({
    code: 0,
    report: "## dev",
    env: { GH_TOKEN: GitHub.READS },
  });
  expect(ended).toBe(1);
  expect(output).toContain(
    "error: GitHub refuses POST repos/we/registry/issues/7/comments: 403 Resource not accessible by integration\n",
  );
  expect(summary).toBe("## dev\n");
});

test("a GitHub that does not answer is named", async () => {
  const { ended, output } = await comment({ code: 0, env: { GITHUB_API_URL: "http://127.0.0.1:1" } });
  expect(ended).toBe(1);
  expect(output).toMatch(/error: GitHub does not answer at http:\/\/127\.0\.0\.1:1: .+/);
});

test.each([
  ["a dangerous change", 3, {}, 3],
  ["a dangerous change that was accepted", 3, { ACCEPT_DANGEROUS: "true" }, 0],
  ["a preview that failed", 1, {}, 1],
  ["a preview that failed, accepted or not", 1, { ACCEPT_DANGEROUS: "true" }, 1],
])("%s ends with code %i", async (_, code, env, expected) => {
  const { ended } = await comment({ code, report: "## dev", env });
  expect(ended).toBe(expected);
  expect(github.comments[0]?.body).toContain("## dev");
});

test("a preview that wrote no report is said to have failed", async () => {
  const { ended } = await comment({ code: 1 });
  expect(ended).toBe(1);
  expect(github.comments[0]?.body).toContain("## The preview failed");
});

test("the program that is previewed does not get the token", async () => {
  expect((await comment({ code: 0, report: "## dev" })).output).toContain("token: \n");
});

test("a number that is none is refused", async () => {
  const { ended, output } = await comment({ code: 0, args: ["7/comments", "abc123"] });
  expect(ended).toBe(1);
  expect(output).toBe("error: usage: preview:comment NUMBER BASE\n");
});
