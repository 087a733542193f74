import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { defaultEngine, passesPing, standIn, withEngine } from "../preview-engine";
import { asksDefaultEngine, planned, type PreviewOutput } from "./preview/plan";
import { markdown, text } from "./preview/render";
import { previewReport, type Verdict } from "./preview/report";
import { defaultBase, imageChanges } from "./preview/sources";
import { main, PULUMI, stackName } from "./stack";

const POLICIES = "policy";

const EXIT_CODES: Readonly<Record<Verdict, number>> = { nothing: 0, failed: 1, changes: 2, dangerous: 3 };

// npm run preview [-- --markdown FILE] [--base REF] [PULUMI OPTIONS]: what pulumi up would do, for a reviewer.
// Exits with 0 when nothing changes, 2 when something does, 3 when that is dangerous, 1 when the preview failed.
main(async () => {
  const { file, base, options } = readArguments(process.argv.slice(2));
  const [stack, { output, failed }] = await Promise.all([stackName(), preview(options)]);
  const images = await imageChanges(planned(output), base ?? (await defaultBase()));
  const report = previewReport(stack, output, failed, images);
  console.log(text(report));
  if (file !== undefined) await writeFile(file, `${markdown(report)}\n`);
  return EXIT_CODES[report.verdict];
});

function readArguments(args: readonly string[]) {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: { markdown: { type: "string" }, base: { type: "string" } },
    strict: false,
    tokens: true,
  });
  const own = tokens.filter((token) => token.kind === "option" && ["markdown", "base"].includes(token.name));
  const taken = new Set(
    own.flatMap((token) =>
      token.kind === "option" && token.inlineValue === false ? [token.index, token.index + 1] : [token.index],
    ),
  );
  return {
    file: values.markdown as string | undefined,
    base: values.base as string | undefined,
    options: args.filter((_, index) => !taken.has(index)),
  };
}

/** Pulumi's own preview, with a stand-in for an engine that is not there, unless it is to look at what is there. */
async function preview(options: readonly string[]): Promise<{ output: PreviewOutput; failed: boolean }> {
  const engine = defaultEngine(process.env);
  if (options.some((option) => /^(-r|--refresh(=(?!false).*)?)$/.test(option)) || (await passesPing(engine)))
    return plan(options, process.env);
  const { endpoint, close } = await standIn();
  const result = await plan(options, withEngine(process.env, endpoint)).finally(close);
  if (asksDefaultEngine(result.output))
    console.error(`${engine.endpoint} does not answer: previewed from the state alone, without the engine`);
  return result;
}

/** Fails with what Pulumi wrote where that is no plan. */
async function plan(
  options: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ output: PreviewOutput; failed: boolean }> {
  const args = [
    "preview",
    "--json",
    "--show-sames",
    "--suppress-progress",
    "--policy-pack",
    POLICIES,
    ...options,
  ];
  return new Promise((resolve, reject) => {
    execFile(PULUMI, args, { env, maxBuffer: 512 * 1024 * 1024 }, (error, stdout, stderr) => {
      try {
        resolve({ output: JSON.parse(stdout) as PreviewOutput, failed: error !== null });
      } catch {
        reject(new Error(stderr.trim().replace(/^error: /, "") || "pulumi preview wrote nothing"));
      }
    });
  });
}
