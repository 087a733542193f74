import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scripts } from "./fixtures";

// The check as containers run it, with one way at a time to ask.

let folder: string;
let server: Server;
let answer: number;
let asked: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "service-health-"));
  asked = [];
  server = createServer(({ url = "" }, response) => {
    asked.push(url);
    response.writeHead(answer).end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

/** Exit code of the check where `program` is the only one there. */
async function check(program: string, port: number): Promise<number> {
  await symlink(execFileSync("which", [program], { encoding: "utf8" }).trim(), join(folder, program));
  const script = scripts("service-health.sh");
  const child = spawn("/bin/sh", ["-c", script, "service-health.sh", String(port)], {
    env: { PATH: folder },
  });
  const [code] = (await once(child, "exit")) as [number];
  return code === 0 ? 0 : 1;
}

describe.each(["wget", "bash", "node"])("asked by %s", (program) => {
  const port = () => (server.address() as AddressInfo).port;

  test("a service that has started is healthy", async () => {
    answer = 200;

    expect(await check(program, port())).toBe(0);
    expect(asked).toEqual(["/startup"]);
  });

  test("a service that has not is not", async () => {
    answer = 503;

    expect(await check(program, port())).toBe(1);
    expect(asked).toEqual(["/startup"]);
  });

  test("a service that does not listen is not", async () => {
    const free = port();
    server.close();

    expect(await check(program, free)).toBe(1);
  });
});
