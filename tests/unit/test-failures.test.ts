import { join } from "node:path";
import { testFailures } from "../../scripts/test-failures";

const name = join(process.cwd(), "tests/unit/some.test.ts");

function failing(message: string) {
  return {
    testResults: [
      {
        name,
        message: "all of them, once more",
        assertionResults: [
          { status: "passed", fullName: "is right", failureMessages: [] },
          { status: "failed", fullName: "a thing is wrong", failureMessages: [message] },
        ],
      },
    ],
  };
}

test("a failed test is named with its file and what it says, without colours and the runner's own lines", () => {
  const message =
    "Error: expected \u001b[32m1\u001b[39m\n    at Object.x (tests/unit/some.test.ts:1:2)\n    at y (/p/node_modules/jest/a.js:1:1)";

  expect(testFailures(failing(message))).toEqual([
    "failed: tests/unit/some.test.ts: a thing is wrong",
    "    Error: expected 1",
    "        at Object.x (tests/unit/some.test.ts:1:2)",
  ]);
});

test("a long failure is cut", () => {
  expect(testFailures(failing("line\n".repeat(100)))).toHaveLength(26);
});

test("a file that does not run is named", () => {
  expect(
    testFailures({ testResults: [{ name, message: "SyntaxError: here", assertionResults: [] }] }),
  ).toEqual(["failed: tests/unit/some.test.ts", "    SyntaxError: here"]);
});

test("a file where all is well is not", () => {
  expect(testFailures({ testResults: [{ name, message: "", assertionResults: [] }] })).toEqual([]);
});
