import type * as childProcess from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { consulImage, enginesOf, restartClients } from "../../scripts/clients";

// Jest's process.env is a copy of its own, which child processes do not get unless they are handed it.
jest.mock("node:child_process", () => {
  const actual = jest.requireActual<typeof childProcess>("node:child_process");
  const run = promisify(actual.execFile);
  const execFile = {
    [promisify.custom]: (file: string, args: readonly string[]) => run(file, args, { env: process.env }),
  };
  return { ...actual, execFile: Object.assign(() => undefined, execFile) };
});

let folder: string;
const path = process.env["PATH"];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "clients-"));
});

afterEach(async () => {
  process.env["PATH"] = path;
  await rm(folder, { recursive: true });
});

/** Puts a program in the place of Docker's. */
async function docker(program: string): Promise<void> {
  await writeFile(join(folder, "docker"), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  process.env["PATH"] = `${folder}:${path ?? ""}`;
}

const commands = async () => (await readFile(join(folder, "args"), "utf8")).split("\n").filter(Boolean);
const errorOf = (run: Promise<unknown>) => run.then(String, (error: unknown) => (error as Error).message);

describe("the image of a stack's Consul", () => {
  test("is what its first client agent runs", async () => {
    await docker(`echo "$*" >>${folder}/args; [ $1 = ps ] && printf 'c1\\nc2\\n' || echo sha256:consul`);

    expect(await consulImage("dev", enginesOf({}))).toEqual({ id: "sha256:consul", engine: {} });
    expect(await commands()).toEqual([
      "ps -q --filter label=consul-docker.project=consul-docker --filter label=consul-docker.stack=dev --filter label=consul-docker.role=client",
      "inspect -f {{.Image}} c1",
    ]);
  });

  test("is not known while none runs, or Docker does not answer", async () => {
    await docker("true");
    expect(await errorOf(consulImage("dev", [{}]))).toBe("no client agent runs; npm run up starts it");
    await docker("echo 'Cannot connect to the Docker daemon' >&2; echo 'more' >&2; exit 1");
    expect(await errorOf(consulImage("dev", [{}]))).toBe("Cannot connect to the Docker daemon");
  });
});

test("the client agents restart one after the other, each healthy before the next", async () => {
  await docker(`
    echo "$*" >>${folder}/args
    case "$1" in
      ps) printf 'c1\\nc2\\n' ;;
      inspect) [ -e ${folder}/$4 ] && echo healthy || { touch ${folder}/$4; echo starting; } ;;
    esac`);
  await restartClients("dev", [{}]);

  const health = "inspect -f {{.State.Health.Status}}";
  expect((await commands()).slice(1)).toEqual([
    ...["restart c1", `${health} c1`, `${health} c1`],
    ...["restart c2", `${health} c2`, `${health} c2`],
  ]);
});

test("those of several hosts are each asked for at their own engine", async () => {
  await docker(`
    echo "$*" >>${folder}/args
    case "$*" in
      *ps*) printf 'c\\n' ;;
      *Health*) echo healthy ;;
      *) echo sha256:consul ;;
    esac`);
  const hosts = [{ endpoint: "ssh://a" }, { endpoint: "ssh://b" }];
  const engines = enginesOf({ hosts });

  expect(await consulImage("dev", engines)).toEqual({ id: "sha256:consul", engine: hosts[0] });
  await restartClients("dev", engines);
  expect((await commands()).filter((command) => command.includes("restart"))).toEqual([
    "-H ssh://a restart c",
    "-H ssh://b restart c",
  ]);
});
