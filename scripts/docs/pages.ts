import { advisoryParts } from "./advisories";
import { draw } from "./graph";
import { licenceParts } from "./licences";
import { mermaid } from "./mermaid";
import type { Parts } from "./page";
import { previewed } from "./program";
import { settingsParts } from "./settings";

/** What is generated within the pages, by their files. */
export async function generatedParts(): Promise<Readonly<Record<string, Parts>>> {
  return {
    "docs/architecture.md": { resources: mermaid(draw(await previewed("Pulumi.dev.yaml"))) },
    "docs/consul-versions.md": advisoryParts(),
    "docs/licences.md": licenceParts(),
    "docs/settings.md": settingsParts(),
  };
}
