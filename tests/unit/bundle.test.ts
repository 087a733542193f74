import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type * as bundle from "../../bundle";

const home = process.cwd();
let project: string;
let bundleServices: typeof bundle.bundleServices;

// esbuild and the bundles live in the working directory, so the whole file has one of its own.
beforeAll(async () => {
  project = await realpath(await mkdtemp(join(tmpdir(), "bundle-")));
  process.chdir(project);
  await write("package-lock.json", "{}");
  await write("services/Dockerfile", "ARG BASE\nFROM ${BASE}\n");
  await write(
    "tsconfig.json",
    JSON.stringify({ compilerOptions: { strict: true, noEmit: true, lib: ["es5"] } }),
  );
  // As little of Node.js as the services here need: the real types take a second a run.
  await write("node_modules/@types/node/index.d.ts", "declare const console: { log(text: string): void };");
  ({ bundleServices } = jest.requireActual<typeof bundle>("../../bundle"));
});

afterAll(async () => {
  process.chdir(home);
  await rm(project, { recursive: true });
});

async function write(file: string, content: string): Promise<void> {
  await mkdir(join(project, file, ".."), { recursive: true });
  await writeFile(join(project, file), content);
}

async function service(name: string, main: string): Promise<{ name: string }> {
  await write(`services/${name}/main.ts`, main);
  return { name };
}

/** What bundling says about a service that does not compile; without `main`, as it is. */
async function faultOf(name: string, main?: string): Promise<string> {
  const error: unknown = await bundleServices([
    main === undefined ? { name } : await service(name, main),
  ]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(pulumi.RunError);
  return (error as Error).message;
}

describe("services that compile", () => {
  const main = 'import { greet } from "./greet";\nconsole.log(greet("world"));\n';
  const greet = "export const greet = (name: string): string => `hello ${name}`;\n";
  let bundled: Awaited<ReturnType<typeof bundleServices<{ name: string; port: number }>>>;

  beforeAll(async () => {
    await write("services/first/greet.ts", greet);
    await write("services/second/greet.ts", greet);
    bundled = await bundleServices([
      { ...(await service("first", main)), port: 1 },
      { ...(await service("second", main)), port: 2 },
    ]);
  });

  test("become one file each, with the Dockerfile beside it and nothing else", async () => {
    expect(bundled.map(({ name, port, bundle }) => [name, port, bundle.context])).toEqual([
      ["first", 1, ".build/first/image"],
      ["second", 2, ".build/second/image"],
    ]);
    expect((await readdir(".build/first/image")).sort()).toEqual(["Dockerfile", "main.js"]);
    expect(await readFile(".build/first/image/Dockerfile", "utf8")).toBe("ARG BASE\nFROM ${BASE}\n");
  });

  test("run as they are", () => {
    expect(execFileSync(process.execPath, [".build/second/image/main.js"], { encoding: "utf8" })).toBe(
      "hello world\n",
    );
  });

  test("have the same hash where their content is the same", () => {
    expect(bundled[0]?.bundle.hash).toMatch(/^[0-9a-f]{12}$/);
    expect(bundled[1]?.bundle.hash).toBe(bundled[0]?.bundle.hash);
  });

  test("are taken as they are the next time", async () => {
    await writeFile(".build/first/image/main.js", "left alone");

    const again = await bundleServices([{ name: "first" }]);

    expect(again).toEqual([{ name: "first", bundle: bundled[0]?.bundle }]);
    expect(await readFile(".build/first/image/main.js", "utf8")).toBe("left alone");
  });

  test("are bundled again when a file that they import changes, and have another hash", async () => {
    await write("services/second/greet.ts", greet.replace("hello", "good morning"));

    const [again] = await bundleServices([{ name: "second" }]);

    expect(again?.bundle.hash).toMatch(/^[0-9a-f]{12}$/);
    expect(again?.bundle.hash).not.toBe(bundled[1]?.bundle.hash);
    expect(await readFile(".build/second/image/main.js", "utf8")).toContain("good morning");
  });

  test("leave the bundle before whole for who is reading it", async () => {
    const reader = await open(".build/second/image/main.js");
    await write("services/second/greet.ts", greet.replace("hello", "good evening"));

    await bundleServices([{ name: "second" }]);

    expect(await reader.readFile("utf8")).toContain("good morning");
    await reader.close();
    expect((await readdir(".build")).sort()).toEqual(["first", "second"]);
  });

  test("keep their hash when a change makes no difference to what runs", async () => {
    await write("services/first/greet.ts", `// Says hello.\n${greet}`);

    const [again] = await bundleServices([{ name: "first" }]);

    expect(again?.bundle).toEqual(bundled[0]?.bundle);
    expect(await readFile(".build/first/image/main.js", "utf8")).not.toBe("left alone");
  });
});

describe("a service that does not compile is named with file, line and column", () => {
  test("when a type is wrong", async () => {
    expect(
      await faultOf("mistyped", 'console.log("ok");\nconst text: string = 5;\nconsole.log(text);\n'),
    ).toBe(
      "the services do not compile:\n  services/mistyped/main.ts:2:7 Type 'number' is not assignable to type 'string'.",
    );
  });

  test("when another run bundles another service at the same time", async () => {
    const right = await service("right", 'console.log("ok");\n');

    const [fault] = await Promise.all([
      faultOf("wrong", "const text: string = 5;\nconsole.log(text);\n"),
      bundleServices([right]),
    ]);

    expect(fault).toContain("services/wrong/main.ts:1:7");
  });

  test("when it is in a file of types alone that was right before", async () => {
    const main = 'import type { Text } from "./text";\nconst text: Text = "ok";\nconsole.log(text);\n';
    await write("services/typed/text.ts", "export type Text = string;\n");
    await bundleServices([await service("typed", main)]);
    await write("services/typed/text.ts", "export type Text = Absent;\n");

    expect(await faultOf("typed")).toBe(
      "the services do not compile:\n  services/typed/text.ts:1:20 Cannot find name 'Absent'.",
    );
  });

  test("when it cannot be read", async () => {
    expect(await faultOf("misspelt", 'console.log("ok");\nconst text = ;\n')).toBe(
      "the services do not compile:\n  services/misspelt/main.ts:2:14 Expression expected.",
    );
  });

  test("when only bundling finds out", async () => {
    await write("services/lost/absent.d.ts", 'declare module "absent" { export const text: string; }');
    const main =
      '/// <reference path="./absent.d.ts" />\nimport { text } from "absent";\nconsole.log(text);\n';

    expect(await faultOf("lost", main)).toBe(
      'the services do not compile:\n  services/lost/main.ts:2:22 Could not resolve "absent"',
    );
  });
});

test("nothing to bundle needs no compiler", async () => {
  expect(await bundleServices([])).toEqual([]);
});
