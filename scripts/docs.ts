import { readFileSync, writeFileSync } from "node:fs";
import { renew } from "./docs/page";
import { generatedParts } from "./docs/pages";
import { main } from "./stack";

// npm run docs: writes what is generated in docs/ anew: the drawing of the resources, the tables of the settings.
main(async () => {
  for (const [file, parts] of Object.entries(await generatedParts())) {
    writeFileSync(file, renew(readFileSync(file, "utf8"), parts));
    console.log(`wrote ${file}`);
  }
  return 0;
});
