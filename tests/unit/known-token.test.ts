import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "known-token-test-"));
const calls = join(folder, "calls");
let consul: Server;
let answer: { status: number; text: string };

beforeAll((done) => {
  consul = createServer((request, response) => {
    const known = request.url === "/v1/acl/token/self" && request.headers["x-consul-token"] === "management";
    const { status, text } = known ? answer : { status: 404, text: "another request" };
    response.writeHead(status).end(text);
  }).listen(0, "127.0.0.1", done);
});

afterAll(() => {
  consul.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  answer = { status: 200, text: "{}" };
});

/** A state with Pulumi's own provider of Consul, as the CLI exports it. */
function stateAt(address: string): string {
  const inputs = {
    address,
    scheme: "http",
    token: { "4dabf18193072939515e22adb298388d": "1b", plaintext: '"management"' },
  };
  const resource = {
    urn: "urn:pulumi:dev::p::pulumi:providers:consul::consul",
    type: "pulumi:providers:consul",
    inputs,
  };
  return JSON.stringify({ deployment: { resources: [resource, { ...resource, inputs: { address } }] } });
}

/** Runs the script on this state; `undefined` is one that the CLI cannot read. */
function ask(
  state: string | undefined,
  ...args: readonly string[]
): Promise<{ code: unknown; stderr: string }> {
  const cli = join(folder, "pulumi");
  const print = state === undefined ? "echo 'error: no stack' >&2; exit 255" : `cat <<'END'\n${state}\nEND`;
  writeFileSync(cli, `#!/bin/sh\necho "$*" >'${calls}'\n${print}\n`);
  chmodSync(cli, 0o755);
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"] ?? ""}` };
  return new Promise((resolve) => {
    execFile("node_modules/.bin/tsx", ["scripts/known-token.ts", ...args], { env }, (error, _, stderr) => {
      resolve({ code: error?.code ?? 0, stderr });
    });
  });
}

const here = () => stateAt(`127.0.0.1:${(consul.address() as AddressInfo).port}`);

test("a token that Consul knows may refresh", async () => {
  expect(await ask(here(), "refresh")).toEqual({ code: 0, stderr: "" });
});

test("one that it does not know may not, in one line", async () => {
  answer = { status: 403, text: "rpc error making call: ACL not found" };

  expect(await ask(here(), "refresh")).toEqual({
    code: 1,
    stderr:
      "error: Consul does not know the stack's management token, and a refresh would take all tokens and policies out of the state: see docs/operations.md, Management token lost\n",
  });
});

test("what has another reason is Pulumi's to tell", async () => {
  answer = { status: 500, text: "No cluster leader" };

  expect(await ask(here(), "refresh")).toEqual({ code: 0, stderr: "" });
  expect(await ask(stateAt("127.0.0.1:1"), "refresh")).toEqual({ code: 0, stderr: "" });
  expect(await ask(undefined, "refresh")).toEqual({ code: 0, stderr: "" });
});

test.each([["-s"], ["--stack"], ["--stack="]])("the stack is that which %s names", async (option) => {
  const args = option.endsWith("=") ? [`${option}team`] : [option, "team"];
  await ask(here(), "up", "--yes", ...args, "--refresh");

  expect(readFileSync(calls, "utf8")).toBe("stack export --show-secrets --stack team\n");
});
