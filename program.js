// The program's entry: tsx takes the types off, whatever the language host would have done about them.
// `npm run check` checks the types of the program, the bundling those of the services.
require("tsx/cjs");
// Pulumi keeps a stack trace for every promise: a quarter of a preview's time, which nobody reads.
// NODE_OPTIONS=--stack-trace-limit=20 brings stack traces back for whoever looks for a fault in the program.
if (Error.stackTraceLimit === 10) Error.stackTraceLimit = 0;
module.exports = require("./index.ts");
