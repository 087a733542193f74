import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { build, type BuildFailure, type Metafile } from "esbuild";
import type { Bundle } from "./components/service-image";
import { fault } from "./fault";

/** Where bundles are kept between runs; ignored by git. */
const BUILD = ".build";
// Each holds its own copy of all that it is made from: 300 at a time took 8 GB.
const BUNDLES_AT_A_TIME = 4;
/** What a bundle depends on beside the files in it. */
const TOOLS = ["services/Dockerfile", "package-lock.json", "tsconfig.json"];

/** What the last bundling of a service read, and what came out. */
interface Record {
  readonly inputs: readonly string[];
  readonly fingerprint: string;
  readonly hash: string;
}

/**
 * Bundles each service into one file with its Dockerfile beside it, as the context of its image. A service none of
 * whose files changed since the last time is taken as it is; the others are type-checked first. Throws one RunError
 * that names file and line of every fault. Several runs may bundle at the same time.
 */
export async function bundleServices<T extends { readonly name: string }>(
  services: readonly T[],
): Promise<(T & { readonly bundle: Bundle })[]> {
  const seen: Stamps = new Map();
  const names = services.map(({ name }) => name);
  const hashes = new Map(
    await Promise.all(names.map(async (name) => [name, await upToDate(name, seen)] as const)),
  );
  const stale = names.filter((name) => hashes.get(name) === undefined);
  if (stale.length > 0) await checkTypes(stale);
  for (let next = 0; next < stale.length; next += BUNDLES_AT_A_TIME) {
    const few = stale.slice(next, next + BUNDLES_AT_A_TIME);
    await Promise.all(few.map(async (name) => hashes.set(name, await bundle(name))));
  }
  return services.map((service) => ({
    ...service,
    bundle: { context: context(service.name), hash: hashes.get(service.name) ?? "" },
  }));
}

const context = (service: string) => `${BUILD}/${service}/image`;
const recordFile = (service: string) => `${BUILD}/${service}/record.json`;

async function upToDate(service: string, seen: Stamps): Promise<string | undefined> {
  try {
    const record = JSON.parse(await readFile(recordFile(service), "utf8")) as Record;
    await stat(`${context(service)}/main.js`);
    return (await fingerprint(record.inputs, seen)) === record.fingerprint ? record.hash : undefined;
  } catch {
    return undefined;
  }
}

/** Size and time of files, by their names. The services share most of theirs: each file is asked for once. */
type Stamps = Map<string, Promise<string>>;

/** Changes when one of the files does; by size and time, which cost a tenth of reading them all. */
async function fingerprint(files: readonly string[], seen: Stamps = new Map()): Promise<string> {
  return sha256((await Promise.all(files.map((file) => stamp(file, seen)))).join("\n"));
}

function stamp(file: string, seen: Stamps): Promise<string> {
  const known = seen.get(file) ?? stat(file).then(({ size, mtime }) => `${file} ${size} ${mtime.getTime()}`);
  seen.set(file, known);
  return known;
}

async function bundle(service: string): Promise<string> {
  await mkdir(context(service), { recursive: true });
  const { metafile, outputFiles } = await build({
    entryPoints: [`services/${service}/main.ts`],
    outfile: `${context(service)}/main.js`,
    bundle: true,
    minify: true,
    keepNames: true,
    legalComments: "eof",
    platform: "node",
    target: "node22",
    format: "cjs",
    metafile: true,
    write: false,
    logLevel: "silent",
  }).catch((failure: unknown): never => {
    throw broken(
      (failure as BuildFailure).errors.map(
        ({ location, text }) =>
          `${location?.file ?? service}:${location?.line ?? 1}:${(location?.column ?? 0) + 1} ${text}`,
      ),
    );
  });
  const dockerfile = await readFile("services/Dockerfile", "utf8");
  const program = outputFiles.map(({ text }) => text).join("");
  await writeWhole(`${context(service)}/Dockerfile`, dockerfile);
  await writeWhole(`${context(service)}/main.js`, program);
  const hash = sha256(dockerfile, program).slice(0, 12);
  const inputs = [...new Set([...TOOLS, ...Object.keys(metafile.inputs), ...(await typeSources(metafile))])];
  const record: Record = { inputs, fingerprint: await fingerprint(inputs), hash };
  await writeWhole(recordFile(service), JSON.stringify(record));
  return hash;
}

/** Puts a file in its place at once: another run, or the build of its image, may be reading the one before. */
async function writeWhole(file: string, content: string): Promise<void> {
  const draft = `${BUILD}/${randomUUID()}`;
  await writeFile(draft, content);
  await rename(draft, file);
}

/** The TypeScript files beside the bundled ones: a file of types alone is no part of the bundle, but of the check. */
async function typeSources(metafile: Metafile): Promise<string[]> {
  const sources = Object.keys(metafile.inputs).filter((file) => file.startsWith("services/"));
  const folders = [...new Set(sources.map((file) => dirname(file)))];
  const files = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((file) => `${folder}/${file}`)),
  );
  return files.flat().filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
}

async function checkTypes(services: readonly string[]): Promise<void> {
  await mkdir(BUILD, { recursive: true });
  const project = `${BUILD}/tsconfig.${randomUUID()}.json`;
  const files = services.map((service) => `../services/${service}/main.ts`);
  await writeFile(
    project,
    JSON.stringify({ extends: "../tsconfig.json", compilerOptions: { types: ["node"] }, files, include: [] }),
  );
  const compiler = require.resolve("typescript/bin/tsc");
  await promisify(execFile)(process.execPath, [compiler, "--pretty", "false", "-p", project])
    .catch((failure: unknown) => {
      const output = (failure as { stdout: string }).stdout;
      // One line a fault: services/catalog/app.ts(12,5): error TS2322: Type …
      const lines = [...output.matchAll(/^(\S+)\((\d+),(\d+)\): error \w+: (.*)$/gm)];
      throw broken(
        lines.length > 0
          ? lines.map(
              ([, file = "", line = "", column = "", text = ""]) => `${file}:${line}:${column} ${text}`,
            )
          : [output],
      );
    })
    .finally(() => rm(project));
}

function broken(lines: readonly string[]): Error {
  return fault("the services do not compile:", lines.slice(0, 20));
}

function sha256(...content: readonly string[]): string {
  return content.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");
}
