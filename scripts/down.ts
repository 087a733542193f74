import { main, pulumi } from "./stack";

// npm run down [-- PULUMI OPTIONS]: destroys everything that the stack created, its data included.
main(() => pulumi("destroy", "--yes", "--skip-preview", "--suppress-outputs", ...process.argv.slice(2)));
