import { spawn } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepComment } from "./preview/comment";
import { main } from "./stack";

const DANGEROUS = 3;
/** What a preview that did what it should ends with: nothing changes, something does. */
const FINE: readonly number[] = [0, 2];

// npm run preview:comment -- NUMBER BASE: previews a pull request in a workflow of GitHub. BASE is the commit that it
// is compared with. The report goes to the summary of the run and, with GH_TOKEN, to the one comment that is kept.
// Fails when the preview does, and when a change is dangerous, unless ACCEPT_DANGEROUS is true.
main(async () => {
  const [number = "", base = ""] = process.argv.slice(2);
  if (!/^\d+$/.test(number) || base === "") throw new Error("usage: preview:comment NUMBER BASE");

  const { code, report } = await preview(base);
  const summary = process.env["GITHUB_STEP_SUMMARY"];
  if (summary !== undefined) await appendFile(summary, `${report}\n`);
  if ((process.env["GH_TOKEN"] ?? "") === "")
    console.log("no token, so no comment: the report is in the summary");
  else await keepComment(Number(number), report);

  if (code !== DANGEROUS) return FINE.includes(code) ? 0 : code;
  if (process.env["ACCEPT_DANGEROUS"] === "true") return 0;
  console.error("error: a change is dangerous; adding the label accept-dangerous lets this commit pass");
  return code;
});

/** The exit code of the preview, and what is to be told of it. */
async function preview(base: string): Promise<{ code: number; report: string }> {
  const folder = await mkdtemp(join(tmpdir(), "preview-comment-"));
  try {
    const file = join(folder, "report.md");
    const code = await npm("run", "--silent", "preview", "--", "--base", base, "--markdown", file);
    const written = await readFile(file, "utf8").catch(() => "");
    const report =
      written.trim() === ""
        ? "## The preview failed before it had anything to report; the log of the check says why"
        : written.trim();
    return { code, report: withoutState() ? `${report}\n\n${NO_STATE}` : report };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const NO_STATE =
  "Of a first `up`: this run was given no state of a stack and no secret, as any of a pull request from a fork.";

/** Whether the preview is of the state that set-up makes in a fresh clone, where nothing is. */
function withoutState(): boolean {
  return (process.env["PULUMI_BACKEND_URL"] ?? "") === "";
}

/** Runs npm on this terminal, without the token, which the program that is previewed has no use for. */
function npm(...args: readonly string[]): Promise<number> {
  const env = { ...process.env, GH_TOKEN: undefined };
  return new Promise((resolve, reject) => {
    const child = spawn("npm", args, { stdio: ["ignore", "inherit", "inherit"], env });
    child.on("error", reject).on("exit", (code) => {
      resolve(code ?? 1);
    });
  });
}
