// The pack's entry: tsx takes the types off, as for the program, and faster than Pulumi's own way.
require("tsx/cjs");
require("./pack.ts");
