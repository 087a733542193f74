// The program's entry: tsx takes the types off, whatever the language host would have done about them.
// `npm run check` checks the types of the program, the bundling those of the services.
require("tsx/cjs");
module.exports = require("./index.ts");
