import { draw } from "./graph";
import { mermaid } from "./mermaid";
import type { Parts } from "./page";
import { previewed } from "./program";
import { settingsParts } from "./settings";

/** What is generated within the pages, by their files. */
export async function generatedParts(): Promise<Readonly<Record<string, Parts>>> {
  return {
    "docs/architecture.md": { resources: mermaid(draw(await previewed("Pulumi.dev.yaml"))) },
    "docs/settings.md": settingsParts(),
  };
}
