import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command";

// The first run builds actionlint where there is none.
jest.setTimeout(300_000);

it("lints the workflows, and finds what is wrong with one", async () => {
  expect(await run("npm", ["run", "--silent", "check:workflows"])).toMatchObject({ code: 0, output: "" });

  const copy = mkdtempSync(join(tmpdir(), "workflows-"));
  try {
    cpSync(".github", join(copy, ".github"), { recursive: true });
    cpSync("scripts/check-workflows", join(copy, "scripts/check-workflows"));
    expect(await run("git", ["init", "--quiet", copy])).toMatchObject({ code: 0 });
    const file = join(copy, ".github/workflows/up.yml");
    writeFileSync(file, readFileSync(file, "utf8").replace("vars.RUNNER", "var.RUNNER"));
    const { code, output } = await run(join(copy, "scripts/check-workflows"), []);
    expect(output).toContain('undefined variable "var"');
    expect(code).not.toBe(0);
  } finally {
    rmSync(copy, { recursive: true });
  }
});
