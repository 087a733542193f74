import { readFileSync, writeFileSync } from "node:fs";
import { renew } from "./docs/page";
import { generatedParts } from "./docs/pages";
import { places, withVersions } from "./docs/versions";
import { main } from "./stack";

// npm run docs: writes what is generated in docs/ anew, which is the drawing of the resources and the tables of the
// settings, and carries versions.env to the places that cannot read it.
main(async () => {
  for (const [file, parts] of Object.entries(await generatedParts())) {
    writeFileSync(file, renew(readFileSync(file, "utf8"), parts));
    console.log(`wrote ${file}`);
  }
  for (const file of new Set(places.map((place) => place.file))) {
    const text = readFileSync(file, "utf8");
    const changed = withVersions(file, text);
    if (changed === text) continue;
    writeFileSync(file, changed);
    console.log(`wrote ${file}`);
  }
  return 0;
});
