import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { testFailures, type TestReport } from "./test-failures";

/** What of jest's JSON report is counted and told. */
interface Report extends TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

const ARTIFACTS = "artifacts";

// npm test [-- unit | integration]: runs the tests and ends with what failed and the line "N passed, N failed".
void run(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});

async function run(chosen: readonly string[]): Promise<number> {
  const suites = chosen.length === 0 ? ["unit", "integration"] : chosen;
  if (suites.includes("integration") && !browser()) return 1;
  mkdirSync(ARTIFACTS, { recursive: true });
  const reports: Report[] = [];
  // One after the other, and the integration tests in one process: they share the engine and two cores.
  for (const suite of suites) reports.push(await jest(suite));
  const sum = (count: Exclude<keyof Report, keyof TestReport>) =>
    reports.reduce((total, report) => total + report[count], 0);
  const failed = sum("numFailedTests") + sum("numRuntimeErrorTestSuites");
  const failures = reports.flatMap(testFailures);
  if (failures.length > 0) console.log(`\n${failures.join("\n")}`);
  console.log(`\n${sum("numPassedTests")} passed, ${failed} failed`);
  return failed === 0 && sum("numPassedTests") > 0 ? 0 : 1;
}

async function jest(suite: string): Promise<Report> {
  const report = `${ARTIFACTS}/${suite}.json`;
  const args = ["--selectProjects", suite, "--json", "--outputFile", report, "--verbose"];
  // Unit tests wait for half of their time: for programs that they start, and for what must not happen.
  const workers = suite === "unit" ? Math.ceil(availableParallelism() * 1.5) : 1;
  // The JSON goes to the file; what jest also writes of it on standard output is left out.
  const child = spawn("node_modules/.bin/jest", [...args, `--maxWorkers=${workers}`], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await new Promise((resolve) => child.on("exit", resolve));
  return JSON.parse(readFileSync(report, "utf8")) as Report;
}

/** Sees to a browser for the UI test. */
function browser(): boolean {
  if (existsSync(process.env["CHROMIUM"] ?? "/usr/bin/chromium")) return true;
  console.error("installing Chromium for the test of the UI");
  const { status } = spawnSync(
    "sh",
    [
      "-c",
      "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq chromium",
    ],
    {
      stdio: "ignore",
    },
  );
  if (status === 0) return true;
  console.error("error: Chromium could not be installed; install it and set CHROMIUM to its path");
  return false;
}
