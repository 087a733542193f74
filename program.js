// The program's entry: tsx takes the types off, whatever the language host would have done about them.
// `npm run check` checks the types of the program, the bundling those of the services.
refuseOldNode();
require("tsx/cjs");
// Pulumi keeps a stack trace for every promise: a quarter of a preview's time, which nobody reads.
// NODE_OPTIONS=--stack-trace-limit=20 brings stack traces back for whoever looks for a fault in the program.
if (Error.stackTraceLimit === 10) Error.stackTraceLimit = 0;
module.exports = require("./index.ts");

// The launcher and the npm commands see to the Node.js; a pulumi of one's own takes the first one on the PATH.
function refuseOldNode() {
  const needed = require("./package.json").engines.node.replace(">=", "");
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [leastMajor, leastMinor] = needed.split(".").map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  const { RunError } = require("@pulumi/pulumi");
  const error = new RunError(
    `Node.js ${process.versions.node} is older than ${needed}: run scripts/pulumi-launcher in place of pulumi, or put a newer Node.js first on the PATH`,
  );
  error.stack = "";
  throw error;
}
