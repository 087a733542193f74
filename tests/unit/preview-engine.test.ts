import { createServer, type Server } from "node:http";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  defaultEngine,
  isStandIn,
  passesPing,
  standIn,
  withEngine,
  type StandIn,
} from "../../preview-engine";

const folder = mkdtempSync(join(tmpdir(), "preview-engine-test-"));
const servers: Server[] = [];
let engine: StandIn;

beforeAll(async () => {
  engine = await standIn();
});

afterAll(() => {
  engine.close();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Where an engine is that answers a ping with this status. */
function listening(status: number, at: string | number): Promise<string> {
  const server = createServer((request, response) => {
    response.writeHead(request.method === "HEAD" && request.url === "/_ping" ? status : 404).end();
  });
  servers.push(server);
  return new Promise((resolve) => {
    const listener = () => {
      resolve(
        typeof at === "string" ? `unix://${at}` : `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
      );
    };
    if (typeof at === "string") server.listen(at, listener);
    else server.listen(at, "127.0.0.1", listener);
  });
}

describe("an engine passes the plugin's ping", () => {
  test("where it answers, on a socket or a port", async () => {
    expect(await passesPing({ endpoint: await listening(200, join(folder, "ok.sock")) })).toBe(true);
    expect(await passesPing({ endpoint: await listening(200, 0) })).toBe(true);
  });

  test("behind SSH, where nobody asks", async () => {
    expect(await passesPing({ endpoint: "ssh://nobody@192.0.2.1" })).toBe(true);
  });

  test("but not where nobody listens, it refuses, or has no files for TLS", async () => {
    expect(await passesPing({ endpoint: "unix:///nowhere" })).toBe(false);
    expect(await passesPing({ endpoint: await listening(500, join(folder, "bad.sock")) })).toBe(false);
    expect(await passesPing({ endpoint: await listening(200, 0), certPath: "/nowhere" })).toBe(false);
  });
});

describe("the stand-in", () => {
  const status = async (path: string) => {
    const { request } = await import("node:http");
    return new Promise<number | undefined>((resolve) => {
      request({ socketPath: engine.endpoint.slice("unix://".length), path, method: "HEAD" }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
  };

  test("answers a ping and nothing else", async () => {
    expect(await passesPing(engine)).toBe(true);
    expect(await status("/v1.47/_ping")).toBe(200);
    expect(await status("/v1.47/containers/json")).toBe(503);
  });

  test("is known by its place, and leaves nothing there", async () => {
    const other = await standIn();
    const socket = other.endpoint.slice("unix://".length);
    expect(existsSync(socket)).toBe(true);
    other.close();
    expect(existsSync(socket)).toBe(false);
    expect([other.endpoint, "unix:///var/run/docker.sock", undefined].map(isStandIn)).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("the engine that the shell tells of", () => {
  test.each([
    [{}, { endpoint: "unix:///var/run/docker.sock" }],
    [{ DOCKER_HOST: "" }, { endpoint: "unix:///var/run/docker.sock" }],
    [
      { DOCKER_HOST: "tcp://a:2376", DOCKER_CERT_PATH: "/certs" },
      { endpoint: "tcp://a:2376", certPath: "/certs" },
    ],
  ])("%j is %j", (env, expected) => {
    expect(defaultEngine(env)).toEqual(expected);
  });

  test("gives way to another, with all that was said of it", () => {
    const env = {
      DOCKER_HOST: "tcp://a",
      DOCKER_CERT_PATH: "/c",
      DOCKER_CONTEXT: "x",
      DOCKER_TLS_VERIFY: "1",
    };
    expect(withEngine({ ...env, PATH: "/bin" }, "unix:///b")).toEqual({
      PATH: "/bin",
      DOCKER_HOST: "unix:///b",
    });
  });
});
