import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Consul } from "./consul";
import { type Step, scriptedAgent } from "./testing/agent";
import { recordedLog, until } from "./testing/helpers";
import { Watch } from "./watch";

const first = "5ca1ab1e-0000-4000-8000-c0ffee000001";
const second = "5ca1ab1e-0000-4000-8000-c0ffee000002";

let folder: string;
let tokenFile: string;
const cleanups: (() => unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "consul-token-"));
  tokenFile = join(folder, "token");
});
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
  await rm(folder, { recursive: true });
});

async function agent(...script: Step[]) {
  const started = await scriptedAgent(...script);
  cleanups.push(started.close);
  return started;
}

function get(addresses: string[], file: string | undefined, index = 0) {
  const consul = new Consul({ addresses, tokenFile: file, timeoutMs: 1_000 });
  return consul.get("/v1/some/path", index, new AbortController().signal);
}

function watch(addresses: string[]) {
  const { log, lines, messages } = recordedLog();
  const values: unknown[] = [];
  const watched = new Watch({
    consul: new Consul({ addresses, tokenFile, timeoutMs: 1_000 }),
    path: "/v1/some/path",
    log,
    onValue: (value) => values.push(value),
  });
  cleanups.unshift(() => {
    watched.stop();
  });
  return { values, lines, messages };
}

const warnedOnce = ["warn: consul does not answer; what is known stays", "info: consul answers again"];

test("without a token file a query has no token", async () => {
  const { address, tokens } = await agent({ index: 7, body: "a" });
  await get([address], undefined);
  expect(tokens).toEqual([undefined]);
});

test("a query has the token of the file, without the space around it", async () => {
  await writeFile(tokenFile, ` ${first}\r\n`);
  const { address, tokens } = await agent({ index: 7, body: "a" });
  expect(await get([address], tokenFile)).toEqual({ value: "a", index: 7 });
  expect(tokens).toEqual([first]);
});

test("a token that is replaced while an agent holds a query goes to the next agent", async () => {
  await writeFile(tokenFile, first);
  const [held, next] = [await agent({ fault: "hang" }), await agent({ index: 7, body: "a" })];
  const answer = get([held.address, next.address], tokenFile);
  await until(() => held.queries.length === 1);
  await writeFile(tokenFile, second);
  expect((await answer).value).toBe("a");
  expect([held.tokens, next.tokens]).toEqual([[first], [second]]);
});

test.each([
  ["is not there", "none", "ENOENT"],
  ["is a folder", "", "EISDIR"],
])(
  "a token file that %s fails the query with one reason, and no agent is asked",
  async (_what, name, code) => {
    const { address, queries } = await agent({ index: 7, body: "a" });
    const file = join(folder, name);
    await expect(get([address, address], file)).rejects.toThrow(new Error(`token file ${file}: ${code}`));
    expect(queries).toEqual([]);
  },
);

test.each([
  ["empty", "", "nothing"],
  ["blank", " \n", "nothing"],
  ["of two lines", `${first}\n${second}\n`, "something else"],
  ["that no header can carry", `${first}\u0000`, "something else"],
])("a token file %s fails the query, which is not sent without a token, and is not shown", async (...row) => {
  const [, content, received] = row;
  await writeFile(tokenFile, content);
  const { address, queries } = await agent({ index: 7, body: "a" });
  await expect(get([address], tokenFile)).rejects.toThrow(
    new Error(`token file ${tokenFile}: expected one token, got ${received}`),
  );
  expect(queries).toEqual([]);
});

test("a watch waits for the token file, with one warning that names it, and takes it when it is there", async () => {
  const { address, tokens } = await agent({ index: 7, body: "a" });
  const { values, lines, messages } = watch([address]);
  await until(() => lines.length === 1);
  await writeFile(tokenFile, first);
  await until(() => values.length === 1);
  await until(() => tokens.length === 2);
  expect(tokens).toEqual([first, first]);
  expect(messages()).toEqual(warnedOnce);
  expect(lines[0]).toMatchObject({ reason: `token file ${tokenFile}: ENOENT` });
  expect(JSON.stringify(lines)).not.toContain(first);
});

test("a revoked token is one warning while the last view stays, and the token that replaces it is taken", async () => {
  await writeFile(tokenFile, first);
  const refused = { status: 403, text: `ACL not found: ${first}` };
  const { address, tokens, indexes } = await agent({ index: 7, body: "a" }, refused, refused, {
    index: 8,
    body: "b",
  });
  const { values, lines, messages } = watch([address]);
  await until(() => tokens.length === 3);
  expect(values).toEqual(["a"]);
  await writeFile(tokenFile, second);
  await until(() => tokens.length === 5);
  expect(tokens).toEqual([first, first, first, second, second]);
  expect(indexes()).toEqual(["0", "7", "7", "7", "8"]);
  expect(values).toEqual(["a", "b"]);
  expect(messages()).toEqual(warnedOnce);
  expect(lines[0]).toMatchObject({ reason: `${address}: status 403` });
  expect(JSON.stringify(lines)).not.toMatch(/5ca1ab1e/);
});

const filtered = { "x-consul-results-filtered-by-acls": "true" };

test.each<[string, Step]>([
  ["an empty list", { index: 7, body: [], headers: filtered }],
  ["nothing", { index: 7, status: 404, text: "", headers: filtered }],
])("%s that the token may not read is a failure", async (_what, step) => {
  const { address } = await agent(step);
  await expect(get([address], undefined)).rejects.toThrow(
    new Error(`${address}: the token does not allow to read all of it`),
  );
});

test.each<[string, Step, unknown]>([
  ["a list that the token may read in part", { index: 7, body: ["a"], headers: filtered }, ["a"]],
  ["an empty list that the token may read", { index: 7, body: [] }, []],
])("%s is a view", async (_what, step, value) => {
  const { address } = await agent(step);
  expect(await get([address], undefined)).toEqual({ value, index: 7 });
});

test("a redirect is not followed: what it leads to would get the token", async () => {
  await writeFile(tokenFile, first);
  const other = await agent({ index: 7, body: "a" });
  const { address } = await agent({ status: 307, text: "", headers: { location: other.address } });
  await expect(get([address], tokenFile)).rejects.toThrow(new Error(`${address}: status 307`));
  expect(other.queries).toEqual([]);
});
