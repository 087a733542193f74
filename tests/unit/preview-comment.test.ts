import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// scripts/preview-comment with an npm and a gh that write down what they are asked for.
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "preview-comment-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function program(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/bash\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** The script's exit code, and what gh was asked to write, where the preview ends like this. */
async function comment({
  code,
  report = "",
  comments = "",
  env = {},
}: {
  code: number;
  report?: string;
  comments?: string;
  env?: NodeJS.ProcessEnv;
}) {
  writeFileSync(join(folder, "report"), report);
  program(
    "npm",
    `[ "$*" = "run --silent preview -- --base abc123 --markdown $8" ] && cat ${folder}/report >"$8"; exit ${code}`,
  );
  program(
    "gh",
    `case "$*" in *PATCH*|*POST*) printf '%s\\n' "$@" >${folder}/written;; *) printf '%s\\n' "$*" >${folder}/asked; printf '${comments}';; esac`,
  );
  const ended = await new Promise<number>((resolve) => {
    execFile(
      "scripts/preview-comment",
      ["7", "abc123"],
      {
        env: {
          PATH: `${folder}:${process.env["PATH"] ?? ""}`,
          GITHUB_REPOSITORY: "we/registry",
          PULUMI_STACK: "dev",
          ...env,
        },
      },
      (error) => {
        resolve(error === null ? 0 : Number(error.code));
      },
    );
  });
  return {
    ended,
    asked: readFileSync(join(folder, "asked"), "utf8"),
    written: readFileSync(join(folder, "written"), "utf8"),
  };
}

const mark = "<!-- consul-docker preview of dev -->";

test("the first preview of a pull request makes a comment", async () => {
  const { ended, written } = await comment({ code: 2, report: "## dev: 3 changes" });
  expect(ended).toBe(0);
  expect(written).toBe(
    [
      "api",
      "--method",
      "POST",
      "repos/we/registry/issues/7/comments",
      "--raw-field",
      `body=${mark}`,
      "## dev: 3 changes",
      "--silent",
      "",
    ].join("\n"),
  );
});

test("the next one writes it anew", async () => {
  const { asked, written } = await comment({
    code: 0,
    report: "## dev: nothing changes",
    comments: "41\\n42\\n",
  });
  expect(asked).toContain(`startswith("${mark}")`);
  expect(written).toContain("--method\nPATCH\nrepos/we/registry/issues/comments/41\n");
  expect(written).toContain("## dev: nothing changes");
});

test.each([
  ["a dangerous change", 3, {}, 3],
  ["a dangerous change that was accepted", 3, { ACCEPT_DANGEROUS: "true" }, 0],
  ["a preview that failed", 1, {}, 1],
  ["a preview that failed, accepted or not", 1, { ACCEPT_DANGEROUS: "true" }, 1],
])("%s ends with code %i", async (_, code, env, expected) => {
  const { ended, written } = await comment({ code, report: "## dev", env });
  expect(ended).toBe(expected);
  expect(written).toContain("## dev");
});

test("a preview that wrote no report is said to have failed", async () => {
  const { ended, written } = await comment({ code: 1 });
  expect(ended).toBe(1);
  expect(written).toContain("## The preview failed");
});
