import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { UNKNOWN } from "./differences";
import { nounOf } from "./kinds";
import type { PlannedResource } from "./plan";

/** An image that changes. */
export interface ImageChange {
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Files of the repository that differ from the base, and are in it. */
  readonly files: readonly string[];
  /** Commits since the base that touched them, newest first. */
  readonly commits: readonly string[];
}

/**
 * The images that change, each once for all hosts, with what of the repository's history since `base` is behind those
 * that are built from it.
 */
export async function imageChanges(
  resources: readonly PlannedResource[],
  base: string | undefined,
): Promise<ImageChange[]> {
  const images = resources
    .filter((one) => nounOf(one) === "image" && one.operation !== "same")
    .map(({ before, after }) => ({
      before: nameIn(before),
      after: nameIn(after),
      context: (after?.["build"] as { context?: string } | undefined)?.context,
    }))
    .filter(({ before, after }) => before !== undefined || after !== undefined);
  const alike = new Map(images.map((image) => [`${image.before} ${image.after}`, image]));
  return Promise.all(
    [...alike.values()].map(async ({ before, after, context }) => ({
      before,
      after,
      ...(await behind(context, base)),
    })),
  );
}

/** None of what is pulled by its digest, known or not: that is an image which is built, and told of by that. */
function nameIn(args: PlannedResource["before"]): string | undefined {
  const name = args?.["name"] as string | undefined;
  return name === UNKNOWN || name?.includes("@") === true ? undefined : name;
}

async function behind(
  context: string | undefined,
  base: string | undefined,
): Promise<Pick<ImageChange, "files" | "commits">> {
  if (context === undefined || base === undefined) return { files: [], commits: [] };
  // What the bundling read, as it noted for itself.
  const record = JSON.parse(await readFile(context.replace(/image$/, "record.json"), "utf8")) as {
    inputs: string[];
  };
  const inputs = new Set(record.inputs);
  const files = (await git("diff", "--name-only", base)).filter((file) => inputs.has(file));
  const commits =
    files.length === 0 ? [] : await git("log", "--format=%h %s", `${base}..HEAD`, "--", ...files);
  return { files, commits };
}

/** The commit that this branch left main at; undefined outside a repository with a main. */
export async function defaultBase(): Promise<string | undefined> {
  for (const main of ["origin/main", "main"]) {
    const [commit] = await git("merge-base", "HEAD", main).catch(() => []);
    if (commit !== undefined) return commit;
  }
  return undefined;
}

async function git(...args: readonly string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)("git", args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split("\n").filter((line) => line !== "");
}
