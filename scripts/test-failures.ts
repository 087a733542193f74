import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

/** What of jest's JSON report tells of failures. */
export interface TestReport {
  readonly testResults: readonly {
    /** Path of the test file. */
    readonly name: string;
    /** Why the file did not run; else all its failures in one text. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const LINES = 25;

/** Every failed test, and every file that did not run, with the first lines of its failure: what a cut log must end with. */
export function testFailures(report: TestReport): string[] {
  return report.testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    const failed = assertionResults.filter(({ status }) => status === "failed");
    if (assertionResults.length === 0 && message !== "") return [`failed: ${file}`, ...firstLines(message)];
    return failed.flatMap(({ fullName, failureMessages }) => [
      `failed: ${file}: ${fullName}`,
      ...firstLines(failureMessages.join("\n")),
    ]);
  });
}

/** Without colours, and without where jest itself was. */
function firstLines(text: string): string[] {
  return stripVTControlCharacters(text)
    .split("\n")
    .filter((line) => !/^\s+at .*node_modules/.test(line))
    .slice(0, LINES)
    .map((line) => `    ${line}`.trimEnd());
}
