import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { create, mockPulumi, TOKEN_SECRETS, type Registration } from "../../tests/unit/mocks";
import program from "../../index";

/** What a preview of the program registers with the settings of a stack file; no engine is asked, nothing is created. */
export async function previewed(stackFile: string): Promise<readonly Registration[]> {
  const { config } = parse(readFileSync(stackFile, "utf8")) as { config: Readonly<Record<string, unknown>> };
  await mockPulumi({ preview: true, answers: TOKEN_SECRETS });
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(config).map(([key, value]) => [
        key,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ),
  );
  return (await create(() => program())).registrations;
}
